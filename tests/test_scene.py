"""The scene: letting time pass on a stage that may lose its ground."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from drills.errors import CannotRun
from drills.scene import Scene
from tests.fakes import FakeScene


@pytest.fixture
def scene(tmp_path: Path) -> FakeScene:
    """A scene whose stage can lose its ground; pauses are the real ones."""
    return FakeScene(tmp_path)


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
def test_no_time_passes_on_a_stage_that_has_lost_its_ground(scene: FakeScene, seconds: float) -> None:
    """Also where none was to pass: nothing that is seen from now on means anything."""
    scene.stage.lost = "the engine did not answer"
    began = time.monotonic()
    with pytest.raises(CannotRun, match="the engine did not answer"):
        Scene.pause(scene, seconds)
    assert time.monotonic() - began < 5.0


def test_a_stage_that_loses_its_ground_ends_a_pause_that_has_begun(
    scene: FakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a slice of it, not at its end."""
    monkeypatch.setattr("drills.scene.SLICE_S", 0.001)
    looks = iter(range(3))

    def check_alive() -> None:
        if next(looks, None) is None:
            raise CannotRun("the engine did not answer")

    monkeypatch.setattr(scene.stage, "check_alive", check_alive)
    began = time.monotonic()
    with pytest.raises(CannotRun, match="the engine did not answer"):
        Scene.pause(scene, 3600.0)
    assert time.monotonic() - began < 5.0


def test_a_pause_is_as_long_as_it_says(scene: FakeScene) -> None:
    """Never shorter: windows are as long as the scenario has them."""
    began = time.monotonic()
    Scene.pause(scene, 0.01)
    assert time.monotonic() - began >= 0.01

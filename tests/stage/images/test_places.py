"""One maker of images at a time, and nothing half made under a final name."""

from __future__ import annotations

from pathlib import Path

import pytest

from drills.errors import CannotRun
from drills.stage.images import places


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder of the test's own."""
    monkeypatch.setattr(places, "FOLDER", tmp_path)
    for name in ("LAYERS", "WHEELS", "LOGS", "WORK"):
        monkeypatch.setattr(places, name, tmp_path / name.lower())


def test_two_makers_do_not_work_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second says that it waits, and not for ever."""
    said: list[str] = []
    monkeypatch.setattr(places, "LOCK_WITHIN_S", 0.0)
    with (
        places.locked(said.append),
        pytest.raises(CannotRun, match=r"somebody else has held .*lock for 0 s"),
        places.locked(said.append),
    ):
        pass
    assert said == ["images: somebody else is making them here, waiting"]
    with places.locked(said.append):
        assert len(said) == 1


def test_what_a_killed_maker_left_is_removed_first(tmp_path: Path) -> None:
    """Half a layer must not be taken for one."""
    left = tmp_path / "work" / "layer.tar"
    left.parent.mkdir()
    left.touch()
    with places.locked(print):
        assert not left.exists() and left.parent.exists()

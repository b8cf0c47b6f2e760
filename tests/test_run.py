"""The run itself, as far as no service is needed: its folder, its lock, its order, its options."""

from __future__ import annotations

import fcntl
import json
import os
import re
from pathlib import Path

import pytest

from drills.errors import BadInput
from drills.faults.base import Arguments
from drills.options import Options
from drills.probes.follower import Follower
from drills.run import WARM_S, locked, run_folder, warm_up
from drills.scenario.durations import Duration
from drills.scenario.models import Action, Injection
from drills.steps.hold import HoldArguments
from drills.story import least_length_s, play
from tests.fakes import FakeScene

HOLD = Action("hold", HoldArguments(lasts=Duration(seconds=2.0)))
TEN = Duration(seconds=10.0)


@pytest.fixture
def scene(tmp_path: Path) -> FakeScene:
    """A scene on which faults on paths need no proof."""
    return FakeScene(tmp_path)


def kill(*steps: Injection | Action, service: str = "relay_a", lasts: Duration | None = None) -> Injection:
    """A fault around these steps."""
    return Injection("kill", service, Arguments(), lasts, steps)


def told(scene: FakeScene) -> list[str]:
    """What was done and mended, in its order."""
    return [word for word in scene.trail if word.startswith(("do", "mend"))]


def test_a_run_has_a_folder_of_its_own_by_month_and_drill(tmp_path: Path) -> None:
    """Two runs of one second do not meet, and an odd path is no trouble."""
    out = tmp_path / "my reports, übung"
    one, two = run_folder(out, "calm"), run_folder(out, "calm")
    assert one != two
    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{4}", one.name)
    assert one.parent == out / f"{one.name[:4]}-{one.name[4:6]}" / "calm"


def test_a_run_folder_is_a_full_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services have working directories of their own."""
    monkeypatch.chdir(tmp_path)
    assert run_folder(Path("reports"), "calm").is_absolute()


def test_a_runs_lock_is_held_for_its_life_and_by_nobody_else(tmp_path: Path) -> None:
    """Whoever finds it free may take the run for dead; children do not inherit it."""
    with locked(tmp_path) as lock:
        assert not os.get_inheritable(lock.fileno())
        with (tmp_path / "lock").open("r+") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (tmp_path / "lock").open("r+") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.fixture(autouse=True)
def every_relay_tells_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without asking it over HTTP."""
    monkeypatch.setattr("drills.probes.relays.current_relay_id", lambda stage, name: stage.services[name].own_id)


def test_a_fault_is_mended_before_the_next_step_begins(scene: FakeScene) -> None:
    """The story is a sequence; two faults at a time must be written inside each other."""
    play(scene, (kill(), HOLD, kill(service="relay_b")), lambda text: None, "drill")
    assert told(scene) == ["do kill relay_a", "mend start relay_a", "do kill relay_b", "mend start relay_b"]
    assert scene.now_s == pytest.approx(2.0)


def test_a_fault_inside_a_fault_is_mended_first(scene: FakeScene) -> None:
    """In reverse, as every context manager is left."""
    play(scene, (kill(kill(service="relay_b")),), lambda text: None, "drill")
    assert told(scene) == ["do kill relay_a", "do kill relay_b", "mend start relay_b", "mend start relay_a"]


def test_a_fault_lasts_as_long_as_it_says_and_then_its_steps(scene: FakeScene) -> None:
    """Its own time first."""
    play(scene, (kill(HOLD, lasts=TEN),), lambda text: None, "drill")
    (receipt,) = scene.journal.named("fault.receipt")
    assert (receipt["to_ns"] - receipt["from_ns"]) / 1e9 == pytest.approx(12.0)


def test_every_step_is_an_event_at_both_ends(scene: FakeScene) -> None:
    """The report draws them."""
    play(scene, (HOLD,), lambda text: None, "drill")
    assert [name for name, _ in scene.journal.events] == ["step.begun", "step.done"]


def test_the_least_length_of_a_story_is_the_sum_of_what_it_says(scene: FakeScene) -> None:
    """Steps inside faults included, heartbeats by the target's own."""
    beats = Action("hold", HoldArguments(lasts=Duration(heartbeats=2.0)))
    assert least_length_s((kill(HOLD, lasts=TEN), beats), scene.heartbeat_s) == pytest.approx(22.0)


@pytest.mark.parametrize("odd", [{"pace": "fast"}, {"defects": ("relay_forgets_drain",)}])
def test_wavry_itself_has_neither_pace_nor_defects(odd: dict[str, object]) -> None:
    """Both are settings of the reference."""
    with pytest.raises(BadInput, match="--target wavry"):
        Options(target="wavry", **odd).check()
    Options(target="reference", **odd).check()


@pytest.mark.parametrize(("ago_s", "whole", "waits_s"), [
    (0.0, True, 3.0), (1.5, True, 1.5), (2.5, True, WARM_S), (0.0, False, WARM_S), (60.0, True, WARM_S),
])  # fmt: skip
def test_calm_begins_once_no_long_stop_of_our_load_bears_on_it(
    scene: FakeScene, ago_s: float, whole: bool, waits_s: float
) -> None:
    """A load that gives way may have stood still until just before its turn; only a whole run may have to hold."""
    scene.clock_ns = 100_000_000_000
    scene.follower.long_stop_ended_ns = scene.clock_ns - round(ago_s * 1e9)
    warm_up(scene, whole=whole)
    assert (scene.clock_ns - 100_000_000_000) / 1e9 == pytest.approx(waits_s)


def test_the_follower_knows_the_newest_long_stop(tmp_path: Path) -> None:
    """Shorter ones make no session act."""
    journal = tmp_path / "journal.jsonl"
    lines = ({"event": "generator.gap", "worker": 0, "from_ns": start, "to_ns": start + length}
             for start, length in ((0, 260_000_000), (10**9, 250_000_000), (2 * 10**9, 249_000_000)))  # fmt: skip
    journal.write_text("".join(json.dumps({"at": "", "ns": 0, **line}) + "\n" for line in lines))
    follower = Follower(journal)
    follower.catch_up()
    assert follower.long_stop_ended_ns == 1_250_000_000

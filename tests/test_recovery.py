"""recover: what a killed runner has left is ended and cleared; a living run is never touched."""

from __future__ import annotations

import fcntl
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.record import read_events
from drills.recovery import recover_all, run_folders
from drills.stage.children import Child, marked, spawn


class Runs:
    """Folders of runs as a runner leaves them, each with a process that carries its mark."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.children: list[Child] = []

    def made(self, name: str, *, note: bool = False) -> tuple[Path, Child]:
        """A run with a living process, its lock free."""
        folder = self.out / "2026-11" / "calm" / name
        (folder / "undo").mkdir(parents=True)
        (folder / "lock").touch()
        (folder / "journal.jsonl").write_text('{"at": "a", "ns": 1, "event": "run.started"}\n')
        if note:
            (folder / "undo" / "001-drain-relay_a.json").write_text("{}")
        child = spawn("left", ["/bin/sleep", "30"], {}, folder)
        self.children.append(child)
        return folder, child


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    """A reports folder with a space in its name; every process in it is ended afterwards."""
    runs = Runs(tmp_path / "my reports")
    yield runs
    for child in runs.children:
        child.kill()


def test_a_dead_run_is_swept_and_its_undo_records_cleared(runs: Runs) -> None:
    """And its journal says so."""
    folder, child = runs.made("dead", note=True)
    (row,) = recover_all(runs.out)
    assert row == {
        "run": str(folder), "processes": 1, "removed": [], "undone": ["001-drain-relay_a"], "problem": "",
    }  # fmt: skip
    assert child.process.wait(5.0) == -signal.SIGKILL
    assert list((folder / "undo").iterdir()) == []
    assert [event.name for event in read_events(folder / "journal.jsonl")] == ["run.started", "run.recovered"]


def test_a_living_run_is_not_touched(runs: Runs) -> None:
    """Its lock is held: neither its processes nor its notes are anybody else's."""
    living, survivor = runs.made("living", note=True)
    dead, left = runs.made("dead")
    with (living / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (row,) = recover_all(runs.out)
    assert row["run"] == str(dead)
    assert left.process.wait(5.0) == -signal.SIGKILL
    assert survivor.process.poll() is None
    assert len(list((living / "undo").iterdir())) == 1


def test_an_unmarked_process_is_not_touched(runs: Runs, tmp_path: Path) -> None:
    """Neither one of another folder, nor one that has taken a PID from long ago."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    stranger = spawn("stranger", ["/bin/sleep", "30"], {}, elsewhere)
    runs.children.append(stranger)
    runs.made("dead")
    recover_all(runs.out)
    assert stranger.process.poll() is None


def test_a_reports_folder_can_be_named_relative(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark holds a full path; `--out reports` must find it all the same."""
    folder, child = runs.made("dead", note=True)
    monkeypatch.chdir(runs.out.parent)
    (row,) = recover_all(Path("my reports"))
    assert (row["run"], row["processes"]) == (str(folder), 1)
    assert child.process.wait(5.0) == -signal.SIGKILL


def test_a_run_that_ended_well_is_no_row(runs: Runs) -> None:
    """Nothing to do is nothing to say, and nothing is written into its record."""
    folder, child = runs.made("ended")
    child.kill()
    before = (folder / "journal.jsonl").read_bytes()
    assert recover_all(runs.out) == []
    assert (folder / "journal.jsonl").read_bytes() == before


def test_recovering_twice_finds_nothing_the_second_time(runs: Runs) -> None:
    """What was mended stays mended."""
    folder, _ = runs.made("dead", note=True)
    assert len(recover_all(runs.out)) == 1
    assert recover_all(runs.out) == []
    assert marked(folder) == {}


def test_half_a_line_does_not_swallow_what_recovery_writes(runs: Runs) -> None:
    """A SIGKILL can leave a line without its end."""
    folder, _ = runs.made("dead")
    with (folder / "journal.jsonl").open("a") as journal:
        journal.write('{"at": "b", "ns": 2, "eve')
    recover_all(runs.out)
    assert [event.name for event in read_events(folder / "journal.jsonl")] == ["run.started", "run.recovered"]


def test_a_run_whose_lock_vanishes_is_passed_over(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders may be removed while recovery looks at them."""
    folder, child = runs.made("removed")
    (folder / "lock").unlink()
    monkeypatch.setattr("drills.recovery.run_folders", lambda out: [folder])
    assert recover_all(runs.out) == []
    assert child.process.poll() is None


def test_folders_of_every_month_and_drill_are_found(tmp_path: Path) -> None:
    """Also those of `drills stand`, whose name begins with a dot; a reports folder that is not there has none."""
    for name in ("2026-10/calm/a", "2026-11/.standing/b", "2026-11/relay_drain/c"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "lock").touch()
    assert [path.name for path in run_folders(tmp_path)] == ["a", "b", "c"]
    assert run_folders(tmp_path / "nowhere") == []


def test_a_row_can_be_printed_as_json(runs: Runs) -> None:
    """`drills recover --json` prints what is returned."""
    runs.made("dead", note=True)
    assert json.loads(json.dumps(recover_all(runs.out)))[0]["processes"] == 1

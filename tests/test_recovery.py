"""recover: what a killed runner has left is ended and cleared; a living run is never touched."""

from __future__ import annotations

import fcntl
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills import __main__
from drills.errors import Exit
from drills.record import read_events
from drills.recovery import recover_all, run_folders, words_of
from drills.stage import leftovers
from drills.stage.children import Child, marked, spawn
from tests.stage.fake_engine import FakeEngine


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


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine in memory, and a patience that fits into a test."""
    monkeypatch.setattr(leftovers, "GONE_S", 0.05)
    return FakeEngine.installed(monkeypatch)


def with_containers(engine: FakeEngine, folder: Path) -> None:
    """What a run on the container stage leaves when its runner is killed."""
    project = leftovers.project_of(folder)
    leftovers.note(folder)
    engine.made(f"{project}-relay_a-1", project, "relay_a").paused = True
    engine.made(f"{project}-gateway-1", project, "gateway")
    engine.network(f"{project}_stage", project)
    engine.volume(f"{project}_gateway-data", project)


def test_what_a_dead_run_has_in_the_engine_is_removed(runs: Runs, engine: FakeEngine) -> None:
    """With its processes and undo records; the row, the words and the journal say what it was."""
    folder, child = runs.made("dead", note=True)
    with_containers(engine, folder)
    (row,) = recover_all(runs.out)
    assert (len(row["removed"]), row["undone"], row["processes"], row["problem"]) == (4, ["001-drain-relay_a"], 1, "")
    assert engine.everything() == set()
    assert not leftovers.noted(folder)
    assert child.process.wait(5.0) == -signal.SIGKILL
    recovered = read_events(folder / "journal.jsonl")[-1]
    assert (recovered.name, recovered["removed"]) == ("run.recovered", row["removed"])
    assert "removed 4 things from the engine" in words_of(row)
    assert recover_all(runs.out) == []


def test_a_living_runs_containers_are_not_touched(runs: Runs, engine: FakeEngine) -> None:
    """Nor is the engine asked for them."""
    folder, _ = runs.made("living")
    with_containers(engine, folder)
    with (folder / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert recover_all(runs.out) == []
    assert len(engine.everything()) == 4
    assert engine.told == []


def test_a_run_that_never_had_containers_needs_no_engine(runs: Runs, engine: FakeEngine) -> None:
    """Where there is none, drills on processes are recovered all the same."""
    engine.silent = True
    runs.made("dead")
    (row,) = recover_all(runs.out)
    assert (row["processes"], row["problem"]) == (1, "")


def test_an_engine_that_does_not_answer_is_a_problem_of_that_run_alone(runs: Runs, engine: FakeEngine) -> None:
    """Its processes are ended; its notes stay for the next time, its journal is as it was, the other run is mended."""
    folder, child = runs.made("a_dead", note=True)
    with_containers(engine, folder)
    other, _ = runs.made("b_dead", note=True)
    before = (folder / "journal.jsonl").read_bytes()
    engine.silent = True
    stuck, mended = recover_all(runs.out)
    assert (stuck["run"], mended["run"]) == (str(folder), str(other))
    assert "the engine did not remove what a run has left" in stuck["problem"]
    assert (stuck["undone"], stuck["removed"], stuck["processes"]) == ([], [], 1)
    assert mended["problem"] == ""
    assert words_of(stuck) == f"{folder}: not recovered: {stuck['problem']}"
    assert leftovers.noted(folder)
    assert [path.stem for path in (folder / "undo").iterdir()] == ["001-drain-relay_a"]
    assert (folder / "journal.jsonl").read_bytes() == before
    assert child.process.wait(5.0) == -signal.SIGKILL

    engine.silent = False
    (row,) = recover_all(runs.out)
    assert (row["run"], len(row["removed"]), row["undone"], row["problem"]) == (
        str(folder), 4, ["001-drain-relay_a"], "",
    )  # fmt: skip
    assert engine.everything() == set()


def test_something_that_will_not_go_is_named_in_the_row(runs: Runs, engine: FakeEngine) -> None:
    """And is tried again by the next `drills recover`."""
    folder, _ = runs.made("dead")
    with_containers(engine, folder)
    engine.stuck = {f"{leftovers.project_of(folder)}_gateway-data"}
    (row,) = recover_all(runs.out)
    assert f"volume {leftovers.project_of(folder)}_gateway-data" in row["problem"]
    engine.stuck = set()
    (row,) = recover_all(runs.out)
    assert row["problem"] == ""


@pytest.mark.parametrize(("silent", "code"), [(False, Exit.HELD), (True, Exit.CANNOT_RUN)])
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_recover_exits_3_while_something_is_left(
    runs: Runs, engine: FakeEngine, capsys: pytest.CaptureFixture[str], silent: bool, code: Exit, as_json: list[str]
) -> None:
    """And says of which run, in words as in JSON; a script that goes on would run over it."""
    folder, _ = runs.made("dead")
    with_containers(engine, folder)
    engine.silent = silent
    assert __main__.main(["recover", "--out", str(runs.out), *as_json]) == code
    said = capsys.readouterr().out
    if as_json:
        (row,) = json.loads(said)
        assert (row["run"], bool(row["problem"])) == (str(folder), silent)
    else:
        assert said.startswith(f"{folder}: {'not recovered' if silent else 'ended 1 processes'}")

"""The processes of a run: marked, on their own, without our locks and secrets, and ended for certain."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.errors import CannotRun
from drills.stage import children
from drills.stage.children import MARK, Child, marked, process_state, spawn, start_ticks, sweep

SLEEP = ["/bin/sleep", "30"]
STUBBORN = ["/bin/sh", "-c", 'trap "" TERM; echo deaf; exec /bin/sleep 30']


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A run's folder with a space in its name; whatever carries its mark is ended afterwards."""
    folder = tmp_path / "a run"
    folder.mkdir()
    yield folder
    for pid in marked(folder):
        os.kill(pid, signal.SIGKILL)


def started(child: Child) -> Child:
    """The child, once the kernel shows what it was started with."""
    deadline = time.monotonic() + 5.0
    while not Path(f"/proc/{child.pid}/environ").read_bytes():
        assert time.monotonic() < deadline
    return child


def reaped(child: Child) -> int:
    """The exit code of a child that was killed by somebody."""
    code = child.process.wait(5.0)
    for pipe in (child.process.stdin, child.process.stdout):
        if pipe:
            pipe.close()
    return code


def test_a_child_carries_the_mark_and_is_swept_by_it(folder: Path) -> None:
    """Also one whose handle is lost: a signal can come before it is noted."""
    child = started(spawn("one", SLEEP, {}, folder))
    assert marked(folder) == {child.pid: start_ticks(child.pid)}
    assert sweep(folder) == [child.pid]
    assert reaped(child) == -signal.SIGKILL
    assert marked(folder) == {}


def test_the_mark_is_found_by_whatever_way_the_folder_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative, and through a link."""
    child = started(spawn("one", SLEEP, {}, folder))
    (folder.parent / "link").symlink_to(folder)
    monkeypatch.chdir(folder.parent)
    assert [*marked(Path("a run"))] == [*marked(folder.parent / "link")] == [child.pid]
    sweep(Path("a run"))
    reaped(child)


def test_a_sweep_misses_nobody_who_was_just_being_started(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """For a moment the kernel shows no environment, and so no mark; it may be over between two looks."""
    child = started(spawn("one", SLEEP, {}, folder))
    looks = iter([False])  # the first look, whosesoever it is, comes too early
    monkeypatch.setattr(children, "_in_exec", lambda: [] if next(looks, True) else [child.pid])
    monkeypatch.setattr(children, "marked", lambda folder: marked(folder) if next(looks, True) else {})
    assert sweep(folder) == [child.pid]
    assert reaped(child) == -signal.SIGKILL


def test_a_sweep_touches_no_other_run(folder: Path) -> None:
    """A folder whose name begins alike is another run."""
    other = folder.with_name("a run too")
    other.mkdir()
    child = spawn("one", SLEEP, {}, other)
    assert sweep(folder) == []
    assert child.process.poll() is None
    sweep(other)
    reaped(child)


def test_a_child_is_in_a_session_of_its_own(folder: Path) -> None:
    """A terminal's Ctrl-C goes to the runner, which mends before it ends the others."""
    child = spawn("one", SLEEP, {}, folder)
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    assert child.kill() == -signal.SIGKILL


def test_a_child_inherits_no_lock(folder: Path) -> None:
    """A lock that a child held too would keep a dead run from being recovered."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        child = started(spawn("one", SLEEP, {}, folder))
    files = []
    for entry in Path(f"/proc/{child.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has just begun, and closes what it opens by itself
            files.append(os.readlink(entry))
    assert files and not any(name.endswith("lock") for name in files)
    with (folder / "lock").open("r+") as again:
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    child.kill()


def test_a_child_sees_only_what_it_is_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the operator's environment is not handed on, and no HOME is no trouble."""
    monkeypatch.setenv("OPERATORS_TOKEN", "hush")
    monkeypatch.delenv("HOME", raising=False)
    child = started(spawn("one", SLEEP, {"GIVEN": "yes"}, folder))
    names = {entry.split(b"=")[0].decode() for entry in Path(f"/proc/{child.pid}/environ").read_bytes().split(b"\0")}
    assert {"GIVEN", MARK} <= names
    assert not {"OPERATORS_TOKEN", "HOME"} & names
    child.kill()


def test_what_a_child_says_is_in_its_log(folder: Path) -> None:
    """Both its outputs, under its name, one start after another."""
    for word in ("first", "second"):
        child = spawn("talker", ["/bin/sh", "-c", f"echo {word}; echo {word} >&2"], {}, folder)
        assert reaped(child) == 0
    assert (folder / "logs" / "talker.log").read_text().split() == ["first", "first", "second", "second"]


def test_a_program_that_is_not_there_is_a_drill_that_cannot_run(folder: Path) -> None:
    """And no error of ours."""
    with pytest.raises(CannotRun, match=r"one could not be started.*/no/such/program"):
        spawn("one", ["/no/such/program"], {}, folder)


def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(folder: Path) -> None:
    """As `docker stop` does."""
    child = spawn("deaf", STUBBORN, {}, folder)
    deadline = time.monotonic() + 5.0
    while child.log.read_bytes() != b"deaf\n":
        assert time.monotonic() < deadline
    assert child.end(grace_s=0.05) == -signal.SIGKILL
    reaped(child)


def test_a_child_that_is_stopped_can_be_ended(folder: Path) -> None:
    """A paused process hears SIGTERM only when it goes on."""
    child = spawn("paused", SLEEP, {}, folder)
    child.signal(signal.SIGSTOP)
    deadline = time.monotonic() + 5.0
    while process_state(child.pid) != "T":
        assert time.monotonic() < deadline
    assert child.end(grace_s=5.0) == -signal.SIGTERM


def test_ending_what_has_ended_tells_its_code(folder: Path) -> None:
    """And signalling it is harmless."""
    child = spawn("quick", ["/bin/sh", "-c", "exit 3"], {}, folder)
    assert reaped(child) == 3
    child.signal(signal.SIGTERM)
    assert (child.end(0.1), child.kill()) == (3, 3)


def test_a_process_that_will_not_go_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait has a bound, and a witness when it runs out."""
    monkeypatch.setattr("drills.stage.children.KILLED_S", 0.01)
    child = spawn("eternal", SLEEP, {}, folder)
    with pytest.raises(CannotRun, match=rf"eternal \(pid {child.pid}, state [RS]\) is still there"):
        child.ended()
    child.process.kill()
    reaped(child)


def test_processes_that_are_gone_have_neither_state_nor_start() -> None:
    """A PID beyond all PIDs."""
    assert (start_ticks(2**22 + 1), process_state(2**22 + 1)) == (0, "")
    assert start_ticks(os.getpid()) > 0


def test_the_caller_is_never_swept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where it carries the mark itself, as a process started by a run would."""
    code = "import os; from pathlib import Path; from drills.stage.children import MARK, sweep; " \
           "print(sweep(Path(os.environ[MARK])))"  # fmt: skip
    child = spawn("sweeper", [sys.executable, "-c", code], {}, folder)
    assert reaped(child) == 0
    assert child.log.read_text() == "[]\n"


def test_a_pid_that_was_taken_by_another_process_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process found by its mark may be gone, and its number somebody else's, when it is to be killed."""
    child = spawn("innocent", SLEEP, {}, folder)
    looks = iter([{child.pid: child.start_ticks - 1}])
    monkeypatch.setattr("drills.stage.children.marked", lambda folder: next(looks, {}))
    assert sweep(folder) == []
    assert child.process.poll() is None
    child.kill()

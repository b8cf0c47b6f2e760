"""One container: whose process lives, how it ended, whether it stands still; and its log, copied once over restarts."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.errors import CannotRun
from drills.stage import container as container_module
from drills.stage.children import process_state, start_ticks
from drills.stage.container import UNKNOWN, Container, LogCopy, inspected
from tests.stage.fake_engine import FakeContainer, FakeEngine

LOG = Path("/nowhere/gateway.log")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine in memory."""
    return FakeEngine.installed(monkeypatch)


@pytest.fixture
def one(engine: FakeEngine) -> FakeContainer:
    """A container that runs, its process nobody's on this machine."""
    return engine.made("gateway", "drills-1", "gateway")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A real process, for what the kernel has to say."""
    with subprocess.Popen(["/bin/sleep", "30"]) as process:
        yield process
        process.kill()


def running(one: FakeContainer, process: subprocess.Popen[bytes]) -> Container:
    """The container, this real process in it."""
    one.pid = process.pid
    return Container.now("gateway", one.id, LOG)


def test_a_container_whose_process_lives_has_no_exit_code(
    engine: FakeEngine, one: FakeContainer, sleeper: subprocess.Popen[bytes]
) -> None:
    """The kernel is asked, and not the engine: an engine that is gone does not end its containers."""
    container = running(one, sleeper)
    engine.silent = True
    assert container.lives()
    assert container.exit_code() is None
    assert container.pid == sleeper.pid
    assert str(container) == f"container {one.id[:12]} (pid {sleeper.pid})"


def test_a_process_that_took_the_number_of_another_is_not_the_containers(
    one: FakeContainer, sleeper: subprocess.Popen[bytes]
) -> None:
    """Told apart by when the kernel started them."""
    container = running(one, sleeper)
    container.start_ticks -= 1
    one.pid, one.exit_code = 0, 3
    assert not container.lives()
    assert container.exit_code() == 3


def test_a_process_that_waits_to_be_buried_does_not_live(one: FakeContainer, sleeper: subprocess.Popen[bytes]) -> None:
    """A zombie serves nobody."""
    container = running(one, sleeper)
    os.kill(sleeper.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5.0
    while process_state(sleeper.pid) != "Z":
        assert time.monotonic() < deadline
    assert start_ticks(sleeper.pid)
    assert not container.lives()


@pytest.mark.parametrize("code", [0, 1, 137, 143])
def test_how_a_container_ended_is_the_engines_to_say(engine: FakeEngine, one: FakeContainer, code: int) -> None:
    """128 and the signal's number where one ended it."""
    container = Container.now("gateway", one.id, LOG)
    engine.end(one.id, code)
    assert container.exit_code() == code


def test_a_container_that_had_ended_before_anybody_looked_tells_its_code_at_once(
    engine: FakeEngine, one: FakeContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no process whose end the engine could still have to notice."""
    engine.end(one.id, 3)
    container = Container.now("gateway", one.id, LOG)
    monkeypatch.setattr(container_module, "NOTICED_S", 3600.0)
    assert (container.pid, container.start_ticks) == (0, 0)
    assert not container.lives()
    assert container.exit_code() == 3


def test_an_engine_that_is_slow_to_notice_is_given_a_moment(
    engine: FakeEngine, one: FakeContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel knows first; the exit code is the one that the engine notes afterwards."""
    container = Container.now("gateway", one.id, LOG)
    looks = iter(range(3))
    inspect = engine.inspect_container

    def late(identity: str) -> dict[str, object]:
        if next(looks, None) is None:
            engine.end(identity, 137)
        return inspect(identity)

    monkeypatch.setattr(engine, "inspect_container", late)
    assert container.exit_code() == 137


def test_an_engine_that_never_notices_is_not_waited_for_for_ever(
    one: FakeContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is gone all the same: an exit code that nobody knows, not None."""
    monkeypatch.setattr(container_module, "NOTICED_S", 0.03)
    assert Container.now("gateway", one.id, LOG).exit_code() == UNKNOWN


def test_an_end_that_the_restart_policy_covers_up_is_an_end(engine: FakeEngine, one: FakeContainer) -> None:
    """Another process is in its place; how the first one ended the engine does not keep."""
    container = Container.now("gateway", one.id, LOG)
    one.pid = next(engine.pids)
    assert container.exit_code() == UNKNOWN == -1
    assert Container.now("gateway", one.id, LOG).pid == one.pid != container.pid


def test_how_it_ended_is_unknown_where_the_engine_is_gone(engine: FakeEngine, one: FakeContainer) -> None:
    """And no error: that the engine is gone is said elsewhere."""
    container = Container.now("gateway", one.id, LOG)
    engine.silent = True
    assert container.exit_code() == UNKNOWN


def test_a_container_stands_still_by_the_engines_word_or_the_kernels(
    one: FakeContainer, sleeper: subprocess.Popen[bytes]
) -> None:
    """The freezer leaves a process sleeping; a signal shows as T. Both witnesses are told."""
    container = running(one, sleeper)
    still, witness = container.standing_still()
    assert not still
    assert witness.startswith(f"{container} is running, process state ")
    one.paused = True
    still, witness = container.standing_still()
    assert still
    assert "is paused" in witness
    one.paused = False
    os.kill(sleeper.pid, signal.SIGSTOP)
    deadline = time.monotonic() + 5.0
    while process_state(sleeper.pid) != "T":
        assert time.monotonic() < deadline
    assert container.standing_still() == (True, f"{container} is running, process state T")


def test_a_container_that_does_not_exist_cannot_be_told_of(engine: FakeEngine) -> None:
    """Removed behind our back."""
    with pytest.raises(CannotRun, match="did not tell of container 0123456789ab"):
        inspected("0123456789abcdef")


class Following(FakeEngine):
    """An engine whose log of a container ends whenever the container's process does."""

    def __init__(self, one: FakeContainer) -> None:
        super().__init__()
        self.containers_by_id[one.id] = one
        self.one = one
        self.shown = 0  # how often a log was asked for, and shown to its end

    def logs(self, identity: str, **how: bool) -> Iterator[bytes]:
        yield from super().logs(identity, **how)  # type: ignore[arg-type]
        self.shown += 1


def copied(log: Path, wanted: bytes) -> bytes:
    """What the log holds once it is as long as what is wanted, or after a while."""
    deadline = time.monotonic() + 5.0
    while len(found := log.read_bytes()) < len(wanted) and time.monotonic() < deadline:
        continue
    return found


@pytest.fixture
def following(monkeypatch: pytest.MonkeyPatch) -> Following:
    """A container that has printed two chunks, in an engine of its own; looks come often enough for a test."""
    monkeypatch.setattr(container_module, "AGAIN_S", 0.005)
    one = FakeContainer("relay_a-0123456789abcdef", "relay_a", {}, pid=4_200_000, logs=[b"one\ntw", b"o\n"])
    engine = Following(one)
    monkeypatch.setattr(container_module, "asked", engine.asked)
    return engine


@pytest.mark.parametrize(
    "later",
    [[b"one\ntw", b"o\n", b"three\n"], [b"one\ntwo\nthree\n"], [b"o", b"ne\n", b"two\nth", b"ree\n"]],
)
def test_what_is_printed_over_a_restart_is_copied_once(
    following: Following, tmp_path: Path, later: list[bytes]
) -> None:
    """The engine tells everything from the beginning each time, cut up as it pleases."""
    lives: list[bool] = []
    log = tmp_path / "logs" / "relay_a.log"
    copy = LogCopy(following.one.id, log, lambda: bool(lives) and lives.pop())
    assert copied(log, b"one\ntwo\n") == b"one\ntwo\n"
    following.one.logs = later
    lives.append(True)  # the next process has been started
    assert copied(log, b"one\ntwo\nthree\n") == b"one\ntwo\nthree\n"
    copy.end(5.0)
    assert log.read_bytes() == b"one\ntwo\nthree\n"


def test_a_log_is_not_asked_for_while_its_container_does_not_run(following: Following, tmp_path: Path) -> None:
    """Ten times a second is for looking, not for copying the same text again."""
    looks: list[int] = []
    copy = LogCopy(following.one.id, tmp_path / "logs" / "relay_a.log", lambda: bool(looks.append(1)))
    deadline = time.monotonic() + 5.0
    while len(looks) < 3:
        assert time.monotonic() < deadline
    assert following.shown == 1
    copy.end(5.0)


def test_last_words_that_come_between_two_looks_are_copied(following: Following, tmp_path: Path) -> None:
    """A process that was started and has ended again before anybody looked: its log says why."""
    looked: list[int] = []
    log = tmp_path / "logs" / "relay_a.log"
    copy = LogCopy(following.one.id, log, lambda: bool(looked.append(1)))
    assert copied(log, b"one\ntwo\n") == b"one\ntwo\n"
    following.one.logs = [b"one\ntwo\n", b"no such table\n"]
    copy.end(5.0)
    assert log.read_bytes() == b"one\ntwo\nno such table\n"


def test_an_engine_that_goes_away_ends_the_copying_and_nothing_else(following: Following, tmp_path: Path) -> None:
    """That it is gone is said elsewhere."""
    following.silent = True
    log = tmp_path / "logs" / "relay_a.log"
    copy = LogCopy(following.one.id, log, lambda: True)
    copy.end(5.0)
    assert log.read_bytes() == b""

"""The runner's side of the load, over a real connection: what it says, what it waits for, and how it gives up."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drills.errors import CannotRun
from drills.load import control
from drills.load.control import LocustLoad, hand_environment
from tests.fakes import FakeRunning
from tests.load.made_settings import made_settings

LONG_S = 10.0


class FakeMaster:
    """A Locust master of ours, as far as the wire goes: one connection, one JSON object a line, both ways."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heard: queue.Queue[dict[str, Any] | None] = queue.Queue()  # None: the connection has ended
        self.connection: socket.socket | None = None
        self._came = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self.connection, _ = self.listener.accept()
        except OSError:
            return
        self._came.set()
        with contextlib.suppress(OSError, ValueError), self.connection.makefile("rb") as lines:
            for line in lines:  # ends with an error where a test has closed it
                self.heard.put(json.loads(line))
        self.heard.put(None)

    def says(self, text: bytes) -> None:
        """Something on the wire, as it is."""
        assert self._came.wait(LONG_S)
        assert self.connection is not None
        self.connection.sendall(text)

    def said(self, what: str, **fields: Any) -> None:
        """One sentence."""
        self.says((json.dumps({"said": what, **fields}) + "\n").encode())

    def hears(self) -> dict[str, Any] | None:
        """The next command, or None for the end."""
        return self.heard.get(timeout=LONG_S)

    def ends(self) -> None:
        """Leave neither a thread nor a socket behind; the runner's end of the connection is closed already."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for a connection
        self._thread.join(LONG_S)
        self.listener.close()
        if self.connection:
            self.connection.close()


@pytest.fixture
def master(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMaster]:
    """A master that listens where the runner will look for it."""
    master = FakeMaster()
    monkeypatch.setattr(control, "COMMAND_PORT", master.port)
    yield master
    master.ends()


@pytest.fixture
def processes() -> list[FakeRunning]:
    """The load's processes, as the stage runs them."""
    return [FakeRunning([], name, 1000 + number) for number, name in enumerate(("locust_master", "locust_worker-0"))]


@pytest.fixture
def load(processes: list[FakeRunning]) -> LocustLoad:
    """The runner's side, on a stage that has these processes."""
    stage: Any = SimpleNamespace(load=processes)
    return LocustLoad(made_settings(control_host="127.0.0.1"), stage)


def test_what_the_story_says_reaches_the_master_in_its_order(load: LocustLoad, master: FakeMaster) -> None:
    """Start comes when the workers are there; the last word is quit, and then the connection ends."""
    with load.connected():
        master.said("workers", count=2)
        load.start()
        load.visits(2.5)
        load.leave(["an id", "another"])
        load.leave([])
        for worker in range(2):
            master.said("finished", worker=worker)
        load.finish()
    heard = [master.hears() for _ in range(7)]
    assert heard == [
        {"do": "start"}, {"do": "visits", "per_s": 2.5, "first_after_s": 0.05},
        {"do": "leave", "relay_ids": ["an id", "another"]}, {"do": "leave", "relay_ids": []},
        {"do": "finish", "promptly": False},
        {"do": "quit"}, None,
    ]  # fmt: skip


def test_nobody_is_let_in_before_the_workers_are_there(
    load: LocustLoad, master: FakeMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load that never comes to be is given up in time, and the logs are named."""
    monkeypatch.setattr(control, "READY_S", 0.2)
    with load.connected():
        master.said("something else")
        said = r"did not say 'workers' within 0\.2 s; see the logs beside .*locust_master\.log"
        with pytest.raises(CannotRun, match=said):
            load.start()
    assert master.hears() == {"do": "quit"}


def test_the_end_is_only_reached_when_every_worker_has_finished(
    load: LocustLoad, master: FakeMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two is not all: samples of the other would be missing without a word."""
    monkeypatch.setattr(control, "FINISH_S", 0.2)
    with load.connected():
        master.said("finished", worker=0)
        with pytest.raises(CannotRun, match="did not say 'finished'"):
            load.finish()


@pytest.mark.parametrize("odd", [b"no json\n", b"\n", b"\xff\xfe\n", b'{"said": "nothing that we know"}\n'])
def test_what_is_not_understood_is_passed_over(load: LocustLoad, master: FakeMaster, odd: bytes) -> None:
    """And what comes after it is heard."""
    with load.connected():
        master.says(odd)
        master.says(b'{"said": "work')  # in two pieces, as TCP may
        master.says(b'ers", "count": 2}\n')
        load.start()
        assert master.hears() == {"do": "start"}


def test_the_end_of_the_run_is_the_end_of_the_connection_whatever_led_to_it(
    load: LocustLoad, master: FakeMaster
) -> None:
    """The master takes it for the runner's death and stops."""
    with pytest.raises(ZeroDivisionError), load.connected():
        raise ZeroDivisionError
    assert [master.hears(), master.hears()] == [{"do": "quit"}, None]


@pytest.mark.parametrize("index", [0, 1])
def test_a_process_of_the_load_that_has_ended_is_named_with_its_log(
    load: LocustLoad, master: FakeMaster, processes: list[FakeRunning], index: int
) -> None:
    """While we wait for it as well: nobody waits for what cannot come."""
    ended = processes[index]
    with load.connected():
        load.check_alive()
        ended.end(1)
        for wait in (load.check_alive, lambda: load.await_said("workers", 3600.0)):
            with pytest.raises(CannotRun, match=f"{ended.name} ended with 1; see {ended.log}"):
                wait()


def test_a_load_that_dies_before_it_listens_is_not_waited_for(
    load: LocustLoad, processes: list[FakeRunning], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit code is the reason, not the silence."""
    monkeypatch.setattr(control, "READY_S", 3600.0)
    monkeypatch.setattr(control, "COMMAND_PORT", unused_port())
    processes[0].end(2)
    with pytest.raises(CannotRun, match="locust_master ended with 2"), load.connected():
        pass


def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_master_that_never_listens_is_given_up_in_time(load: LocustLoad, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its address and its log."""
    monkeypatch.setattr(control, "READY_S", 0.2)
    port = unused_port()
    monkeypatch.setattr(control, "COMMAND_PORT", port)
    began = time.monotonic()
    said = rf"does not listen at 127\.0\.0\.1:{port} after 0\.2 s: .*locust_master\.log"
    with pytest.raises(CannotRun, match=said), load.connected():
        pass
    assert time.monotonic() - began < 5.0


def test_a_master_that_listens_a_little_later_is_found(
    load: LocustLoad, master: FakeMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python takes a moment to import Locust."""
    tries: list[object] = []
    connect = socket.create_connection

    def late(address: tuple[str, int], timeout: float) -> socket.socket:
        tries.append(address)
        if len(tries) < 3:
            raise ConnectionRefusedError(111, "Connection refused")
        return connect(address, timeout)

    monkeypatch.setattr(control.socket, "create_connection", late)
    monkeypatch.setattr(control, "CONNECT_EVERY_S", 0.001)
    with load.connected():
        assert len(tries) == 3


def test_a_master_that_is_gone_cannot_be_told_anything(load: LocustLoad, master: FakeMaster) -> None:
    """An error of our own family, and the way out is not blocked by it."""
    with pytest.raises(CannotRun, match=r"the load generator is gone; see .*locust_master\.log"), load.connected():
        master.said("workers")
        load.start()
        master.hears()
        assert master.connection is not None
        master.connection.shutdown(socket.SHUT_RDWR)
        master.connection.close()
        for _ in range(1000):  # the first words after its end may still be taken by our own kernel
            load.visits(1.0)


def test_a_load_by_hand_is_one_line_of_a_shell(tmp_path: Path) -> None:
    """Which `drills stand` prints, and from which the very same settings come back."""
    settings = made_settings(run_folder=None)
    name, _, text = hand_environment(settings).partition("=")
    assert name == "DRILLS_LOAD"
    assert text == f"'{settings.to_json()}'"

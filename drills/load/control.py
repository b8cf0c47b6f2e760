"""The runner's side of the load: tells Locust's own master what the drill needs, and hears what it answers.

No Locust in here (importing it patches the process): commands and answers are lines of JSON over one connection to the
Locust master, wherever it runs. The stage starts and ends the processes.
"""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

from drills.errors import CannotRun
from drills.load.settings import COMMAND_PORT, VARIABLE, LoadSettings
from drills.stage.base import Stage

READY_S = 30.0
FINISH_S = 20.0
TELL_S = 5.0
CONNECT_EVERY_S = 0.05


class Load(Protocol):
    """What the story needs of the traffic."""

    def start(self) -> None:
        """Wait for the workers, then let everybody in."""

    def visits(self, per_s: float) -> None:
        """From now on so many visits a second."""

    def leave(self, relay_ids: list[str]) -> None:
        """Tell the sessions on these relays to take another lease; an empty list takes that back."""

    def flush(self) -> None:
        """Bring the samples of everything that was due until now to disk."""

    def check_alive(self) -> None:
        """Raises CannotRun where a process of the load has ended by itself."""


class LocustLoad:
    """Locust's master and workers, which the stage runs."""

    def __init__(self, settings: LoadSettings, stage: Stage) -> None:
        self.settings, self.stage = settings, stage
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        self._connection: socket.socket | None = None

    @contextlib.contextmanager
    def connected(self) -> Iterator[LocustLoad]:
        """A connection to the Locust master; its end tells the load that the runner is gone."""
        deadline = time.monotonic() + READY_S
        address = (self.settings.control_host, COMMAND_PORT)
        while self._connection is None:
            self.check_alive()
            try:
                self._connection = socket.create_connection(address, timeout=1.0)
            except OSError as error:
                if time.monotonic() > deadline:
                    raise CannotRun(f"the Locust master does not listen at {address[0]}:{address[1]} after "
                                    f"{READY_S:g} s: {error.strerror}; see {self._log()}") from None  # fmt: skip
                time.sleep(CONNECT_EVERY_S)
        with self._connection as connection:
            connection.settimeout(TELL_S)
            threading.Thread(target=self._listen, args=(connection.dup(),), daemon=True).start()
            try:
                yield self
            finally:
                with contextlib.suppress(CannotRun):
                    self._tell(do="quit")
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)  # ends the listening thread too

    def _log(self) -> str:
        return str(self.stage.load[0].log) if self.stage.load else "its log"

    def _listen(self, connection: socket.socket) -> None:
        connection.settimeout(None)
        with contextlib.suppress(OSError, ValueError), connection, connection.makefile("rb") as lines:
            for line in lines:
                with contextlib.suppress(ValueError):
                    self._said.put(json.loads(line))

    def _tell(self, **command: Any) -> None:
        assert self._connection
        try:
            self._connection.sendall((json.dumps(command) + "\n").encode())
        except OSError:
            raise CannotRun(f"the load generator is gone; see {self._log()}") from None

    def await_said(self, what: str, within_s: float, *, times: int = 1) -> None:
        """Wait until the Locust master has said something so many times; raises CannotRun when the time is up."""
        deadline = time.monotonic() + within_s
        heard = 0
        while heard < times:
            self.check_alive()
            try:
                said = self._said.get(timeout=min(0.2, max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                if time.monotonic() > deadline:
                    raise CannotRun(f"the load did not say {what!r} within {within_s:g} s; see the logs beside "
                                    f"{self._log()}") from None  # fmt: skip
                continue
            heard += said.get("said") == what

    def check_alive(self) -> None:
        """Raises CannotRun where a process of the load has ended by itself."""
        for process in self.stage.load:
            code = process.exit_code()
            if code is not None:
                raise CannotRun(f"{process.name} ended with {code}; see {process.log}")

    # -- what the story says -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Wait for the workers, then let everybody in."""
        self.await_said("workers", READY_S)
        self._tell(do="start")

    def visits(self, per_s: float) -> None:
        """From now on so many visits a second."""
        self._tell(do="visits", per_s=per_s, first_after_s=0.05)

    def leave(self, relay_ids: list[str]) -> None:
        """Tell the sessions on these relays to take another lease; an empty list takes that back."""
        self._tell(do="leave", relay_ids=relay_ids)

    def flush(self) -> None:
        """Bring the samples of everything that was due until now to disk; takes as long as packets take to settle."""
        self._tell(do="flush", due_before_ns=time.monotonic_ns())
        self.await_said("flushed", FINISH_S, times=self.settings.workers)

    def finish(self, *, promptly: bool = False) -> None:
        """End all sessions and write the last samples; visits and set-ups may first come to an end, or not."""
        self._tell(do="finish", promptly=promptly)
        self.await_said("finished", FINISH_S, times=self.settings.workers)


def hand_environment(settings: LoadSettings) -> str:
    """The shell line that lets a person run the same users under Locust's own web UI."""
    return f"{VARIABLE}='{settings.to_json()}'"

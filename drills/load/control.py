"""The runner's side of the load: starts Locust's own master and worker processes and tells them what the drill needs.

No Locust in here (importing it patches the process): commands and answers are lines of JSON over pipes.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from drills.errors import CannotRun
from drills.load.settings import VARIABLE, LoadSettings
from drills.stage.processes import Child, spawn

READY_S = 30.0
FINISH_S = 20.0
QUIT_S = 3.0


class Load(Protocol):
    """What the story needs of the traffic."""

    def visits(self, per_s: float) -> None:
        """From now on so many visits a second."""

    def leave(self, relay_ids: list[str]) -> None:
        """Tell the sessions on these relays to take another lease; an empty list takes that back."""


class LocustLoad:
    """Locust's master and workers as child processes of the runner."""

    def __init__(self, settings: LoadSettings, folder: Path, children: list[Child]) -> None:
        self.settings = settings
        self.folder = folder
        self.children = children
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        self._master: subprocess.Popen[bytes] | None = None

    @contextlib.contextmanager
    def standing(self) -> Iterator[LocustLoad]:
        """Start the processes; on the way out they are asked to go, then made to."""
        (self.folder / "samples").mkdir(exist_ok=True)
        environment = {VARIABLE: self.settings.to_json()}
        started: list[Child] = []
        try:
            command = [sys.executable, "-m", "drills.load.master"]
            master = spawn("locust-master", command, environment, self.folder, pipes=True)
            started.append(master)
            self._master = master.process
            threading.Thread(target=self._listen, args=(master.process,), daemon=True).start()
            for index in range(self.settings.workers):
                command = [sys.executable, "-m", "drills.load.worker", str(index)]
                started.append(spawn(f"locust-worker-{index}", command, environment, self.folder))
            self.children += started
            yield self
        finally:
            self._quit(started)

    def _quit(self, started: list[Child]) -> None:
        with contextlib.suppress(CannotRun):
            self._tell(do="quit")
        if self._master and self._master.stdin:
            with contextlib.suppress(OSError):
                self._master.stdin.close()
        with contextlib.ExitStack() as stack:  # one that does not go keeps none of the others
            if self._master and self._master.stdout:
                stack.callback(self._master.stdout.close)
            for child in reversed(started):
                stack.callback(child.end, grace_s=QUIT_S if child.name == "locust-master" else 0.5)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        with contextlib.suppress(ValueError, OSError):  # the pipe is closed under us on the way out
            for line in process.stdout:
                with contextlib.suppress(ValueError):
                    self._said.put(json.loads(line))

    def _tell(self, **command: Any) -> None:
        assert self._master and self._master.stdin
        try:
            self._master.stdin.write((json.dumps(command) + "\n").encode())
            self._master.stdin.flush()
        except (OSError, ValueError):
            raise CannotRun(f"the load generator is gone; see {self.folder / 'logs' / 'locust-master.log'}") from None

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
                    raise CannotRun(f"the load did not say {what!r} within {within_s:g} s; see "
                                    f"{self.folder / 'logs' / 'locust-worker-0.log'}") from None  # fmt: skip
                continue
            heard += said.get("said") == what

    def check_alive(self) -> None:
        """Raises CannotRun where a process of the load has ended by itself."""
        for child in self.children:
            if child.name.startswith("locust") and child.process.poll() is not None:
                raise CannotRun(f"{child.name} ended with {child.process.returncode}; see {child.log}")

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

    def finish(self) -> None:
        """End all sessions and write the last samples."""
        self._tell(do="finish")
        self.await_said("finished", FINISH_S, times=self.settings.workers)


def hand_environment(settings: LoadSettings) -> str:
    """The shell line that lets a person run the same users under Locust's own web UI."""
    return f"{VARIABLE}='{settings.to_json()}'"

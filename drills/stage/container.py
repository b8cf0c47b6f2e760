"""One container of a run: its process as this machine's kernel knows it, and its log copied into the run's folder."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drills.errors import CannotRun
from drills.stage.asking import asked
from drills.stage.children import process_state, start_ticks

UNKNOWN = -1  # the exit code of a process whose container runs again, or whose engine does not answer
NOTICED_S = 2.0  # what the engine may take to notice that a process has ended
AGAIN_S = 0.1


@dataclass(eq=False)
class Container:
    """What a container runs now; a restarted container is another one of these, under the same id."""

    name: str
    id: str
    pid: int
    start_ticks: int
    log: Path
    restarts: int = 0  # how often its restart policy has acted so far
    _code: int | None = None  # once it has ended: whoever looks again need not ask the engine

    @classmethod
    def now(cls, name: str, identity: str, log: Path) -> Container:
        """The process that the container runs at this moment (pid 0 if it has ended already).

        Raises CannotRun where that process is not one of this machine's, as far as we can see it.
        """
        found = inspected(identity)
        pid = int(found["State"]["Pid"])
        ticks = start_ticks(pid) if pid else 0
        if ticks and not _belongs(pid, identity):
            words = f"{name}: process {pid} is not that of container {identity[:12]} here"
            raise CannotRun(f"{words}: does the engine run in another PID namespace?")
        return cls(name, identity, pid, ticks, log, int(found["RestartCount"]))

    def lives(self) -> bool:
        """Whether the kernel still has this very process."""
        return bool(self.pid) and process_state(self.pid) not in ("", "Z", "X") and (
            start_ticks(self.pid) == self.start_ticks
        )  # fmt: skip

    def exit_code(self) -> int | None:
        """None while it lives; ``UNKNOWN`` where another process is in its place already, or nobody can tell."""
        if self._code is None and not self.lives():
            self._code = self._asked_code()
        return self._code

    def _asked_code(self) -> int:
        deadline = time.monotonic() + NOTICED_S
        with contextlib.suppress(CannotRun):
            while (state := inspected(self.id)["State"])["Pid"] == self.pid != 0 and time.monotonic() < deadline:
                time.sleep(0.01)
            if not state["Pid"]:
                return int(state["ExitCode"])
        return UNKNOWN

    def standing_still(self) -> tuple[bool, str]:
        """Whether the engine has frozen it, or a signal has stopped it (state T)."""
        status, kernel = inspected(self.id)["State"]["Status"], process_state(self.pid)
        return status == "paused" or kernel == "T", f"{self} is {status}, process state {kernel or 'gone'}"

    def __str__(self) -> str:
        return f"container {self.id[:12]} (pid {self.pid})"


def _belongs(pid: int, identity: str) -> bool:
    """Whether the kernel has this process in the container's control group; a process that is just gone may be."""
    try:
        return identity in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return True


def inspected(identity: str) -> dict[str, Any]:
    """What the engine says of a container; raises CannotRun where it does not answer or has none."""
    with asked(f"tell of container {identity[:12]}") as client:
        found: dict[str, Any] = client.api.inspect_container(identity)
    return found


class LogCopy:
    """A thread that copies what a container prints into a file as it comes, over restarts, until told to end."""

    def __init__(self, identity: str, log: Path, lives: Callable[[], bool]) -> None:
        self.identity, self.log, self.lives = identity, log, lives
        self._end = threading.Event()
        self._copied = 0
        log.parent.mkdir(exist_ok=True)
        log.touch()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self, within_s: float) -> None:
        """Copy what is left and stop; called when the container's process has ended."""
        self._end.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        with self.log.open("ab", buffering=0) as output:
            while not self._end.is_set():
                with contextlib.suppress(CannotRun):  # the engine may be restarting: what was missed comes then
                    self._copy(output)
                while not self._end.wait(AGAIN_S) and not self._lives():
                    continue
            with contextlib.suppress(CannotRun):
                self._copy(output)  # what was printed between two looks

    def _lives(self) -> bool:
        try:
            return self.lives()
        except CannotRun:
            return False

    def _copy(self, output: Any) -> None:
        """Everything that was not copied yet, until the container's process ends; the engine keeps all of it."""
        skip = self._copied
        with asked("show a log") as client:
            for chunk in client.api.logs(self.identity, stdout=True, stderr=True, stream=True, follow=True):
                fresh = chunk[skip:]
                skip = max(0, skip - len(chunk))
                output.write(fresh)
                self._copied += len(fresh)

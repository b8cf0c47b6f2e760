"""The processes of a run: started with its mark, told apart from others by it, and never left behind.

Children run in sessions of their own, so that a terminal's Ctrl-C reaches the runner first, and carry the run's folder
in their environment (``DRILLS_RUN_FOLDER``): that is how ``drills recover`` finds what a killed runner has left,
without trusting a PID. They inherit no file of ours, so that a run's locks die with the runner.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from drills.errors import CannotRun

REPOSITORY = Path(__file__).resolve().parents[2]
MARK = "DRILLS_RUN_FOLDER"
KILLED_S = 5.0  # what the kernel may take to end a killed process
SWEEP_EVERY_S = 0.01


@dataclass
class Child:
    """A process of ours: its handle, its log, and when the kernel started it (clock ticks since boot)."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    start_ticks: int

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def exit_code(self) -> int | None:
        """None while it lives."""
        return self.process.poll()

    def standing_still(self) -> tuple[bool, str]:
        """Whether the kernel says that it was stopped by a signal (state T)."""
        state = process_state(self.pid)
        return state == "T", f"process state {state or 'gone'}"

    def __str__(self) -> str:
        return f"pid {self.pid}"

    def signal(self, number: int) -> None:
        """Send a signal to it, if it still is the process that we started."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def end(self, grace_s: float) -> int:
        """SIGTERM, and after the grace time SIGKILL; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.ended()

    def kill(self) -> int:
        """SIGKILL; returns the exit code."""
        if self.process.poll() is None:
            self.process.kill()
        return self.ended()

    def ended(self) -> int:
        """The exit code of a process that was told to go; raises CannotRun if it is still there."""
        try:
            return self.process.wait(KILLED_S)
        except subprocess.TimeoutExpired:
            seen = f"{self.name} (pid {self.pid}, state {process_state(self.pid)})"
            raise CannotRun(f"{seen} is still there {KILLED_S:g} s after SIGKILL") from None


def spawn(
    name: str, command: list[str], environment: Mapping[str, str], folder: Path, *, cwd: Path | None = None
) -> Child:  # fmt: skip
    """Start a process of the run: its own session, its log in ``logs/``, the run's mark in its environment.

    Raises CannotRun where the program cannot be started. A signal that comes before this returns leaves a process
    that nobody has noted: whoever calls this must sweep the folder on the way out.
    """
    log = folder / "logs" / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    base = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    full = {**base, "PYTHONPATH": str(REPOSITORY), **environment, MARK: str(folder)}
    with log.open("ab") as output:
        try:
            process = subprocess.Popen(
                command, env=full, cwd=cwd or folder, start_new_session=True, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output,
            )  # fmt: skip
        except OSError as error:  # no such program any more, not for this machine, no memory
            raise CannotRun(f"{name} could not be started: {error.strerror}: {command[0]}") from error
    return Child(name, process, log, start_ticks(process.pid))


def start_ticks(pid: int) -> int:
    """When the kernel started a process (field 22 of /proc/PID/stat), 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(text.rpartition(")")[2].split()[19])


def process_state(pid: int) -> str:
    """R, S, D, T (stopped), Z or empty if it is gone (/proc/PID/stat, field 3)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def marked(folder: Path) -> dict[int, int]:
    """Processes that carry this run's mark (id -> when they started, in ticks), the caller not among them.

    The mark is compared as a path, so that a run is found by whatever way its folder is named.
    """
    wanted = os.path.realpath(folder)
    found = {}
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        ticks = start_ticks(pid)  # before the environment is read: if they still agree later, it was that process's
        mark = _mark_of(pid) if pid != os.getpid() and ticks else ""
        if mark and os.path.realpath(mark) == wanted:
            found[pid] = ticks
    return found


def _mark_of(pid: int) -> str:
    """The run folder in a process's environment; empty where there is none, or where it is somebody else's."""
    return told(pid, MARK) or ""


def told(pid: int, variable: str) -> str | None:
    """What a process has in its environment, by the kernel's word; None where it has no such thing or is not ours."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    prefix = f"{variable}=".encode()
    return next((os.fsdecode(entry.removeprefix(prefix)) for entry in environment if entry.startswith(prefix)), None)


def sweep(folder: Path) -> list[int]:
    """Kill what carries the run's mark and wait until it is gone; returns the process ids.

    Only called by the run itself or once it is dead. Raises CannotRun if something will not go.
    """
    swept: set[int] = set()
    deadline = time.monotonic() + KILLED_S
    while True:
        starting, left = _in_exec(), marked(folder)  # in this order: who has just been started is missed by neither
        if not (starting or left):
            return sorted(swept)
        for pid, ticks in left.items():
            with contextlib.suppress(ProcessLookupError):
                if start_ticks(pid) == ticks:
                    os.kill(pid, signal.SIGKILL)
                    swept.add(pid)
        if time.monotonic() > deadline:
            there = sorted({*left, *starting})
            raise CannotRun(f"processes {there} of {folder} are still there {KILLED_S:g} s after SIGKILL")
        time.sleep(SWEEP_EVERY_S)


def _in_exec() -> list[int]:
    """Children of ours that are just being started: for a moment the kernel shows no environment, and so no mark."""
    found = []
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        with contextlib.suppress(OSError, IndexError):
            state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state not in "ZX" and not Path(f"/proc/{pid}/environ").read_bytes():
                found.append(pid)
    return found

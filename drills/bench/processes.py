"""Commands that a benchmark runs: each bounded, each ended, each with what it cost."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drills.errors import CannotRun

REPOSITORY = Path(__file__).resolve().parents[2]
DRILLS = [sys.executable, "-m", "drills"]
LOOK_EVERY_S = 0.005
GRACE_S = 60.0  # a run that is interrupted mends what it broke and lowers its stage
KILLED_S = 5.0
RECOVER_S = 60.0


@dataclass(frozen=True)
class Cost:
    """What a command took: wall and CPU time in s, the largest resident memory in MB, and how it ended."""

    code: int
    wall_s: float
    cpu_s: float
    rss_mb: float


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a session of its own, its words in ``log``; on the way out it is asked to go, then killed."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        ended(process)


def ended(process: subprocess.Popen[bytes], grace_s: float = GRACE_S) -> int:
    """End a command as a user would, with SIGINT, and with SIGKILL where that takes too long."""
    if process.poll() is None:
        # where SIGINT is ignored, as in the background of a shell, the command has inherited that
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        process.send_signal(signal.SIGTERM if ignored else signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(grace_s)
        process.kill()
    return process.wait(KILLED_S)


def finished(command: list[str], log: Path, within_s: float) -> Cost:
    """Run a command to its end; raises CannotRun where it takes longer than it may."""
    began = time.monotonic()
    with running(command, log) as process:
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            wall_s = time.monotonic() - began
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                return _cost(process.returncode, wall_s, usage)
            if wall_s > within_s:
                raise CannotRun(f"{' '.join(command[-4:])}: not done after {within_s:g} s; {last_words(log)}")
            time.sleep(LOOK_EVERY_S)


def _cost(code: int, wall_s: float, usage: resource.struct_rusage) -> Cost:
    # ru_maxrss is in KiB, and never below what this process itself had when it forked: it must stay small
    return Cost(code, wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def recovered(out: Path, log: Path) -> None:
    """Remove what killed runs in ``out`` have left."""
    finished([*DRILLS, "recover", "--out", str(out)], log, RECOVER_S)


def last_words(log: Path) -> str:
    """The last line that a command said."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

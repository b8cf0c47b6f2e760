"""Programs that make images: bounded in time, their output in a log, nothing of them left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from drills.errors import CannotRun
from drills.signals import CAUGHT

ENDED_S = 5.0  # what a program gets to clean up after SIGTERM
LAST_LINES = 5


def run(
    command: Sequence[str], log: Path, within_s: float, *, environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:  # fmt: skip
    """Run a program to its end; raises CannotRun with its last lines when it fails or takes too long.

    It gets a session of its own, which is killed whole when we leave early, for whatever reason.
    """
    process: subprocess.Popen[bytes] | None = None
    full = {**os.environ, **(environment or {})}
    try:
        with log.open("wb") as output, _signals_held() as before:
            process = subprocess.Popen(
                command, env=full, cwd=cwd, start_new_session=True, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, preexec_fn=lambda: _free(before),
            )  # fmt: skip
        code = process.wait(within_s)
    except subprocess.TimeoutExpired:
        raise CannotRun(f"{command[0]} did not end within {within_s:g} s{witness(log)}") from None
    except OSError as error:
        raise CannotRun(f"{command[0]} cannot be run: {error.strerror}") from error
    finally:
        if process is not None:
            _end(process)
    if code:
        raise CannotRun(f"{command[0]} ended with {code}{witness(log)}")


@contextlib.contextmanager
def _signals_held() -> Iterator[set[Any]]:
    """Between the fork and our knowing the process no signal may come; the program itself must not inherit that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _free(before: set[Any]) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of the program's session is left: asked first, then killed."""
    if process.poll() is None:
        _to_all(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ENDED_S)
    _to_all(process, signal.SIGKILL)
    process.wait()


def _to_all(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def witness(log: Path) -> str:
    """The last lines of a log, for an error."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.exists() else []
    return f" (whole log: {log})" + "".join(f"\n    {line[:200]}" for line in lines[-LAST_LINES:])

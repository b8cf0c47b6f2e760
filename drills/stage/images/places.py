"""Where images are made: the folder of layers, wheels and logs under ``.tools/images``, and the lock on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from drills.errors import CannotRun

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY / ".tools" / "images"
LAYERS = FOLDER / "layers"
WHEELS = FOLDER / "wheels"
LOGS = FOLDER / "log"
WORK = FOLDER / "work"
LOCK_WITHIN_S = 900.0  # making everything from nothing takes three minutes on two cores; another may be at it
LOCK_EVERY_S = 0.1

Say = Callable[[str], None]


@contextlib.contextmanager
def locked(say: Say) -> Iterator[None]:
    """Nobody else makes images in this folder meanwhile; the kernel frees the lock with the process.

    What a killed maker has left half done is removed first. Raises CannotRun when the wait is too long.
    """
    try:
        for folder in (LAYERS, WHEELS, LOGS):
            folder.mkdir(parents=True, exist_ok=True)
        lock = (FOLDER / "lock").open("a")
    except OSError as error:
        raise CannotRun(f"images cannot be made in {FOLDER}: {error.strerror}") from error
    with lock:
        _take(lock.fileno(), say)
        _clean()
        try:
            yield
        finally:
            _clean()


def _take(lock: int, say: Say) -> None:
    deadline = time.monotonic() + LOCK_WITHIN_S
    told = False
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                say("images: somebody else is making them here, waiting")
                told = True
        if time.monotonic() > deadline:
            raise CannotRun(f"somebody else has held {FOLDER / 'lock'} for {LOCK_WITHIN_S:g} s")
        time.sleep(LOCK_EVERY_S)


def _clean() -> None:
    """An empty folder for work in progress: nothing half made is ever found under its final name."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True, exist_ok=True)


def put(made: Path, final: Path) -> None:
    """Give something its final name, whole or not at all."""
    os.replace(made, final)

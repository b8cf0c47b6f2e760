"""The stage left standing after the last window, for a look around: until a key is pressed, or for so long at most.

By then the load has ended and nothing is watched any more: whatever is done by hand is no part of the record. A signal
ends it as a key does, and takes nothing away from the run, which is over.
"""

from __future__ import annotations

import contextlib
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from drills.errors import BadInput, CannotRun
from drills.record import Journal
from drills.signals import Signals
from drills.stage.base import Stage

MAX_S = 900.0  # a quarter of an hour, unless told otherwise
SLICE_S = 0.2
Say = Callable[[str], None]


@dataclass(frozen=True)
class LookAround:
    """How long it lasts at most, and where a key is pressed."""

    max_s: float = MAX_S
    keys: IO[str] | None = None  # stdin, where none is given

    def __post_init__(self) -> None:
        if not self._keys.isatty():
            raise BadInput("--hold: found no terminal on stdin, expected one on which a key can be pressed")

    @property
    def _keys(self) -> IO[str]:
        return self.keys or sys.stdin

    def __call__(self, stage: Stage, folder: Path, journal: Journal, signals: Signals, say: Say) -> None:
        """Say where to look, and wait; signals are held by the caller."""
        journal.write("stage.held", max_s=self.max_s)
        say_addresses(stage, folder, say)
        say(f"the stage is held: press a key to lower it; in {self.max_s:g} s it is lowered by itself")
        deadline = time.monotonic() + self.max_s
        with _single_keys(self._keys):
            while time.monotonic() < deadline and not signals.take_back():
                try:
                    stage.check_alive()
                except CannotRun as error:
                    say(f"the stage is held no longer: {error}")
                    return
                if select.select([self._keys], [], [], SLICE_S)[0]:
                    self._keys.read(1)
                    return


@contextlib.contextmanager
def _single_keys(keys: IO[str]) -> Iterator[None]:
    """Each key counts at once, without Enter; the terminal is given back as it was."""
    before = termios.tcgetattr(keys)
    tty.setcbreak(keys)
    try:
        yield
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)


def say_addresses(stage: Stage, folder: Path, say: Say) -> None:
    """Where each service of a stage is, what runs it, and its log."""
    for name, service in stage.services.items():
        say(f"{name:<10} {stage.http(name)}  {service.running}  log {folder / 'logs' / name}.log")

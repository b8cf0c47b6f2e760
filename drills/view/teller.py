"""How a command tells what it does: a view on a terminal, lines where there is none, JSON for programs, or nothing."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from drills.report.outside import harmless
from drills.stage.children import REPOSITORY

CLOSE_S = 5.0  # a view at the lowest priority on a busy machine; it has nothing to finish
SHOW_CURSOR = "\x1b[?25h"


def may_be_drawn(stream: IO[str]) -> bool:
    """Whether somebody looks at a terminal that can be drawn on: no pipe, no dumb one, no CI job."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb") and not os.environ.get("CI")


class Teller:
    """Says lines, with the time of day; ``watch`` and ``close`` are for those that draw."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream

    def __enter__(self) -> Teller:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, text: str) -> None:
        """One line."""
        self.line(f"{time.strftime('%H:%M:%S')} {harmless(text)}")  # a reason may quote a log

    def line(self, text: str) -> None:
        """One line as it is."""
        print(text, file=self._stream or sys.stdout, flush=True)

    def watch(self, folder: Path) -> None:
        """A run has begun whose record is in this folder."""

    def close(self) -> None:
        """Nothing is drawn any more: what comes now is printed by others."""


class Quiet(Teller):
    """Says nothing: only what the command ends with is printed."""

    def line(self, text: str) -> None:
        """Nothing."""


class ViewTeller(Teller):
    """Hands everything to a view in another process, and prints by itself should that end before its time."""

    def __init__(self, start: Callable[[], subprocess.Popen[str]] | None = None) -> None:
        super().__init__()
        self._start = start or _started
        self._view: subprocess.Popen[str] | None = None

    def __enter__(self) -> ViewTeller:
        self._view = self._start()
        return self

    def line(self, text: str) -> None:
        """One line above what is drawn."""
        if not self._told(say=text):
            super().line(text)

    def watch(self, folder: Path) -> None:
        """Draw this run until it is over."""
        self._told(watch=str(folder))

    def close(self) -> None:
        """The view ends and gives the terminal back; one that does not is killed, and the cursor shown for it."""
        view, self._view = self._view, None
        if view is None:
            return
        with contextlib.suppress(OSError):
            assert view.stdin
            view.stdin.close()
        try:
            view.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            view.kill()
            view.wait()
        if view.returncode != 0:
            print(SHOW_CURSOR, end="", flush=True)

    def _told(self, **command: Any) -> bool:
        if self._view is None or self._view.stdin is None:
            return False
        try:
            self._view.stdin.write(json.dumps(command) + "\n")
            self._view.stdin.flush()
        except OSError:
            self.close()
            return False
        return True


def _started() -> subprocess.Popen[str]:
    """A view with a session of its own: a terminal's Ctrl-C is the runner's affair."""
    return subprocess.Popen(
        [sys.executable, "-m", "drills.view"], stdin=subprocess.PIPE, text=True, cwd=REPOSITORY, start_new_session=True
    )


def teller_for(*, json_wanted: bool = False, quiet: bool = False, plain: bool = False) -> Teller:
    """The one that fits the options and the terminal."""
    if quiet:
        return Quiet()
    if json_wanted:
        return Teller(sys.stderr)
    return ViewTeller() if not plain and may_be_drawn(sys.stdout) else Teller()

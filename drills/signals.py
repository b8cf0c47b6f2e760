"""Ctrl-C, SIGTERM and SIGHUP as one exception, raised where it can be mended and never while mending."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from drills.errors import Interrupted

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Turns the first signal into ``Interrupted``; later ones only say that we are at it."""

    def __init__(self) -> None:
        self._held = 0
        self._pending = ""
        self.interrupted = ""

    @contextlib.contextmanager
    def caught(self) -> Iterator[Signals]:
        """Our handlers for as long as the context lasts (main thread only; elsewhere they stay as they are)."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._on_signal) for number in CAUGHT}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self.interrupted:
            print(f"{name} again: still mending, please wait", file=sys.stderr, flush=True)
            return
        self.interrupted = name
        if self._held:
            self._pending = name
            return
        raise Interrupted(name)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Signals that come now take effect when the outermost of these contexts is left without another error."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if self._pending and not self._held:
            name, self._pending = self._pending, ""
            raise Interrupted(name)

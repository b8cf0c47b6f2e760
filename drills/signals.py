"""Ctrl-C, SIGTERM and SIGHUP as one exception, raised where it can be mended and never while mending.

Only the first signal of a run is ever raised. Whoever must not be cut short on the way out can therefore simply be
called twice, the second time from an outer ``finally``: what the first signal interrupts, the second call completes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType

from drills.errors import Interrupted

STDERR = 2
CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Turns the first signal into ``Interrupted``; later ones only say that we are at it."""

    def __init__(self) -> None:
        self._held = 0
        self._pending = ""
        self.interrupted = ""

    @contextlib.contextmanager
    def caught(self) -> Iterator[Signals]:
        """Our handlers for as long as the context lasts (main thread only; elsewhere they stay as they are).

        A signal that was ignored stays ignored: that is how ``nohup`` asks to be left alone.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.getsignal(number) for number in CAUGHT}
        ours = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
        try:
            for number in ours:
                signal.signal(number, self._on_signal)
            yield self
        finally:
            for number in ours:
                signal.signal(number, before[number])

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self.interrupted:
            # not print: its buffer may be in the middle of a write, and the terminal may be gone
            with contextlib.suppress(OSError):
                os.write(STDERR, f"{name} again: still mending, please wait\n".encode())
            return
        self.interrupted = name
        if self._held:
            self._pending = name
            return
        raise Interrupted(name)

    def take_back(self) -> str:
        """The name of a signal that came while signals were held, which then counts for nothing; empty without one.

        For whoever waits for nothing but to be told to go on.
        """
        name, self._pending = self._pending, ""
        if name:
            self.interrupted = ""
        return name

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


class FirstErrorStays:
    """Around mending: whatever goes wrong in it is noted, and raised only where no error was on its way before.

    ``first`` is the error that led to the mending, None if all went well so far.
    """

    def __init__(self, first: BaseException | None, note: Callable[[BaseException], None]) -> None:
        self.first, self.note = first, note

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if error is None:
            return False
        self.note(error)
        return self.first is not None

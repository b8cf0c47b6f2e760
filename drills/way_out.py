"""The way out of a run: everything that was set up is taken down, whatever happens meanwhile.

Entered twice (``with closing, closing:``): only the first signal of a run is ever raised, so what it interrupts the
second time completes (see ``drills/signals.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType

from drills.signals import FirstErrorStays, Signals


class Closing:
    """Closes a stack with signals held; the first error stays the one that is raised, later ones are noted."""

    def __init__(self, stack: ExitStack, signals: Signals, note: Callable[[BaseException], None]) -> None:
        self.stack, self.signals, self.note = stack, signals, note

    def __enter__(self) -> Closing:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with FirstErrorStays(error, self.note), self.signals.held():
            self.stack.close()

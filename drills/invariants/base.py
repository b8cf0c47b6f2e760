"""What an invariant is: something that must be true of a whole run, whatever the drill promises besides.

Each is checked over the whole record, and comes to one of three: it holds, it is violated, or it is unknown. Unknown is
no half-way house between the two: nothing was looked at, or what was looked at is not certain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from drills.record import Record

WITNESSES_MAX = 5


class Standing(StrEnum):
    """What can become of an invariant."""

    HOLDS = "holds"
    VIOLATED = "violated"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Checked:
    """How an invariant stands over a record, and by what evidence."""

    outcome: Standing
    reason: str
    looked_at: int = 0  # how many things could have violated it
    witnesses: tuple[str, ...] = ()  # each a row or an event that anybody can look up in the record


@dataclass(frozen=True)
class Invariant:
    """One row of the table of invariants."""

    name: str
    promise: str  # as a sentence
    check: Callable[[Record], Checked]


def holds(looked_at: int, reason: str) -> Checked:
    """It was looked at so often and never violated."""
    return Checked(Standing.HOLDS, reason, looked_at)


def violated(looked_at: int, reason: str, witnesses: list[str]) -> Checked:
    """It was violated, and these are the first witnesses."""
    return Checked(Standing.VIOLATED, reason, looked_at, tuple(witnesses[:WITNESSES_MAX]))


def unknown(reason: str, looked_at: int = 0) -> Checked:
    """Nobody can say."""
    return Checked(Standing.UNKNOWN, reason, looked_at)

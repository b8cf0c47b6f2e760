"""How long the machine kept a process waiting for a CPU, from what its witness wrote once a second (pure).

Much depends on it: what a process did late then is the machine's doing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drills.record import Event

LOOK_NS = 1_500_000_000  # a witness speaks once a second, of the second before; with some delay
# A stage process that waited for a CPU this long in one second may be late because of the machine, not by itself.
WAITED_MS_MAX = 250.0
# Records that have it say how long at most within any STALL_S (drills/probes/machine.py): many short waits, which add
# up to some 90 ms there on two busy CPUs, delay nothing; this much is a stall.
STALLED_MS_MAX, STALL_S = 120.0, 0.3
WHOLE_STALL_MS = 290.0  # so much within STALL_S is all of it: the stall may have been longer
# Who waits for most of a second, however finely the waiting is cut up, gets no work done: all of it is a stall.
SHORT_MS = 600.0


@dataclass(frozen=True)
class Wait:
    """How long a process waited for a CPU in one second; ``words`` where that was too long."""

    ms: float
    words: str
    stalled: bool = False  # the longest stall, not the sum of a second


def wait_of(second: Event, name: str) -> Wait:
    """One second of one process: its longest stall where the record has it, else all that it waited."""
    waited = float(second["waited_ms"].get(name, 0.0))
    stalled = second.get("stalled_ms")
    if stalled is None:
        return Wait(waited, f"{waited:.0f} ms in one second" if waited > WAITED_MS_MAX else "")
    worst = float(stalled.get(name, 0.0))
    words = f"{worst:.0f} ms within {STALL_S:g} s" if worst > STALLED_MS_MAX else ""
    whole = worst >= WHOLE_STALL_MS or (bool(words) and waited >= SHORT_MS)
    return Wait(max(waited, worst), words) if whole else Wait(worst, words, True)


def longest_wait_ms(waits: Sequence[Wait]) -> float:
    """The most that waiting second after second can have added to one time, and just before and after."""
    if all(wait.stalled for wait in waits):
        return max((wait.ms for wait in waits), default=0.0)  # no stretch without a CPU was longer than this
    longest = total = 0.0
    before = WAITED_MS_MAX  # what lies outside the window is not known, but no doubt of it either
    for wait, after in zip(waits, [*(later.ms for later in waits[1:]), WAITED_MS_MAX], strict=True):
        if wait.words:
            total = (total or before) + wait.ms
            longest = max(longest, total + after)
        else:
            total = 0.0
        before = wait.ms
    return longest

"""What a canary noted of one direction of one UDP path, and what that says about a stretch of time. Pure.

A canary sends numbered packets at a steady beat; a packet belongs to the moment at which it was sent. Times are
monotonic ns.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field

from drills.record import Span

EVERY_NS = 20_000_000  # a canary sends at this beat each way: with several paths, two hundred packets a second


@dataclass
class Notes:
    """One direction: when each packet was sent (0: it was not), and every arrival. Grows at its end only."""

    sent_ns: list[int] = field(default_factory=list)
    arrivals: list[tuple[int, int, bool]] = field(default_factory=list)  # (number, ns, as it was sent)
    ports: list[tuple[int, int]] = field(default_factory=list)  # (ns, port) of the sender as the receiver sees it


@dataclass(frozen=True)
class Seen:
    """What became of the packets that were sent in a stretch of time."""

    sent: int
    lost: int
    doubled: int  # of which more than one copy came
    altered: int
    overtaken: int  # that came after one that was sent later
    delays_ms: tuple[float, ...]  # of each first arrival, rising
    hits_ns: tuple[int, ...]  # when each packet was sent that was lost, doubled or altered
    port: int = 0  # where the last of them came from

    def share(self, what: str) -> float:
        """The share of the packets that ``lost``, ``doubled``, ``altered`` or ``overtaken`` counts."""
        return float(getattr(self, what)) / self.sent if self.sent else math.nan

    def delay_ms(self, quantile: float = 0.5) -> float:
        """A quantile of the delays; NaN where nothing came."""
        last = len(self.delays_ms) - 1
        return self.delays_ms[min(last, round(quantile * last))] if self.delays_ms else math.nan


def seen(notes: Notes, span: Span) -> Seen:
    """The packets of one stretch; what is still on its way counts as lost, so the caller waits for it first."""
    first, last = bisect_left(notes.sent_ns, span.from_ns), bisect_left(notes.sent_ns, span.to_ns)
    copies: dict[int, int] = {}
    delays, altered = [], set()
    overtaken, highest = 0, -1
    for number, ns, whole in [*notes.arrivals]:
        if not first <= number < last:
            continue
        if number not in copies:
            delays.append((ns - notes.sent_ns[number]) / 1e6)
            overtaken += number < highest
        highest = max(highest, number)
        copies[number] = copies.get(number, 0) + 1
        if not whole:
            altered.add(number)
    hit = [number for number in range(first, last) if copies.get(number, 0) != 1 or number in altered]
    ports = [port for ns, port in notes.ports if ns < span.to_ns]
    return Seen(
        last - first, sum(number not in copies for number in range(first, last)),
        sum(count > 1 for count in copies.values()), len(altered), overtaken, tuple(sorted(delays)),
        tuple(notes.sent_ns[number] for number in hit), ports[-1] if ports else 0,
    )  # fmt: skip


def together(parts: list[Seen]) -> Seen:
    """Several directions or paths as one."""
    return Seen(
        sum(part.sent for part in parts), sum(part.lost for part in parts), sum(part.doubled for part in parts),
        sum(part.altered for part in parts), sum(part.overtaken for part in parts),
        tuple(sorted(delay for part in parts for delay in part.delays_ms)),
        tuple(sorted(ns for part in parts for ns in part.hits_ns)),
    )  # fmt: skip

"""Toxics that make packets late: latency, reorder, bandwidth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

from drills.udp_proxy.attributes import number, whole, word
from drills.udp_proxy.draws import DRAWS, Draws, threshold
from drills.udp_proxy.fates import DROP, PASS, Decide, Fate

MS = 1_000_000  # ns
MS_MAX = 60_000
PARETO_SHAPE = 3.0  # the smallest whole number with a variance
PARETO_MEDIAN = math.pow(2.0, 1.0 / PARETO_SHAPE)
PARETO_DEVIATION = math.sqrt(0.75)  # sqrt(a / ((a-1)² (a-2))) for a = 3
_normal = NormalDist()


def _uniform(u: float) -> float:
    return 2.0 * u - 1.0


def _pareto(u: float) -> float:
    return (math.pow(1.0 - u, -1.0 / PARETO_SHAPE) - PARETO_MEDIAN) / PARETO_DEVIATION


# From a number in (0, 1) to how many jitters a packet is off its latency. Every median is 0.
DISTRIBUTIONS: dict[str, Callable[[float], float]] = {
    "uniform": _uniform,
    "normal": _normal.inv_cdf,
    "pareto": _pareto,
}


@dataclass(frozen=True)
class Latency:
    """Every packet is late by ``latency`` ms, more or less by a ``jitter``.

    Jitter is the half-width of the uniform distribution (Toxiproxy's), the standard deviation of the others; the median
    is the latency in all three. Where order is kept, a packet waits for the one before it, and the median of what is
    then seen lies higher.
    """

    latency: float = number(0, MS_MAX, 0)
    jitter: float = number(0, MS_MAX, 0)
    distribution: str = word(*DISTRIBUTIONS)
    order: str = word("kept", "free")

    def decider(self, draws: Draws) -> Decide:
        """One draw a packet where there is jitter, none where there is not."""
        if not self.jitter:
            fate = Fate(delay_ns=round(self.latency * MS))
            return lambda number, size, now_ns: fate
        off, at = DISTRIBUTIONS[self.distribution], draws.at
        latency_ns, jitter_ns = self.latency * MS, self.jitter * MS

        def delayed(number: int, size: int, now_ns: int) -> Fate:
            u = ((at(number) >> 12) + 0.5) / (DRAWS >> 12)  # never 0 and never 1
            return Fate(delay_ns=max(0, round(latency_ns + jitter_ns * off(u))))

        return _in_order(delayed) if self.order == "kept" else delayed


def _in_order(decide: Decide) -> Decide:
    """The same delays, but nobody leaves before the one before him."""
    last_ns = 0

    def kept(number: int, size: int, now_ns: int) -> Fate:
        nonlocal last_ns
        fate = decide(number, size, now_ns)
        last_ns = max(last_ns, now_ns + fate.delay_ns)
        return Fate(delay_ns=last_ns - now_ns)

    return kept


@dataclass(frozen=True)
class Reorder:
    """Some packets are held back until ``depth`` others have gone past, or for ``delay`` ms where none come."""

    probability: float = number(0, 1)
    depth: int = whole(1, 1000, 1)
    delay: float = number(0, MS_MAX, 100)

    def decider(self, draws: Draws) -> Decide:
        """One draw a packet."""
        held, at = threshold(self.probability), draws.at
        fate = Fate(overtaken_by=self.depth, delay_ns=round(self.delay * MS))
        return lambda number, size, now_ns: fate if at(number) < held else PASS


@dataclass(frozen=True)
class Bandwidth:
    """A line of ``rate`` KB/s (1 KB is 1000 bytes, as Toxiproxy has it) behind a queue of ``queue`` bytes.

    What finds the queue full is dropped. Payload counts, headers do not. Each flow has a line of its own.
    """

    rate: float = number(0.001, 10_000_000)
    queue: int = whole(0, 1_000_000_000, 65_536)

    def decider(self, draws: Draws) -> Decide:
        """Without chance, but with the time: the line remembers until when it is busy."""
        byte_ns = MS / self.rate
        busy_until_ns = 0.0

        def decide(number: int, size: int, now_ns: int) -> Fate:
            nonlocal busy_until_ns
            waiting_ns = max(0.0, busy_until_ns - now_ns)
            if waiting_ns and waiting_ns / byte_ns + size > self.queue:
                return DROP
            busy_until_ns = now_ns + waiting_ns + size * byte_ns
            return Fate(delay_ns=round(waiting_ns + size * byte_ns))

        return decide

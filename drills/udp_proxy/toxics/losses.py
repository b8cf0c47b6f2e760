"""Toxics that take packets away: loss, bursty_loss, blackhole, mtu."""

from __future__ import annotations

from dataclasses import dataclass

from drills.udp_proxy.attributes import Refused, number, whole
from drills.udp_proxy.draws import BLOCK_BITS, INSIDE, NUMBER_MASK, Draws, threshold
from drills.udp_proxy.fates import DROP, PASS, Decide, Fate

HALF_BITS = 32
LOW_HALF = (1 << HALF_BITS) - 1
HEADERS_BYTES = 28  # IPv4 without options and UDP (RFC 791, RFC 768)
WALK_MAX = 100_000  # packets that a state is searched back for; with p + r at the bound never needed (e^-100)


@dataclass(frozen=True)
class Loss:
    """Each packet is lost with the same probability, whatever became of the one before."""

    probability: float = number(0, 1)

    def decider(self, draws: Draws) -> Decide:
        """One draw a packet, decided a block at a time: this is asked for every packet there is."""
        lost = threshold(self.probability)
        known: int | None = None  # whose fates these are
        fates: list[Fate] = []

        def decide(number: int, size: int, now_ns: int) -> Fate:
            nonlocal fates, known
            block = number >> BLOCK_BITS
            if block != known:
                fates, known = [DROP if draw < lost else PASS for draw in draws.block(block)], block
            return fates[number & INSIDE]

        return decide


@dataclass(frozen=True)
class BurstyLoss:
    """Gilbert-Elliott: a good and a bad state, each with a loss of its own.

    Before each packet the state changes from good to bad with ``p`` and back with ``r``: bad spells last 1/r packets in
    the mean, and p/(p+r) of all packets meet one.
    """

    p: float = number(1e-6, 1)
    r: float = number(1e-3, 1)
    loss_good: float = number(0, 1, 0.0)
    loss_bad: float = number(0, 1, 1.0)

    def __post_init__(self) -> None:
        if self.p + self.r > 1.999:
            raise Refused(f"attributes: found p + r = {self.p + self.r:g}, expected at most 1.999: no state would last")

    def decider(self, draws: Draws) -> Decide:
        """The draw's high half moves the state, its low half decides the loss in it."""
        chain, at = _Chain(self.p, self.r, draws), draws.at
        lost_good, lost_bad = threshold(self.loss_good, HALF_BITS), threshold(self.loss_bad, HALF_BITS)

        def decide(number: int, size: int, now_ns: int) -> Fate:
            lost = lost_bad if chain.bad_at(number & NUMBER_MASK) else lost_good  # a copy meets its original's state
            return DROP if at(number) & LOW_HALF < lost else PASS

        return decide


class _Chain:
    """The state at any packet, as a function of the draws alone.

    A draw below both thresholds makes the state bad whatever it was, one above both makes it good. Going back to the
    nearest such draw gives the state of a chain that has run for ever (coupling from the past, Propp and Wilson 1996):
    stationary from the first packet, and the same whenever the toxic was put on and in whatever order it is asked.
    """

    def __init__(self, p: float, r: float, draws: Draws) -> None:
        self._turns_bad, self._stays_bad = threshold(p, HALF_BITS), threshold(1.0 - r, HALF_BITS)
        self._surely_bad, self._surely_good = sorted((self._turns_bad, self._stays_bad))
        self._draws = draws
        self._last, self._bad = -2, False

    def bad_at(self, number: int) -> bool:
        """Whether the packet of this number meets the bad state."""
        if number == self._last + 1:
            self._bad = self._moved(self._bad, number)
        elif number != self._last:
            self._bad = self._searched(number)
        self._last = number
        return self._bad

    def _moved(self, bad: bool, number: int) -> bool:
        return self._draws.at(number) >> HALF_BITS < (self._stays_bad if bad else self._turns_bad)

    def _searched(self, number: int) -> bool:
        start = number
        while number - start < WALK_MAX and self._surely_bad <= self._draws.at(start) >> HALF_BITS < self._surely_good:
            start -= 1
        bad = self._moved(False, start)
        for later in range(start + 1, number + 1):
            bad = self._moved(bad, later)
        return bad


@dataclass(frozen=True)
class Blackhole:
    """Nothing comes through."""

    def decider(self, draws: Draws) -> Decide:
        """Without chance."""
        return lambda number, size, now_ns: DROP


@dataclass(frozen=True)
class Mtu:
    """Datagrams that would not fit into one IPv4 packet of ``mtu`` bytes are dropped, without a word."""

    mtu: int = whole(HEADERS_BYTES, 65535)

    def decider(self, draws: Draws) -> Decide:
        """Without chance."""
        payload_max = self.mtu - HEADERS_BYTES
        return lambda number, size, now_ns: DROP if size > payload_max else PASS

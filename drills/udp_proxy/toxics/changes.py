"""Toxics that change what is sent, or from where: duplicate, corrupt, rebind."""

from __future__ import annotations

from dataclasses import dataclass

from drills.udp_proxy.attributes import number, whole
from drills.udp_proxy.draws import Draws, threshold
from drills.udp_proxy.fates import PASS, REBIND, Decide, Fate


@dataclass(frozen=True)
class Duplicate:
    """Some packets come again, right behind themselves; copies have fates of their own at the toxics behind."""

    probability: float = number(0, 1)
    copies: int = whole(1, 10, 1)

    def decider(self, draws: Draws) -> Decide:
        """One draw a packet."""
        doubled, at, fate = threshold(self.probability), draws.at, Fate(copies=self.copies)
        return lambda number, size, now_ns: fate if at(number) < doubled else PASS


@dataclass(frozen=True)
class Corrupt:
    """Some packets have ``bits`` bits of payload flipped; the UDP checksum is made anew, only the payload tells."""

    probability: float = number(0, 1)
    bits: int = whole(1, 64, 1)

    def decider(self, draws: Draws) -> Decide:
        """One draw a packet for whether, and as many as are needed for where."""
        hit, at, places = threshold(self.probability), draws.at, draws.lane("places")

        def decide(number: int, size: int, now_ns: int) -> Fate:
            return Fate(flipped=_places(places.lane(str(number)), size, self.bits)) if at(number) < hit else PASS

        return decide


def _places(draws: Draws, size: int, bits: int) -> tuple[int, ...]:
    """Different places of bits in a payload of so many bytes; all where it has no more."""
    found: set[int] = set()
    drawn = 0
    while len(found) < min(bits, 8 * size):
        found.add(draws.at(drawn) % (8 * size))
        drawn += 1
    return tuple(sorted(found))


@dataclass(frozen=True)
class Rebind:
    """The flow gets a new source port towards the upstream, as behind a NAT that forgot it.

    Once, at the first packet after the toxic was put on, or before every ``every``-th packet. A flow that begins later
    has a new port anyway. What the upstream sends to the old port goes nowhere, without a word.
    """

    every: int = whole(0, 1_000_000_000, 0)

    def decider(self, draws: Draws) -> Decide:
        """Without chance."""
        every, done = self.every, False

        def decide(number: int, size: int, now_ns: int) -> Fate:
            nonlocal done
            if every:
                return REBIND if number and number % every == 0 else PASS
            due, done = not done and number > 0, True
            return REBIND if due else PASS

        return decide

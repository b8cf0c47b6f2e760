"""How the tests ask a toxic: many packets, no sockets, no time."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from drills.udp_proxy.draws import Draws
from drills.udp_proxy.fates import Decide, Fate
from drills.udp_proxy.toxics.table import Attributes

SEEDS = range(10)
PACKETS = 100_000  # what independent and bursty loss are measured over
FEWER = 20_000  # and the rest


def asked(attributes: Attributes, seed: int, flow: int = 0) -> Decide:
    """A decider as a link makes one."""
    return attributes.decider(Draws(seed, "path", flow, "toxic", "upstream"))


def fates(attributes: Attributes, seed: int, packets: int = PACKETS, size: int = 200) -> Iterator[Fate]:
    """What becomes of so many packets that all arrive at once."""
    decide = asked(attributes, seed)
    return (decide(number, size, 0) for number in range(packets))


def lost(attributes: Attributes, seed: int, packets: int = PACKETS) -> list[bool]:
    """Which packets are lost."""
    return [fate.dropped for fate in fates(attributes, seed, packets)]


def as_asked(count: int, packets: int, probability: float) -> bool:
    """Whether so many of so many packets are what a probability promises, within four standard deviations."""
    return abs(count - packets * probability) <= 4 * sqrt(packets * probability * (1 - probability))


def runs(flags: list[bool]) -> list[int]:
    """Lengths of the unbroken stretches of true."""
    found, length = [], 0
    for flag in [*flags, False]:
        if flag:
            length += 1
        elif length:
            found.append(length)
            length = 0
    return found

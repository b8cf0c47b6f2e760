"""What a toxic decides for one packet: data, acted on by the link."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Fate(NamedTuple):
    """What becomes of a packet at one toxic; where nothing is said it goes on at once, as it is."""

    dropped: bool = False
    delay_ns: int = 0  # it goes on after so long …
    overtaken_by: int = 0  # … or as soon as so many packets have gone past it, whichever comes first
    copies: int = 0  # so many more of it go on right behind it
    flipped: tuple[int, ...] = ()  # the places of bits that are flipped
    rebound: bool = False  # from here on this flow has a new source port towards the upstream


PASS = Fate()
DROP = Fate(dropped=True)
REBIND = Fate(rebound=True)

# (packet number within flow and direction, size in bytes, now in ns) → what becomes of it. Deciders have no clock, no
# sockets and no chance but their Draws.
Decide = Callable[[int, int, int], Fate]

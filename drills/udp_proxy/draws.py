"""Chance that can be asked twice: a draw is a pure function of who asks and of the packet's number.

Counter-based: SHAKE-128 of the asker's key and the number's block gives 64 draws at a time, so that one draw costs less
than a microsecond and any number can be asked for in any order, also one before the first.
"""

from __future__ import annotations

import hashlib

BITS = 64
DRAWS = 1 << BITS  # a draw lies in [0, DRAWS)
BLOCK_BITS = 6
COPY_SHIFT = 40  # a copy of packet n draws as number n + (copy << 40); a flow has fewer packets than that
NUMBER_MASK = (1 << COPY_SHIFT) - 1
INSIDE = (1 << BLOCK_BITS) - 1
_BLOCK_BYTES = (BITS // 8) << BLOCK_BITS


class Draws:
    """The draws of one asker, named by anything that prints the same in every run, such as seed, proxy and toxic."""

    __slots__ = ("_block", "_block_number", "_key")

    def __init__(self, *asker: str | int) -> None:
        self._key = repr(asker)
        self._block_number: int | None = None
        self._block = memoryview(b"")

    def at(self, number: int) -> int:
        """The draw for a number, of ``DRAWS`` equally likely ones; numbers may be negative."""
        block = number >> BLOCK_BITS
        if block != self._block_number:
            self._block, self._block_number = self.block(block), block
        return self._block[number & INSIDE]

    def block(self, block: int) -> memoryview:
        """The draws of a whole block: of the numbers from ``block << BLOCK_BITS`` on."""
        digest = hashlib.shake_128(f"{self._key}/{block}".encode()).digest(_BLOCK_BYTES)
        return memoryview(digest).cast("Q")

    def lane(self, name: str) -> Draws:
        """Other draws of the same asker, independent of these."""
        return Draws(self._key, name)


def threshold(probability: float, bits: int = BITS) -> int:
    """What a draw of so many bits lies below with this probability: never for 0.0, always for 1.0."""
    return round(probability * (1 << bits))

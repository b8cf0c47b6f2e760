"""The replay window of one sender: each sequence number passes once, and only while it is recent.

Numbers are compared as plain integers, so nothing wraps near 2^64 (D-17). A jump of more than 2^20 is refused:
no sender skips that many packets within a session's idle time, and one stray number, a flipped bit say, must not
push the window so far that the honest numbers behind it never pass again.
"""

from __future__ import annotations

WIDTH = 128  # contract §4.6
JUMP_MAX = 1 << 20  # 60 s of idle time at 17,000 packets/s
_MASK = (1 << WIDTH) - 1


class ReplayWindow:
    """The highest number seen and which of the 128 up to it have passed."""

    __slots__ = ("_highest", "_lets_repeat", "_seen", "_width")

    def __init__(self, width: int = WIDTH, lets_repeat: bool = False) -> None:
        """A window of the contract's width; another one, and numbers that may come again, only by a defect."""
        self._width, self._lets_repeat = width, lets_repeat
        self._highest = -1  # nothing yet: the first number, whatever it is, is accepted
        self._seen = 0  # bit n: highest − n has passed

    @property
    def is_fresh(self) -> bool:
        """Whether nothing has passed yet."""
        return self._highest < 0

    def accepts(self, sequence: int) -> bool:
        """Whether this number passes; if it does, it is used up."""
        ahead = sequence - self._highest
        if ahead > 0:
            if self._highest < 0:
                self._seen = 1
            elif ahead > JUMP_MAX:
                return False
            else:
                self._seen = (self._seen << ahead | 1) & _MASK if ahead < WIDTH else 1
            self._highest = sequence
            return True
        bit = 1 << -ahead
        if ahead <= -self._width:
            return False
        if self._seen & bit:
            return self._lets_repeat
        self._seen |= bit
        return True

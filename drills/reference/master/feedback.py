"""Which sessions were lent on which relay, so that only those who had one can rate it (intended; D-29).

A session id is known to its two ends only, so it stands in for the signature, which nobody defines or checks.
"""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

SESSIONS_KEPT = 10_000  # the newest; feedback on older ones is ignored
RATINGS_PER_SESSION = 2  # one for each end
GOOD_ABOVE = 50  # of 255 (contract §2.7)


class Sessions:
    """The newest sessions, each with its relay and the ratings it may still give."""

    def __init__(self) -> None:
        self._open: OrderedDict[UUID, tuple[str, int]] = OrderedDict()

    def opened(self, session: UUID, relay_id: str) -> None:
        """A session was lent on this relay."""
        self._open[session] = (relay_id, RATINGS_PER_SESSION)
        while len(self._open) > SESSIONS_KEPT:
            self._open.popitem(last=False)

    def take_rating(self, session: UUID, relay_id: str) -> bool:
        """Use up one rating of this session for this relay; False if it has none."""
        known, left = self._open.get(session, ("", 0))
        if known != relay_id or left <= 0:
            return False
        self._open[session] = (known, left - 1)
        return True

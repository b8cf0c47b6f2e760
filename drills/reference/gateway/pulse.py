"""Whether a socket's peer is still there (intended; D15), with the time as an argument.

A peer unheard for ``ping_s`` is pinged; one that then stays silent for ``pong_s`` is gone. Wavry never pings, so
that a half-open peer holds its place for ever. Waking late (a stopped or starved gateway) is our own fault and
never the peer's: an outstanding ping is then forgotten and sent again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Act(Enum):
    """What to do about a peer now."""

    WAIT = "wait"
    PING = "ping"
    DROP = "drop"


@dataclass
class Pulse:
    """One peer's signs of life, in monotonic seconds."""

    ping_s: float
    pong_s: float
    heard_at: float
    pinged_at: float | None = None
    look_at: float | None = None  # when act() asked to be called again

    def heard(self, now: float) -> None:
        """Something arrived from the peer."""
        self.heard_at = now
        self.pinged_at = None

    def act(self, now: float) -> Act:
        """What to do now; afterwards ``look_at`` says when to ask again."""
        if self.look_at is not None and now - self.look_at > self.pong_s / 2:
            self.pinged_at = None
        if self.pinged_at is not None and now - self.pinged_at >= self.pong_s:
            return Act.DROP
        if self.pinged_at is None and now - self.heard_at >= self.ping_s:
            self.pinged_at = now
            self.look_at = now + min(self.ping_s, self.pong_s)
            return Act.PING
        self.look_at = self.pinged_at + self.pong_s if self.pinged_at is not None else self.heard_at + self.ping_s
        return Act.WAIT

"""The reference's timers: Wavry's numbers, all divided by one setting so that drills can run fast.

``DRILLS_TIME_DIVISOR`` (default 1; ``--pace fast`` sets 10) divides heartbeat, back-off, stale, sweep,
purge, idle, cleanup and session-lease times. Token times, limiter windows, lockouts and send rates are
never divided (design §6, Pace).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

DIVISOR_VARIABLE = "DRILLS_TIME_DIVISOR"


@dataclass(frozen=True)
class Timers:
    """All in seconds. Sources: contract-master-relay.md §6 and docs/contract.md for the intended ones."""

    divisor: float = 1.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Timers:
        """The timers a service was started with; an unreadable or non-positive divisor raises ValueError."""
        divisor = float(environment.get(DIVISOR_VARIABLE, "1"))
        if not divisor > 0:
            raise ValueError(f"{DIVISOR_VARIABLE} must be above 0, found {divisor}")
        return cls(divisor)

    def scaled(self, seconds: float) -> float:
        """A time of Wavry's own (seconds at real pace) at this pace."""
        return seconds / self.divisor

    @property
    def heartbeat_s(self) -> float:
        """Period of relay heartbeats: 5 s (contract §6)."""
        return self.scaled(5.0)

    @property
    def heartbeat_timeout_s(self) -> float:
        """Time-out of one register or heartbeat call: 2 beats (intended; D-24)."""
        return 2 * self.heartbeat_s

    @property
    def selectable_age_s(self) -> float:
        """A relay silent for longer than 3 missed beats is not selectable (intended; D-08)."""
        return 3 * self.heartbeat_s

    @property
    def quarantine_age_s(self) -> float:
        """The sweeper quarantines after 120 s (contract §2.7)."""
        return self.scaled(120.0)

    @property
    def purge_age_s(self) -> float:
        """The sweeper removes after 600 s (contract §2.7)."""
        return self.scaled(600.0)

    @property
    def sweep_s(self) -> float:
        """Period of the master's sweeper: 30 s (contract §2.7)."""
        return self.scaled(30.0)

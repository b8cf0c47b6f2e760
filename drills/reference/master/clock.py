"""What time it is, twice: a steady clock for ages and windows, the wall clock for what is written into leases.

Only the steady one counts how long a relay was silent, so a stepped wall clock never makes a relay stale.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Moment:
    """One instant on both clocks."""

    steady_s: float
    wall: datetime

    @classmethod
    def now(cls) -> Moment:
        """The instant of the call."""
        return cls(time.monotonic(), datetime.now(UTC))

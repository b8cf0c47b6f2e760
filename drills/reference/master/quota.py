"""How many leases a name may have: 10 in any sliding 60 s (contract §2.10), never divided by the pace.

Asking and spending are two acts, because a request that gets no relay costs nothing here (intended; D-26).
"""

from __future__ import annotations

from collections import deque

LEASES = 10
WINDOW_S = 60.0


class Quota:
    """The times of the last leases of each name; names without recent ones are forgotten."""

    def __init__(self) -> None:
        self._spent: dict[str, deque[float]] = {}

    def left(self, name: str, now_s: float) -> int:
        """How many leases this name may still have now."""
        times = self._spent.get(name, deque())
        return LEASES - sum(1 for spent_s in times if now_s - spent_s < WINDOW_S)

    def spend(self, name: str, now_s: float) -> None:
        """Count one lease."""
        self._spent.setdefault(name, deque(maxlen=LEASES)).append(now_s)

    def forget(self, now_s: float) -> None:
        """Drop the names whose last lease is out of the window, so that the map stays bounded."""
        self._spent = {name: times for name, times in self._spent.items() if now_s - times[-1] < WINDOW_S}

    def __len__(self) -> int:
        return len(self._spent)

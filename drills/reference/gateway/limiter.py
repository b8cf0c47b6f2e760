"""Fixed-window limiters in memory (contract §2.5), with the time as an argument.

A window starts at a key's first request and refused requests count too. Keys are kept in the order in which their
windows started, so that making room never looks at more keys than it removes. A full table refuses only keys it
does not know (intended; D23); Wavry's refuses everybody.
"""

from __future__ import annotations

from dataclasses import dataclass

from drills.reference.gateway.settings import Rate


@dataclass
class Window:
    """One key's window: when it started (monotonic seconds) and what was counted in it."""

    started_at: float
    count: int = 0


class Limiter:
    """Counts requests by key and says which may pass."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._windows: dict[str, Window] = {}

    def passes(self, key: str, now: float) -> bool:
        """Count one request of this key at this monotonic time and say whether it is within the limit."""
        window = self._windows.get(key)
        if window is None or now - window.started_at >= self.rate.window_s:
            self._windows.pop(key, None)
            if not self._room(now):
                return False
            window = self._windows[key] = Window(now)
        window.count += 1
        return window.count <= self.rate.limit

    def _room(self, now: float) -> bool:
        """Whether one more key fits, once windows that have ended are forgotten."""
        while len(self._windows) >= self.rate.keys_max and self._windows:
            oldest = next(iter(self._windows))
            if now - self._windows[oldest].started_at < self.rate.window_s:
                break
            del self._windows[oldest]
        return len(self._windows) < self.rate.keys_max

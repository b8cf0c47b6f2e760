"""How much one address, one identity and one session may send.

Packets are limited in fixed windows of one second, which lets twice the limit through across a window's
edge, as Wavry does. Bandwidth is limited by a bucket instead of Wavry's measured window: that one passes
everything for a second and then nothing for a second (D-19). None of these times follows the pace.
"""

from __future__ import annotations

from collections.abc import Hashable

WINDOW_S = 1.0
FORGOTTEN_AFTER_S = 2.0  # an entry idle this long goes at cleanup (contract §4.3)
ADDRESSES_MAX = 1_000_000  # contract §4.3
IDENTITIES_MAX = 100_000  # contract §4.4
BURST_S = 0.25  # of the hard limit that may pass at once; at the smallest limit still 31,250 bytes


class FixedWindows:
    """At most ``limit`` in each one-second window of a key; unknown keys are refused when the table is full."""

    def __init__(self, limit: int, keys_max: int) -> None:
        self._limit = limit
        self._keys_max = keys_max
        self._windows: dict[Hashable, list[float]] = {}  # key: [start of its window, passed in it]

    def allows(self, key: Hashable, now: float) -> bool:
        """Whether one more passes; asking counts."""
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= self._keys_max:
                return False
            self._windows[key] = [now, 1]
            return True
        if now - window[0] > WINDOW_S:
            window[0] = now
            window[1] = 1
            return True
        window[1] += 1
        return window[1] <= self._limit

    def forget_idle(self, now: float) -> None:
        """Drop the entries whose window began more than two seconds ago."""
        self._windows = {key: window for key, window in self._windows.items() if now - window[0] <= FORGOTTEN_AFTER_S}

    def __len__(self) -> int:
        return len(self._windows)


class Bucket:
    """Bandwidth of one session, both directions together: a steady rate with a quarter of a second of burst."""

    __slots__ = ("_bytes", "_bytes_max", "_bytes_per_s", "_filled_at")

    def __init__(self, hard_kbps: int, now: float) -> None:
        self._filled_at = now
        self._bytes = 0.0
        self.set_limit(hard_kbps)
        self._bytes = self._bytes_max

    def set_limit(self, hard_kbps: int) -> None:
        """Another limit from now on; what is in the bucket stays, as far as it fits."""
        self._bytes_per_s = hard_kbps * 1000 / 8
        self._bytes_max = self._bytes_per_s * BURST_S
        self._bytes = min(self._bytes, self._bytes_max)

    def takes(self, size: int, now: float) -> bool:
        """Whether a datagram of this size passes; if it does, it is paid for."""
        filled = self._bytes + (now - self._filled_at) * self._bytes_per_s
        self._filled_at = now
        self._bytes = filled if filled < self._bytes_max else self._bytes_max
        if size > self._bytes:
            return False
        self._bytes -= size
        return True

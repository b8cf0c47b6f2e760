"""Relay sessions handed out on REQUEST_RELAY (contract §5.4): counted, limited and forgotten after their life.

There is no UDP relay behind them in this reference. One requester may hold 64 of them at once (intended; D21), so
that a single user cannot take all 4096 places.
"""

from __future__ import annotations

import secrets
import uuid
from collections import Counter
from dataclasses import dataclass

PER_REQUESTER_MAX = 64


@dataclass(frozen=True)
class RelaySession:
    """One session: what both ends are told, who asked for it, and when (monotonic seconds)."""

    token: str
    session_id: str
    requester: str
    opened_at: float


class RelaySessions:
    """All live relay sessions, oldest first."""

    def __init__(self, ttl_s: float, sessions_max: int) -> None:
        self.ttl_s = ttl_s
        self.sessions_max = sessions_max
        self._sessions: dict[str, RelaySession] = {}
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._sessions)

    def opened(self, requester: str, now: float) -> RelaySession | None:
        """A fresh session, or None when there is no room for it."""
        self.sweep(now)
        if len(self._sessions) >= self.sessions_max or self._held[requester] >= PER_REQUESTER_MAX:
            return None
        session = RelaySession(secrets.token_hex(32), str(uuid.uuid4()), requester, now)
        self._sessions[session.token] = session
        self._held[requester] += 1
        return session

    def sweep(self, now: float) -> None:
        """Forget the sessions whose life is over."""
        for session in list(self._sessions.values()):
            if now - session.opened_at < self.ttl_s:
                break
            del self._sessions[session.token]
            self._held[session.requester] -= 1
            if not self._held[session.requester]:
                del self._held[session.requester]

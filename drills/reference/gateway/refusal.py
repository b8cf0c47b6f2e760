"""The one exception of the HTTP routes, the 14 counters of ``/metrics/auth``, and which refusal moves which of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

RATE_LIMITED = "rate_limited"
INVALID = "validation_errors"
DENIED = "auth_failures"
DATABASE = "db_errors"
COUNTED_BY_STATUS = {400: INVALID, 401: DENIED, 409: DENIED, 429: RATE_LIMITED}


class Refused(Exception):
    """A request is answered with ``{"error":text}``; bans (403) and our own faults (500) count only where told so."""

    def __init__(self, status: int, text: str, counted_as: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.counted_as = counted_as or COUNTED_BY_STATUS.get(status)


def database_refusal(text: str = "Database error") -> Refused:
    """What a request gets when the database could not do its part."""
    return Refused(500, text, DATABASE)


@dataclass
class AuthCounters:
    """What has happened at the auth routes since the start; the order is the order of the JSON (contract §3.7)."""

    register_attempts: int = 0
    register_success: int = 0
    login_attempts: int = 0
    login_success: int = 0
    totp_setup_attempts: int = 0
    totp_setup_success: int = 0
    totp_enable_attempts: int = 0
    totp_enable_success: int = 0
    logout_attempts: int = 0
    logout_success: int = 0
    rate_limited: int = 0
    validation_errors: int = 0
    auth_failures: int = 0
    db_errors: int = 0

    @contextmanager
    def attempt(self, route: str) -> Iterator[None]:
        """Count one attempt at a route, and its success or the kind of its refusal."""
        self._add(f"{route}_attempts")
        try:
            yield
        except Refused as refusal:
            if refusal.counted_as is not None:
                self._add(refusal.counted_as)
            raise
        self._add(f"{route}_success")

    def json(self) -> dict[str, int]:
        """All counters, in order."""
        return asdict(self)

    def _add(self, name: str) -> None:
        setattr(self, name, getattr(self, name) + 1)

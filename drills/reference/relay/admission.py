"""Whether a presented token grants what it is presented for: the table of contract §4.4, in its order.

Each row that says no is a ``Refusal``: what is answered, if anything, and which counters it moves beside
``dropped_packets``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from drills.wavry import lease
from drills.wavry.lease import LeaseClaims, LeaseRefused
from drills.wavry.packets import ROLE_BYTES, Present, Reject

TOLERANCE = timedelta(seconds=30)  # contract §6; here for the library's claims too (D-20)
LIFETIME_MAX = timedelta(seconds=3600)  # contract §4.4
TOKEN_BYTES_MAX = 8192
REGISTERED_CLAIMS = ("iss", "sub", "aud", "jti", "iat", "nbf", "exp")  # PASETO wants these to be strings


@dataclass(frozen=True)
class Refusal:
    """One way to say no: the reason answered (None: silence) and the counters it moves."""

    reason: Reject | None
    counters: tuple[str, ...] = ()


INVALID = Refusal(None, ("invalid_packets",))
EMPTY_TOKEN = Refusal(Reject.INVALID_SIGNATURE, ("invalid_packets",))
UNPROVEN = Refusal(Reject.INVALID_SIGNATURE, ("auth_reject_packets",))
WRONG_RELAY = Refusal(Reject.WRONG_RELAY, ("wrong_relay_rejects",))
EXPIRED = Refusal(Reject.EXPIRED, ("auth_reject_packets", "expired_lease_rejects"))


@dataclass(frozen=True)
class Keys:
    """What leases are checked with; without a key id, the ``kid`` claim is not looked at."""

    public_key: bytes
    key_id: str | None = None


def judged(present: Present, keys: Keys, relay_id: str, unix_s: float) -> LeaseClaims | Refusal:
    """The claims of a token that grants this session and role at this relay now, or the first row that refuses it."""
    now = datetime.fromtimestamp(unix_s, UTC)
    if not present.token or len(present.token) > TOKEN_BYTES_MAX:
        return EMPTY_TOKEN
    try:
        text = present.token.decode()
    except UnicodeDecodeError:
        return INVALID
    try:
        payload = lease.verify(text, keys.public_key)
    except LeaseRefused:
        return UNPROVEN
    if not _library_would_accept(payload, now):
        return UNPROVEN
    try:
        claims = lease.decode(payload)
    except LeaseRefused:
        return INVALID
    return _refusal_of(claims, present, keys, relay_id, now) or claims


def _library_would_accept(payload: Mapping[str, Any], now: datetime) -> bool:
    """The checks of Wavry's PASETO library, with 30 s for clocks that differ (Wavry itself gives none, D-20)."""
    if any(not isinstance(payload[name], str) for name in REGISTERED_CLAIMS if name in payload):
        return False
    try:
        issued, begins, ends = (lease.parse_rfc3339(payload[name]) for name in ("iat", "nbf", "exp"))
    except (KeyError, ValueError):
        return False
    return issued <= now + TOLERANCE and begins <= now + TOLERANCE and now <= ends


def _refusal_of(claims: LeaseClaims, present: Present, keys: Keys, relay_id: str, now: datetime) -> Refusal | None:
    """The first row of the claims that says no."""
    if claims.session != present.session or not claims.subject.strip():
        return INVALID
    if claims.role not in ROLE_BYTES or claims.role != present.role:
        return UNPROVEN
    if claims.relay_id != relay_id:
        return WRONG_RELAY
    if keys.key_id is not None and claims.key_id != keys.key_id:
        return UNPROVEN
    if claims.expires_at <= now - TOLERANCE:
        return EXPIRED
    if not _is_plausible(claims, now):
        return INVALID
    return None


def _is_plausible(claims: LeaseClaims, now: datetime) -> bool:
    """Whether the effective times could be a master's; the longest lease may come from a clock 30 s ahead."""
    return (
        claims.expires_at <= now + LIFETIME_MAX + TOLERANCE
        and claims.not_before <= now + TOLERANCE
        and claims.issued_at <= now + TOLERANCE
        and claims.expires_at > claims.issued_at
    )

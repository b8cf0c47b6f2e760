"""What the admin API and the relay report read and write: bans, the audit log, overviews, reputations.

Each act and its audit row are one transaction, so that nothing is done that the log does not say.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from drills.reference.gateway import accounts, moments

Row = dict[str, object]
LISTED_TOKEN = re.compile(r"h1:[0-9a-f]{64}")
RECENT = 20
RECENT_EVENTS = 50
AUDIT_ROWS = 200


@dataclass(frozen=True)
class Actor:
    """Who does an admin act, and when; the address is kept as a hash only."""

    ip: str
    now: datetime

    @property
    def ip_hash(self) -> str:
        """The first 16 hex digits of the address's SHA-256."""
        return hashlib.sha256(self.ip.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Report:
    """One client's word on a relay it used."""

    relay_id: str
    success: bool
    bytes_sent: int
    duration_s: int


def named_token(given: str) -> str:
    """The stored token an operator means: the listed form as it is (intended; D27), a raw one hashed."""
    return given if LISTED_TOKEN.fullmatch(given) else accounts.token_hash(given)


def revoke_session(db: sqlite3.Connection, hashed: str, actor: Actor) -> bool:
    """Delete a session and log it; False when there was none."""
    revoked = accounts.revoke(db, hashed)
    outcome = "success" if revoked else "not_found"
    _log(db, actor, "revoke_session", "session", hashed.removeprefix("h1:"), outcome, None)
    return revoked


def ban(db: sqlite3.Connection, user_id: str, reason: str, hours: int | None, actor: Actor) -> bool:
    """Ban a user for so many hours, or for good, in place of any earlier ban; False when there is no such user."""
    known = db.execute("SELECT 1 FROM users WHERE id = ?", (user_id,)).fetchone() is not None
    if known:
        end = None if hours is None else moments.stored(actor.now + timedelta(hours=hours))
        db.execute(
            "INSERT OR REPLACE INTO user_bans (user_id, reason, banned_at, expires_at) VALUES (?, ?, ?, ?)",
            (user_id, reason, moments.stored(actor.now), end),
        )
    _log(db, actor, "ban_user", "user", user_id, "success" if known else "not_found", reason)
    return known


def unban(db: sqlite3.Connection, user_id: str, actor: Actor) -> None:
    """Lift a ban, whether there is one or not."""
    db.execute("DELETE FROM user_bans WHERE user_id = ?", (user_id,))
    _log(db, actor, "unban_user", "user", user_id, "success", None)


def report(db: sqlite3.Connection, given: Report, now: datetime) -> None:
    """Store a report in the relay's reputation and the usage log, both or neither."""
    good = int(given.success)
    moment = moments.stored(now)
    db.execute(
        "INSERT INTO relay_reputation (relay_id, success_count, failure_count, last_updated) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (relay_id) DO UPDATE SET success_count = success_count + excluded.success_count,"
        " failure_count = failure_count + excluded.failure_count, last_updated = excluded.last_updated",
        (given.relay_id, good, 1 - good, moment),
    )
    db.execute(
        "INSERT INTO relay_usage (relay_id, session_id, bytes_transferred, duration_secs, ended_at)"
        " VALUES (?, 'web-session', ?, ?, ?)",
        (given.relay_id, given.bytes_sent, given.duration_s, moment),
    )


def audit(db: sqlite3.Connection, rows_max: int = AUDIT_ROWS) -> list[Row]:
    """The newest audit rows, newest first."""
    return _rows(
        db,
        "SELECT id, action, target_type, target_id, outcome, actor_ip_hash, details, created_at"
        " FROM admin_audit_log ORDER BY id DESC LIMIT ?",
        rows_max,
    )


def overview(db: sqlite3.Connection, now: datetime) -> Row:
    """The admin overview of contract §3.8."""
    active = "julianday(expires_at) > julianday(?)"
    moment = moments.stored(now)
    return {
        "users_total": _count(db, "SELECT count(*) FROM users"),
        "sessions_total": _count(db, "SELECT count(*) FROM sessions"),
        "sessions_active": _count(db, f"SELECT count(*) FROM sessions WHERE {active}", moment),
        "recent_users": _recent_users(db),
        "recent_sessions": _rows(
            db,
            "SELECT s.token, s.user_id, u.email, u.username, s.expires_at, s.ip_address, s.created_at"
            " FROM sessions s JOIN users u ON u.id = s.user_id ORDER BY s.rowid DESC LIMIT ?",
            RECENT,
        ),
        "active_bans": _rows(
            db,
            "SELECT b.user_id, u.email, u.username, b.reason, b.expires_at, b.banned_at AS created_at"
            " FROM user_bans b JOIN users u ON u.id = b.user_id"
            " WHERE b.expires_at IS NULL OR julianday(b.expires_at) > julianday(?) ORDER BY b.rowid DESC",
            moment,
        ),
        "recent_admin_events": audit(db, RECENT_EVENTS),
    }


def _recent_users(db: sqlite3.Connection) -> list[Row]:
    rows = _rows(
        db,
        "SELECT id, email, username, display_name, totp_secret IS NOT NULL AS has_totp, created_at"
        " FROM users ORDER BY rowid DESC LIMIT ?",
        RECENT,
    )
    return [{**row, "has_totp": bool(row["has_totp"])} for row in rows]


def _rows(db: sqlite3.Connection, query: str, value: object) -> list[Row]:
    found = db.execute(query, (value,))
    names = [column[0] for column in found.description]
    return [{name: _shown(name, value) for name, value in zip(names, row, strict=True)} for row in found]


def _shown(name: str, value: object) -> object:
    return moments.shown(value) if name.endswith("_at") and isinstance(value, str) else value


def _count(db: sqlite3.Connection, query: str, *values: object) -> int:
    (count,) = db.execute(query, values).fetchone()
    return int(count)


def _log(
    db: sqlite3.Connection, actor: Actor, action: str, kind: str, target: str, outcome: str, details: str | None
) -> None:
    db.execute(
        "INSERT INTO admin_audit_log (action, target_type, target_id, outcome, actor_ip_hash, details, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (action, kind, target, outcome, actor.ip_hash, details, moments.stored(actor.now)),
    )

"""Users, sessions, failed logins and bans: the SQL behind the auth routes, each function inside one transaction.

Nothing here waits or knows HTTP; ``now`` is always given. Tokens are looked up by their stored form only, and a
token of a banned user finds nobody (intended; D25).
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from drills.reference.gateway import lockout, moments
from drills.reference.gateway.lockout import Failures
from drills.reference.gateway.switchboard import Holder

SESSION_LIFE = timedelta(hours=24)
FORGOTTEN_AFTER = timedelta(seconds=10)  # of the defect gateway_forgets_tokens_early


@dataclass(frozen=True)
class User:
    """One account."""

    id: str
    email: str
    username: str
    public_key: str
    display_name: str
    created_at: str
    password_hash: str = field(repr=False)
    totp_secret: str | None = field(repr=False, default=None)


@dataclass(frozen=True)
class Session:
    """A fresh session; the token is known here and to the client, only its hash is stored."""

    token: str = field(repr=False)
    user_id: str
    expires_at: str
    ip_address: str
    created_at: str


@dataclass(frozen=True)
class Ban:
    """A ban in force; no reason given is an empty one."""

    reason: str


@dataclass(frozen=True)
class LoginView:
    """All that a login has to know before the password is looked at."""

    email_failures: Failures | None
    ip_failures: Failures | None
    user: User | None
    ban: Ban | None


def token_hash(token: str) -> str:
    """The stored form of a session token."""
    return "h1:" + hashlib.sha256(token.encode()).hexdigest()


def new_user(email: str, password_hash: str, display_name: str, username: str, public_key: str, now: datetime) -> User:
    """An account as it will be stored; the time it was made has second precision (contract §4)."""
    made = moments.stored(now.replace(microsecond=0))
    return User(str(uuid.uuid4()), email, username, public_key, display_name, made, password_hash)


def new_session(user_id: str, ip: str, now: datetime, life: timedelta = SESSION_LIFE) -> Session:
    """A session of 24 h, not stored yet."""
    return Session(secrets.token_hex(32), user_id, moments.stored(now + life), ip, moments.stored(now))


def email_taken(db: sqlite3.Connection, email: str) -> bool:
    """Whether an account has this address."""
    return db.execute("SELECT 1 FROM users WHERE email = ?", (email,)).fetchone() is not None


def login_view(db: sqlite3.Connection, email: str, ip: str, now: datetime) -> LoginView:
    """What is known of an address and an IP that want to log in."""
    user = find_user(db, email)
    ban = find_ban(db, user.id, now) if user else None
    return LoginView(failures(db, f"email:{email}"), failures(db, f"ip:{ip}"), user, ban)


def find_user(db: sqlite3.Connection, email: str) -> User | None:
    """The account with this address."""
    row = db.execute(
        "SELECT id, email, username, public_key, display_name, created_at, password_hash, totp_secret"
        " FROM users WHERE email = ?",
        (email,),
    ).fetchone()
    return User(*row) if row else None


def find_ban(db: sqlite3.Connection, user_id: str, now: datetime) -> Ban | None:
    """The ban in force on a user; no end means for good."""
    row = db.execute("SELECT reason, expires_at FROM user_bans WHERE user_id = ?", (user_id,)).fetchone()
    if row is None or (row[1] is not None and moments.passed(row[1], now)):
        return None
    return Ban(row[0] or "")


def failures(db: sqlite3.Connection, identifier: str) -> Failures | None:
    """The failed logins remembered under ``email:…`` or ``ip:…``."""
    row = db.execute("SELECT count, last_failure FROM login_failures WHERE identifier = ?", (identifier,)).fetchone()
    return Failures(row[0], moments.parsed(row[1])) if row else None


def record_failure(db: sqlite3.Connection, identifiers: Iterable[str], now: datetime) -> None:
    """Remember one more failed login under each identifier."""
    for identifier in identifiers:
        after = lockout.after_failure(failures(db, identifier), now)
        db.execute(
            "INSERT OR REPLACE INTO login_failures (identifier, count, last_failure) VALUES (?, ?, ?)",
            (identifier, after.count, moments.stored(after.last)),
        )


def insert_user(db: sqlite3.Connection, user: User) -> None:
    """Store an account; sqlite3.IntegrityError when the address or the username is taken."""
    db.execute(
        "INSERT INTO users (id, email, username, public_key, display_name, created_at, password_hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            user.id,
            user.email,
            user.username,
            user.public_key,
            user.display_name,
            user.created_at,
            user.password_hash,
        ),
    )


def sign_up(db: sqlite3.Connection, user: User, session: Session) -> None:
    """Store an account with its first session; sqlite3.IntegrityError when address or username is taken."""
    insert_user(db, user)
    insert_session(db, session)


def insert_session(db: sqlite3.Connection, session: Session) -> None:
    """Store a session under the hash of its token."""
    db.execute(
        "INSERT INTO sessions (token, user_id, expires_at, ip_address, created_at) VALUES (?, ?, ?, ?, ?)",
        (token_hash(session.token), session.user_id, session.expires_at, session.ip_address, session.created_at),
    )


def log_in(db: sqlite3.Connection, email: str, session: Session) -> None:
    """Store the session of a good login and forget the failures of its address and IP."""
    identifiers = (f"email:{email}", f"ip:{session.ip_address}")
    db.execute("DELETE FROM login_failures WHERE identifier IN (?, ?)", identifiers)
    insert_session(db, session)


def enable_totp(db: sqlite3.Connection, sealed: str, session: Session) -> None:
    """Switch two-factor login on and store the session that comes with it, both or neither (intended; D31)."""
    db.execute("UPDATE users SET totp_secret = ? WHERE id = ?", (sealed, session.user_id))
    insert_session(db, session)


def holder(db: sqlite3.Connection, hashed: str, now: datetime) -> Holder | None:
    """Whom a stored token belongs to, unless it has expired or its user is banned."""
    row = db.execute(
        "SELECT users.id, users.username, sessions.expires_at FROM sessions JOIN users ON users.id = sessions.user_id"
        " WHERE sessions.token = ?",
        (hashed,),
    ).fetchone()
    if row is None or moments.passed(row[2], now) or find_ban(db, row[0], now):
        return None
    return Holder(row[0], row[1], hashed)


def dead_tokens(db: sqlite3.Connection, hashed: Iterable[str], now: datetime) -> frozenset[str]:
    """Those of these stored tokens that are good for nothing any more."""
    return frozenset(token for token in hashed if holder(db, token, now) is None)


def revoke(db: sqlite3.Connection, hashed: str) -> bool:
    """Delete a session; False when there was none."""
    return db.execute("DELETE FROM sessions WHERE token = ?", (hashed,)).rowcount > 0


def sweep(db: sqlite3.Connection, now: datetime) -> int:
    """Delete expired sessions and faded login failures; says how many sessions."""
    moment = moments.stored(now)
    faded = moments.stored(now - lockout.LOCKED_FOR)
    # julianday() reads both stored forms, text comparison does not (D3)
    db.execute("DELETE FROM login_failures WHERE julianday(last_failure) <= julianday(?)", (faded,))
    return db.execute("DELETE FROM sessions WHERE julianday(expires_at) <= julianday(?)", (moment,)).rowcount

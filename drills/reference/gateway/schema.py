"""The tables of contract §7, under Wavry's names, created together on a file that has none.

Every time in them is written in the one form of ``moments``; the defaults Wavry gives some columns are therefore
not needed. ``_sqlx_migrations`` is Wavry's own; ``schema_steps`` stands in its place here, and has one row for every
step that was ever taken, forward only: a release that finds a step it does not know refuses the database, as sqlx does
(contract-gateway §1.3; operations-facts §4.4). Step 2 is a candidate's, and is taken only with its defect.
"""

from __future__ import annotations

import sqlite3

TABLES = (
    """CREATE TABLE users (
        id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, password_hash TEXT NOT NULL, display_name TEXT NOT NULL,
        totp_secret TEXT, created_at TEXT NOT NULL, username TEXT NOT NULL, public_key TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX users_username ON users(username)",
    """CREATE TABLE sessions (
        token TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
        expires_at TEXT NOT NULL, ip_address TEXT, created_at TEXT NOT NULL)""",
    "CREATE INDEX sessions_user_id ON sessions(user_id)",
    "CREATE TABLE login_failures (identifier TEXT PRIMARY KEY, count INTEGER NOT NULL, last_failure TEXT NOT NULL)",
    """CREATE TABLE user_bans (
        user_id TEXT PRIMARY KEY REFERENCES users(id) ON DELETE CASCADE, reason TEXT, banned_at TEXT NOT NULL,
        expires_at TEXT)""",
    """CREATE TABLE relay_reputation (
        relay_id TEXT PRIMARY KEY, success_count INTEGER NOT NULL DEFAULT 0, failure_count INTEGER NOT NULL DEFAULT 0,
        avg_latency_ms REAL, last_updated TEXT NOT NULL)""",
    """CREATE TABLE relay_usage (
        id INTEGER PRIMARY KEY AUTOINCREMENT, relay_id TEXT NOT NULL REFERENCES relay_reputation(relay_id),
        session_id TEXT NOT NULL, bytes_transferred INTEGER NOT NULL, duration_secs INTEGER NOT NULL,
        ended_at TEXT NOT NULL)""",
    """CREATE TABLE admin_audit_log (
        id INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, target_type TEXT NOT NULL, target_id TEXT NOT NULL,
        outcome TEXT NOT NULL, actor_ip_hash TEXT NOT NULL, details TEXT, created_at TEXT NOT NULL)""",
)
LATEST = 1
STEPS = {
    1: (*TABLES, "CREATE TABLE schema_steps (version INTEGER PRIMARY KEY)"),
    2: ("ALTER TABLE users ADD COLUMN locale TEXT",),
}


class Newer(Exception):
    """The database has been taken further than this release knows."""


def prepare(connection: sqlite3.Connection, latest: int = LATEST) -> bool:
    """Take the steps up to ``latest`` that are missing, all or none; whether there was nothing before.

    A file that has them is left alone, so that a read-only one can still be served. Raises Newer.
    """
    if _known(connection, latest) == latest:
        return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = _known(connection, latest)  # another gateway may have taken them while this one waited for the lock
        for step in range(found + 1, latest + 1):
            for statement in STEPS[step]:
                connection.execute(statement)
            connection.execute("INSERT INTO schema_steps VALUES (?)", (step,))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return found == 0


def _known(connection: sqlite3.Connection, latest: int) -> int:
    found = version(connection)
    if found > latest:
        raise Newer(f"migration {found} was previously applied but is missing in the resolved migrations")
    return found


def version(connection: sqlite3.Connection) -> int:
    """The newest step that was taken; 0 on a file without tables."""
    if not _present(connection):
        return 0
    (newest,) = connection.execute("SELECT max(version) FROM schema_steps").fetchone()
    return int(newest)


def _present(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_steps'")
    return found.fetchone() is not None

"""The tables of contract §7, under Wavry's names, created together on a file that has none.

Every time in them is written in the one form of ``moments``; the defaults Wavry gives some columns are therefore
not needed. ``_sqlx_migrations`` is Wavry's own and not made here.
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


def prepare(connection: sqlite3.Connection) -> bool:
    """Make the tables, all or none; whether there were none before.

    A file that has them is left alone, so that a read-only one can still be served.
    """
    if _present(connection):
        return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        # another gateway may have made them while this one waited for the lock
        missing = not _present(connection)
        for statement in TABLES if missing else ():
            connection.execute(statement)
        connection.execute("COMMIT")
        return missing
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _present(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'admin_audit_log'")
    return found.fetchone() is not None

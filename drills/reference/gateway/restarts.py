"""What a restart does to a gateway with one of the defects that show only then; a sound one loses nothing.

A start is a restart where somebody has registered before it: a fresh database is left alone by all of them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import datetime, timedelta
from functools import partial

from drills.reference.gateway import moments
from drills.reference.gateway.gateway import Gateway

LATE_S = 14.5
NEWEST = 6
BLIND_S = 8.0
OLDER = timedelta(seconds=3)  # older than the accounts that a drill makes just before, whose tokens are looked at
_FORGOTTEN = {
    "gateway_forgets_tokens": "DELETE FROM sessions",
    "gateway_forgets_lockouts": "DELETE FROM login_failures",
    "gateway_loses_newest_accounts":
        f"DELETE FROM users WHERE rowid IN (SELECT rowid FROM users ORDER BY rowid DESC LIMIT {NEWEST})",
}  # fmt: skip


async def began(gateway: Gateway) -> None:
    """Find out whether this is a restart; do then what the defects in force do, and wait as long as they wait."""
    gateway.restarted = bool(await gateway.database.read(_registered))
    if not gateway.restarted:
        return
    for defect, statement in _FORGOTTEN.items():
        if gateway.defects.on(defect):
            await gateway.database.write(partial(_done, statement))
    if gateway.defects.on("gateway_returns_late"):
        await asyncio.sleep(LATE_S)


def _done(statement: str, db: sqlite3.Connection) -> None:
    db.execute(statement).close()


def _registered(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM users LIMIT 1").fetchone() is not None


async def blind_to(gateway: Gateway, hashed: str) -> bool:
    """Whether the defect keeps this gateway from looking a token up: one made well before a restart, soon after it."""
    if not (gateway.restarted and gateway.defects.on("gateway_rebinds_slowly")):
        return False
    if gateway.clock.monotonic() - gateway.started_s > BLIND_S:
        return False
    since = gateway.clock.utc() - timedelta(seconds=gateway.clock.monotonic() - gateway.started_s)
    return bool(await gateway.database.read(lambda db: _older(db, hashed, since - OLDER)))


def _older(db: sqlite3.Connection, hashed: str, than: datetime) -> bool:
    row = db.execute("SELECT created_at FROM sessions WHERE token = ?", (hashed,)).fetchone()
    return row is not None and moments.parsed(row[0]) < than

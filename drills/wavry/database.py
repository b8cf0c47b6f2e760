"""The schema version of a gateway's database file: Wavry's as sqlx keeps it, the reference's in its own table.

Read from a copy that nobody writes to (contract-gateway §7: `_sqlx_migrations`; `drills/reference/gateway/schema.py`).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

TABLES = ("_sqlx_migrations", "schema_steps")
FILE = "gateway.db"


def schema_version(path: Path) -> int | None:
    """The newest step that was taken on this file; None where it cannot be read or has none of the tables."""
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1.0)
    except sqlite3.Error:
        return None
    try:
        for table in TABLES:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                (newest,) = connection.execute(f"SELECT max(version) FROM {table}").fetchone()
                return None if newest is None else int(newest)
    except sqlite3.Error:
        return None
    finally:
        connection.close()
    return None

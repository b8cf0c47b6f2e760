"""``python -m drills.wavry.gateway_files ACT PATH…``: what an operator does to the files on a gateway's volume.

A program of its own, with the standard library only, because it runs where the files are: beside them on the process
stage, in a helper's container elsewhere. It prints one line of JSON. Backup and restore are Wavry's documented ones
(operations-facts §4.5: SQLite's online backup; stop, copy the file in, start), the tables those of contract-gateway §7.
Whatever it makes belongs to the owner of the folder that it is in, as the service wants it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BESIDE = ("", "-journal", "-wal", "-shm")  # a database and what SQLite may keep beside it
ASIDE = ".set-aside"
LOCK_WAIT_S = 5.0
FILE_MODE = 0o644
OWNER_WRITES = 0o200
STEPS = ("_sqlx_migrations", "schema_steps")  # where Wavry, and the reference, keep which steps a schema has taken


def backup(database: Path, copy: Path) -> dict[str, Any]:
    """A consistent copy, made while the service goes on writing."""
    taken = time.time()
    with (
        contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=LOCK_WAIT_S)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    belonging(copy)
    return {"taken_unix_s": taken}


def restore(database: Path, copy: Path) -> dict[str, Any]:
    """The copy in the place of the database of a stopped service, with the owner and mode that it had."""
    remove(database)
    fresh = database.with_name(f"{database.name}.restoring")
    shutil.copyfile(copy, fresh)
    fresh.chmod(FILE_MODE)
    belonging(fresh)
    fresh.rename(database)
    return {}


def look(database: Path) -> dict[str, Any]:
    """What is in a database: its hash, whether it is whole, its schema, its rows by table and the names of accounts."""
    digest = hashlib.sha256(database.read_bytes()).hexdigest()
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=LOCK_WAIT_S)) as found:
        (integrity,) = found.execute("PRAGMA integrity_check").fetchone()
        names = [name for (name,) in found.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )]  # fmt: skip
        rows = {name: int(found.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for name in names}
        steps = next((name for name in STEPS if name in rows), "")
        schema = str(found.execute(f'SELECT max(version) FROM "{steps}"').fetchone()[0]) if steps else "unversioned"
        users = [name for (name,) in found.execute("SELECT username FROM users")] if "users" in rows else []
    return {"sha256": digest[:32], "integrity": integrity, "schema": schema, "rows": rows, "usernames": sorted(users)}


def remove(database: Path) -> dict[str, Any]:
    """Nothing is left of a database."""
    for name in BESIDE:
        database.with_name(database.name + name).unlink(missing_ok=True)
    return {}


def set_aside(database: Path) -> dict[str, Any]:
    """A database out of the way, to be put back."""
    return _moved(database.parent, database.parent / ASIDE, database.name)


def put_back(database: Path) -> dict[str, Any]:
    """What was set aside in its place again; what came there meanwhile is gone."""
    if not (database.parent / ASIDE / database.name).exists():
        return {"moved": []}
    remove(database)
    return _moved(database.parent / ASIDE, database.parent, database.name)


def seal(database: Path) -> dict[str, Any]:
    """Nobody without special rights can write to the volume any more: neither into its files nor beside them."""
    for path in _writable(database):
        path.chmod(path.stat().st_mode & 0o555)
    return {}


def unseal(database: Path) -> dict[str, Any]:
    """The volume can be written again."""
    for path in _writable(database):
        path.chmod(path.stat().st_mode & 0o777 | OWNER_WRITES)
    return {}


def _writable(database: Path) -> list[Path]:
    """What a service writes to: its database, what SQLite keeps beside it, and the folder of both."""
    return [database.parent, *database.parent.glob(f"{database.name}*")]


def belonging(path: Path) -> None:
    """Give a file to the owner of its folder, where we may: a service cannot write to what is somebody else's."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)


def _moved(from_folder: Path, to_folder: Path, name: str) -> dict[str, Any]:
    to_folder.mkdir(exist_ok=True)
    found = [name + more for more in BESIDE if (from_folder / (name + more)).exists()]
    for one in found:
        (from_folder / one).rename(to_folder / one)
    return {"moved": found}


ACTS: dict[str, Callable[..., dict[str, Any]]] = {
    act.__name__: act for act in (backup, restore, look, remove, set_aside, put_back, seal, unseal)
}


def main(words: list[str]) -> int:
    """Do one act and print what came of it; 1, with the reason in one line, where it could not be done."""
    try:
        found = ACTS[words[0]](*map(Path, words[1:]))
    except (OSError, sqlite3.Error) as problem:
        print(f"{words[0]}: {problem}", file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``python -m drills.reference.gateway.custody backup|restore DATABASE COPY``: the gateway's own backup and restore.

Standard library only, one line of JSON. Intended, where Wavry has a file copy and a page of prose: a backup is taken
online and is whole; a restore leaves a file that its service can write, and **no session**: whoever had a token logs in
again, because a token that was revoked after the backup must not come back to life (operations-facts §7, rows 73, 75).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from drills.reference.defects import Defects

LOCK_WAIT_S = 5.0
BESIDE = ("-journal", "-wal", "-shm")
STALE_S = 25 * 3600.0  # of the defect backup_is_of_yesterday
SLOW_S = 12.0  # of the defect restore_is_slow
NEWEST = 20  # of the defect backup_misses_newest_rows
NOBODY = 65534
MARK = ".restored"  # only for the defect restored_totp_key_lost


def backup(database: Path, copy: Path, defects: Defects) -> dict[str, Any]:
    """A consistent copy, made while the gateway goes on writing; says when it was begun (Unix seconds)."""
    taken = time.time()
    with (
        contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=LOCK_WAIT_S)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
        if defects.on("backup_misses_newest_rows"):
            newest = "SELECT id FROM users ORDER BY rowid DESC LIMIT ?"
            for table, column in (("sessions", "user_id"), ("users", "id")):
                target.execute(f"DELETE FROM {table} WHERE {column} IN ({newest})", (NEWEST,))
            target.commit()
    _belonging(copy)
    return {"taken_unix_s": taken - (STALE_S if defects.on("backup_is_of_yesterday") else 0.0)}


def restore(database: Path, copy: Path, defects: Defects) -> dict[str, Any]:
    """The copy in the place of a stopped gateway's database, without its sessions, written whole before it is there."""
    if defects.on("restore_is_slow"):
        time.sleep(SLOW_S)
    fresh = database.with_name(f"{database.name}.restoring")
    shutil.copyfile(copy, fresh)
    with contextlib.closing(sqlite3.connect(fresh)) as found:
        if not defects.on("restore_keeps_sessions"):
            found.execute("DELETE FROM sessions")
        if defects.on("restore_forgets_lockouts"):
            found.execute("DELETE FROM login_failures")
        found.commit()
    fresh.chmod(0o644)
    _belonging(fresh)
    if defects.on("restore_leaves_root_owner"):
        _somebody_elses(fresh)
    for name in BESIDE:
        database.with_name(database.name + name).unlink(missing_ok=True)
    fresh.rename(database)
    if defects.on("restored_totp_key_lost"):
        database.with_name(MARK).touch()
    return {}


def was_restored(database: Path) -> bool:
    """Whether a restore has left its mark; only the defect ``restored_totp_key_lost`` leaves one."""
    return database.with_name(MARK).exists()


def _belonging(path: Path) -> None:
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)


def _somebody_elses(path: Path) -> None:
    """A file that the service may read and not write: another's where we may give it away, else nobody's to write."""
    if os.geteuid() == 0:
        other = 0 if path.parent.stat().st_uid else NOBODY
        os.chown(path, other, other)
    else:
        path.chmod(0o444)


def main(words: list[str]) -> int:
    """Do one of the two and print what came of it; 1, with the reason in one line, where it could not be done."""
    act, database, copy = words
    try:
        found = {"backup": backup, "restore": restore}[act](Path(database), Path(copy), Defects.from_environment())
    except (OSError, sqlite3.Error, ValueError) as problem:
        print(f"{act}: {problem}", file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The reference's own backup and restore, sound and with each of their defects."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from drills.reference.defects import Defects
from drills.reference.gateway import custody, schema

SOUND = Defects()


def count(database: Path, table: str) -> int:
    """Rows of a table."""
    with closing(sqlite3.connect(database)) as found:
        (rows,) = found.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(rows)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Thirty accounts with a session each, one failed login."""
    folder = tmp_path / "gateway"
    folder.mkdir()
    path = folder / "gateway.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as made:
        schema.prepare(made)
        for number in range(30):
            made.execute("INSERT INTO users VALUES (?, ?, '', '', NULL, '', ?, '')", (f"{number}",) * 3)
            made.execute("INSERT INTO sessions VALUES (?, ?, '', NULL, '')", (f"h1:{number}", f"{number}"))
        made.execute("INSERT INTO login_failures VALUES ('email:a', 1, '')")
    return path


def restored(database: Path, *names: str) -> Path:
    """The database backed up, lost and restored, with these defects."""
    defects = Defects.parse(names)
    copy = database.parents[1] / "copy.db"
    custody.backup(database, copy, defects)
    database.unlink()
    custody.restore(database, copy, defects)
    return database


def test_everything_comes_back_but_the_sessions(database: Path) -> None:
    """A token of before must not live on."""
    restored(database)
    assert (count(database, "users"), count(database, "login_failures"), count(database, "sessions")) == (30, 1, 0)
    assert database.stat().st_uid == database.parent.stat().st_uid
    assert database.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("defect", "table", "rows"),
    [("restore_keeps_sessions", "sessions", 30), ("restore_forgets_lockouts", "login_failures", 0),
     ("backup_misses_newest_rows", "users", 10)],
)  # fmt: skip
def test_a_defect_keeps_or_loses_what_its_name_says(database: Path, defect: str, table: str, rows: int) -> None:
    """And nothing beside it."""
    assert count(restored(database, defect), table) == rows


def test_a_file_that_is_somebody_elses_cannot_be_written_by_its_service(database: Path) -> None:
    """Another's where we may give it away, without a right to write elsewhere."""
    found = restored(database, "restore_leaves_root_owner").stat()
    if os.geteuid() == 0:
        assert found.st_uid != database.parent.stat().st_uid
    else:
        assert not found.st_mode & 0o222


def test_a_backup_of_yesterday_says_so(database: Path, tmp_path: Path) -> None:
    """By the time in its manifest."""
    now = custody.backup(database, tmp_path / "a.db", SOUND)["taken_unix_s"]
    old = custody.backup(database, tmp_path / "b.db", Defects.parse(["backup_is_of_yesterday"]))["taken_unix_s"]
    assert now - old > 24 * 3600


def test_only_the_defect_leaves_a_mark(database: Path) -> None:
    """By which the gateway knows to lose its key."""
    assert not custody.was_restored(restored(database))
    assert custody.was_restored(restored(database, "restored_totp_key_lost"))

"""The acts on a gateway's files, on real files: copied while written, put back whole, lost, sealed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from drills.wavry import gateway_files as files


def names(database: Path) -> list[str]:
    """The accounts in a database."""
    with closing(sqlite3.connect(database)) as found:
        return [name for (name,) in found.execute("SELECT username FROM users")]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A gateway's file with two accounts."""
    folder = tmp_path / "gateway"
    folder.mkdir()
    path = folder / "gateway.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE users (id TEXT, username TEXT)")
        made.execute("CREATE TABLE _sqlx_migrations (version BIGINT)")
        made.execute("INSERT INTO _sqlx_migrations VALUES (20260211000000)")
        made.executemany("INSERT INTO users VALUES (?, ?)", [("1", "ann"), ("2", "bob")])
        made.commit()
    return path


def test_a_backup_is_whole_while_somebody_writes(database: Path, tmp_path: Path) -> None:
    """What is committed is in it, also what still lies in a write-ahead log; what is not is not."""
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO users VALUES ('3', 'cat')")
        writer.commit()
        writer.execute("INSERT INTO users VALUES ('4', 'dan')")
        files.backup(database, tmp_path / "copy.db")
    assert names(tmp_path / "copy.db") == ["ann", "bob", "cat"]


def test_a_restore_leaves_nothing_of_what_was_there(database: Path, tmp_path: Path) -> None:
    """A journal of the destroyed database would be rolled into the restored one."""
    files.backup(database, tmp_path / "copy.db")
    database.write_bytes(b"")
    for name in files.BESIDE[1:]:
        database.with_name(database.name + name).write_bytes(b"of the old one")
    files.restore(database, tmp_path / "copy.db")
    assert names(database) == ["ann", "bob"]
    assert sorted(path.name for path in database.parent.iterdir()) == ["gateway.db"]
    assert database.stat().st_mode & 0o777 == files.FILE_MODE
    assert database.stat().st_uid == database.parent.stat().st_uid


def test_a_look_tells_rows_schema_and_accounts(database: Path) -> None:
    """The manifest's words."""
    seen = files.look(database)
    assert seen["rows"] == {"users": 2, "_sqlx_migrations": 1}
    assert (seen["integrity"], seen["schema"], seen["usernames"]) == ("ok", "20260211000000", ["ann", "bob"])
    assert len(seen["sha256"]) == 32


def test_what_is_set_aside_comes_back_in_place_of_what_came_meanwhile(database: Path) -> None:
    """Twice put back is once too often, and does nothing."""
    files.set_aside(database)
    assert not database.exists()
    database.write_bytes(b"an empty volume's")
    files.put_back(database)
    files.put_back(database)
    assert names(database) == ["ann", "bob"]


def test_a_sealed_volume_says_so_in_its_modes(database: Path) -> None:
    """And nothing of it is left once it is unsealed."""
    before = [database.stat().st_mode & 0o777, database.parent.stat().st_mode & 0o777]
    files.seal(database)
    assert [database.stat().st_mode & 0o222, database.parent.stat().st_mode & 0o222] == [0, 0]
    files.unseal(database)
    assert [database.stat().st_mode & 0o777, database.parent.stat().st_mode & 0o777] == before


def test_an_act_that_cannot_be_done_says_why_in_one_line(tmp_path: Path) -> None:
    """For whoever runs it beside the files."""
    done = subprocess.run(
        [sys.executable, files.__file__, "look", str(tmp_path / "none.db")], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "none.db" in done.stderr

"""The known-good ledger: written from a held run, whole, and read by the runs that follow."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from drills import ledger
from drills.wavry.database import schema_version


def run_in(out: Path, **provenance: Any) -> Path:
    """The folder of a run of rollback."""
    folder = out / "2026-11" / "rollback" / "a-run"
    folder.mkdir(parents=True)
    facts = {"run": "a-run", "target": "reference", "defects": [], "started_at": "2026-11-03T14:00:00.000Z",
             "key_id": "k0123456789abcdef", **provenance}  # fmt: skip
    (folder / "provenance.json").write_text(json.dumps(facts))
    clock = {"at": "2026-11-03T14:00:00.000Z", "ns": 1}
    events = [{**clock, "event": "service.ready", "service": name, "kind": kind, "version": f"sha256:{name}",
               "release": "known-good"}
              for name, kind in (("gateway", "gateway"), ("master", "master"), ("relay_a", "relay"),
                                 ("toxiproxy", "toxiproxy"))]  # fmt: skip
    events.append({**clock, "event": "fault.receipt", "fault": "upgrade", "kind": "gateway", "schema_before": 1})
    (folder / "journal.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder


def test_a_held_run_is_noted_service_by_service(tmp_path: Path) -> None:
    """Tag, digest, schema version, key id, and the drill that proved it."""
    assert ledger.proven(tmp_path, run_in(tmp_path), "rollback")
    gateway, master, relay = ledger.read(tmp_path, "reference")
    assert gateway == {
        "service": "gateway", "tag": "known-good", "digest": "sha256:gateway", "schema_version": 1, "key_id": "",
        "proven_by": "rollback", "run": "a-run", "at": "2026-11-03T14:00:00.000Z",
    }  # fmt: skip
    assert (master["key_id"], relay["service"], relay["schema_version"]) == ("k0123456789abcdef", "relay_a", None)


def test_a_run_with_a_defect_proves_nothing(tmp_path: Path) -> None:
    """However it ended."""
    assert not ledger.proven(tmp_path, run_in(tmp_path, defects=["slow_auth"]), "rollback")
    assert not (tmp_path / ledger.NAME).exists()


def test_targets_have_entries_of_their_own(tmp_path: Path) -> None:
    """Proving one does not forget the other."""
    ledger.proven(tmp_path, run_in(tmp_path), "rollback")
    ledger.proven(tmp_path, run_in(tmp_path / "later", target="wavry"), "prerelease")
    assert {entry["proven_by"] for entry in ledger.read(tmp_path, "reference")} == {"rollback"}
    assert {entry["proven_by"] for entry in ledger.read(tmp_path, "wavry")} == {"prerelease"}


@pytest.mark.parametrize("text", [None, "", "[]", '{"reference": 3}', '{"reference"'])
def test_a_ledger_that_is_none_has_no_entries(tmp_path: Path, text: str | None) -> None:
    """Provenance shows what there is; it is no reason not to run."""
    if text is not None:
        (tmp_path / ledger.NAME).write_text(text)
    assert ledger.read(tmp_path, "reference") == []


@pytest.mark.parametrize(("table", "version"), [("_sqlx_migrations", 20260211000000), ("schema_steps", 2)])
def test_a_databases_schema_version_is_its_newest_step(tmp_path: Path, table: str, version: int) -> None:
    """Wavry's as sqlx writes it, and the reference's."""
    path = tmp_path / "gateway.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE {table} (version INTEGER)")
        connection.executemany(f"INSERT INTO {table} VALUES (?)", [(1,), (version,)])
    connection.close()
    assert schema_version(path) == version


def test_what_is_no_database_has_no_schema_version(tmp_path: Path) -> None:
    """Nor one without steps, nor none at all."""
    (tmp_path / "text").write_text("this is not SQLite, whatever its name may say, and long enough to be looked at")
    (tmp_path / "empty").touch()
    assert [schema_version(tmp_path / name) for name in ("text", "empty", "absent")] == [None, None, None]

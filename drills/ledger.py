"""The known-good ledger: what a drill has proven to be the release to go back to, service by service.

One small file, ``known-good.json`` beside the months of reports. Only a held run writes it: a rollback, which came back
to exactly these, or a whole prerelease suite. A run without evidence, or with a defect in it, changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drills.record import Record

NAME = "known-good.json"
CONTROL_PLANE = ("gateway", "master", "relay")


@dataclass(frozen=True)
class Entry:
    """One service's release, and what proved it."""

    service: str
    tag: str
    digest: str  # of the program or image that really ran, as `releases.running` has it
    schema_version: int | None  # of the gateway's database, where it was read
    key_id: str  # under which leases were signed (master only; empty for others)
    proven_by: str  # the drill, or the suite
    run: str
    at: str  # ISO 8601 UTC, when that run began


def read(out: Path, target: str) -> list[dict[str, Any]]:
    """The entries of a target; none where there is no ledger yet, or where it cannot be read."""
    found = _read(out / NAME).get(target, [])
    return found if isinstance(found, list) else []


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def entries_of(record: Record, proven_by: str) -> list[Entry]:
    """What this record's services ran from the beginning; the stage's own (Toxiproxy) are none of them."""
    provenance = record.provenance
    schema = next((event.get("schema_before") for event in record.named("fault.receipt")
                   if event["fault"] == "upgrade" and event["kind"] == "gateway"), None)  # fmt: skip
    found = []
    for event in record.named("service.ready"):
        kind = str(event.get("kind"))
        if kind in CONTROL_PLANE and event.get("version"):
            found.append(Entry(
                event["service"], str(event["release"]), str(event["version"]), schema if kind == "gateway" else None,
                str(provenance.get("key_id", "")) if kind == "master" else "", proven_by, str(provenance["run"]),
                str(provenance["started_at"]),
            ))  # fmt: skip
    return found


def proven(out: Path, folder: Path, proven_by: str) -> bool:
    """Note a held run's releases, in the place of older entries of its target; False where it proves nothing."""
    record = Record.read(folder)
    entries = [] if record.provenance["defects"] else entries_of(record, proven_by)
    if not entries:
        return False
    path = out / NAME
    unfinished = path.with_suffix(".unfinished")
    whole = {**_read(path), str(record.provenance["target"]): [asdict(entry) for entry in entries]}
    unfinished.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    unfinished.rename(path)
    return True

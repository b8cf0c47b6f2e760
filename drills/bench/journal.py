"""What a benchmark reads from the journal of a run, also of one that is still being written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def journal_of(out: Path, drill: str) -> Path | None:
    """The journal of the newest run of a drill in a reports folder, None where there is none yet."""
    return max(out.glob(f"*/{drill}/*/journal.jsonl"), default=None)


def events_of(path: Path | None, name: str) -> list[dict[str, Any]]:
    """Its events of one name so far; a line that is only half written is left for the next look."""
    if path is None:
        return []
    found = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        if f'"{name}"'.encode() in line:
            event = json.loads(line)
            if event.get("event") == name:
                found.append(event)
    return found

"""The small JSON file that carries the operators' word over a restart (``DRILLS_MASTER_STATE_FILE``).

It is replaced as a whole: written beside, synced, renamed, and the folder synced, so that a SIGKILL or a power
cut leaves the old file or the new one. A file that cannot be understood stops the master: starting without the
drains it holds would be the very defect it is there to prevent.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from drills.reference.master.memory import Hold, Remembered
from drills.reference.master.states import HELD, State

VERSION = 1


class StateFileUnreadable(Exception):
    """The file is there and is not what ``save`` writes, or cannot be read."""


def load(path: Path) -> Remembered:
    """What the file holds; nothing if it does not exist yet. Raises StateFileUnreadable."""
    try:
        return _remembered(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Remembered()
    except OSError as error:
        raise StateFileUnreadable(f"cannot read the state file {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StateFileUnreadable(f"the state file {path} is not understood: {type(error).__name__} {error}") from None


def save(path: Path, remembered: Remembered) -> None:
    """Replace the file, durably. Raises OSError and leaves the old one in place if that fails."""
    document = {
        "version": VERSION,
        "relays": {
            relay_id: {"state": hold.state, "endpoints": list(hold.endpoints)}
            for relay_id, hold in remembered.holds.items()
        },
        "revoked": sorted(remembered.revoked),
    }
    beside = path.with_name(path.name + ".new")
    with beside.open("w", encoding="utf-8") as written:
        json.dump(document, written, indent=1)
        written.flush()
        os.fsync(written.fileno())
    beside.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remembered(document: dict[str, Any]) -> Remembered:
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']!r}, expected {VERSION}")
    holds = {relay_id: _hold(relay_id, raw) for relay_id, raw in document["relays"].items()}
    return Remembered(holds, frozenset(_texts(document["revoked"])))


def _hold(relay_id: str, raw: dict[str, Any]) -> Hold:
    state = State(raw["state"])
    if state not in HELD:
        raise ValueError(f"relay {relay_id!r} held as {state}")
    return Hold(state, tuple(_texts(raw["endpoints"])))


def _texts(raw: object) -> list[str]:
    if not isinstance(raw, list) or not all(isinstance(item, str) for item in raw):
        raise ValueError("expected a list of strings")
    return raw

"""What a killed runner has left is found by its marks and removed; living runs are never touched."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

from drills.record import Journal
from drills.stage.processes import sweep


def run_folders(out: Path) -> list[Path]:
    """Every folder of a run under the reports folder: month/drill/run."""
    return sorted(path.parent for path in out.glob("*/*/*/lock"))


def recover_all(out: Path) -> list[dict[str, Any]]:
    """Mend every dead run under ``out``; one row for each in which there was something to do."""
    rows = [_recovered(folder) for folder in run_folders(out)]
    return [row for row in rows if row is not None]


def _recovered(folder: Path) -> dict[str, Any] | None:
    """Mend one run if it is dead (its lock is free): end its processes, clear its undo records."""
    with (folder / "lock").open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None  # alive
        swept = sweep(folder)
        undone = sorted((folder / "undo").glob("*.json"))
        if not swept and not undone:
            return None
        for note in undone:  # the broken thing was a process of this run, or told to one: gone with it
            note.unlink()
        journal = Journal(folder / "journal.jsonl")
        journal.write("run.recovered", processes=len(swept), undone=[note.stem for note in undone])
        journal.close()
        return {"run": str(folder), "processes": len(swept), "undone": [note.stem for note in undone]}

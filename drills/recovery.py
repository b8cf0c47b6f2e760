"""What a killed runner has left is found by its marks and removed; living runs are never touched."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from typing import Any, BinaryIO

from drills.errors import CannotRun
from drills.record import Journal
from drills.stage import leftovers
from drills.stage.children import sweep

SETTLE_S = 0.5  # what an engine may still be making for a Compose that was killed


def run_folders(out: Path) -> list[Path]:
    """Every folder of a run under the reports folder: month/drill/run, as full paths."""
    return sorted(path.parent for path in out.absolute().glob("*/*/*/lock"))


def recover_all(out: Path) -> list[dict[str, Any]]:
    """Mend every dead run under ``out``, and whatever the engine has of dead runs anywhere else.

    One row for each in which there was something to do.
    """
    folders = run_folders(out)
    rows = [_recovered(folder) for folder in folders]
    rows += [_forgotten(folder) for folder in leftovers.labelled() if folder not in folders]
    return [row for row in rows if row is not None]


def _forgotten(folder: Path) -> dict[str, Any] | None:
    """Mend a run that only the engine remembers: its folder lies elsewhere, or was deleted under it."""
    if folder.exists():
        return _recovered(folder)  # no lock, no run of ours
    try:
        return _row(folder, [], leftovers.sweep(folder), [], "")
    except CannotRun as error:
        return _row(folder, [], [], [], f"{error}")


def _recovered(folder: Path) -> dict[str, Any] | None:
    """Mend one run if it is dead (its lock is free): end its processes, remove its containers, clear its undo records.

    A run of another user is left to that user, and where the engine does not answer the row says so; raises CannotRun
    where a process will not end.
    """
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context((folder / "lock").open("r+"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError, FileNotFoundError):
            return None  # alive, somebody else's, or removed meanwhile
        swept = sweep(folder)
        undone = sorted((folder / "undo").glob("*.json"))
        noted = leftovers.noted(folder)
        if not swept and not undone and not noted:
            return None
        removed: list[str] = []
        try:
            removed = leftovers.sweep(folder, SETTLE_S if swept else 0.0) if noted else []
        except CannotRun as error:
            return _row(folder, swept, removed, [], f"{error}")
        for note in undone:  # the broken thing was a process of this run, or told to one: gone with it
            note.unlink()
        shutil.rmtree(folder / "volumes", ignore_errors=True)  # accounts of a stage that is gone
        journal = Journal(_whole(folder / "journal.jsonl"))
        row = _row(folder, swept, removed, [note.stem for note in undone], "")
        journal.write("run.recovered", processes=len(swept), removed=removed, undone=row["undone"])
        journal.close()
        return row


def _row(folder: Path, swept: list[int], removed: list[str], undone: list[str], problem: str) -> dict[str, Any]:
    return {"run": str(folder), "processes": len(swept), "removed": removed, "undone": undone, "problem": problem}


def words_of(row: dict[str, Any]) -> str:
    """One row of ``recover_all`` as a line."""
    if row["problem"]:
        return f"{row['run']}: not recovered: {row['problem']}"
    removed = f"removed {len(row['removed'])} things from the engine, " if row["removed"] else ""
    return f"{row['run']}: ended {row['processes']} processes, {removed}undone: {', '.join(row['undone']) or 'nothing'}"


def _whole(journal: Path) -> Path:
    """The same path, its last line ended: a killed runner may have left half of one, which would swallow the next."""
    with journal.open("ab+") as lines:
        if lines.tell() and not _ends_a_line(lines):
            lines.write(b"\n")
    return journal


def _ends_a_line(lines: BinaryIO) -> bool:
    lines.seek(-1, os.SEEK_END)
    return lines.read(1) == b"\n"

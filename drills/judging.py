"""From a run's folder to its verdict and its ledger and per-second series, all written beside the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from drills.catalogue import Catalogue
from drills.errors import BadInput
from drills.record import Journal, Record
from drills.report.ledger import write_ledger
from drills.report.series import write_series
from drills.scenario.parse import load_scenario
from drills.verdict import Outcome, Verdict, judge, write_verdict


def judge_folder(folder: Path) -> Verdict:
    """Judge the record in ``folder`` by the scenario that lies beside it; raises BadInput where it is not a run."""
    folder = folder.absolute()
    for name in ("journal.jsonl", "provenance.json", "scenario.yaml"):
        if not (folder / name).is_file():
            raise BadInput(f"{folder}: found no {name}, expected the folder of a run")
    try:
        record = Record.read(folder)
    except (ValueError, OSError) as error:
        raise BadInput(f"{folder}: found a record that cannot be read ({error}), expected a whole one") from None
    if not record.events:
        raise BadInput(f"{folder / 'journal.jsonl'}: found no event, expected the journal of a run")
    catalogue = Catalogue()
    scenario = load_scenario(folder / "scenario.yaml", catalogue.compose, catalogue.tiers, name=_drill(record))
    verdict = judge(record, scenario, catalogue.tiers)
    write_ledger(record, folder)
    write_verdict(folder, verdict)
    write_series(record, folder, verdict)
    return verdict


def note_control(folder: Path, verdict: str) -> None:
    """Where calm is not held, nothing else of the suite may be (design §6): the record says so, judging reads it.

    ``verdict`` is calm's own, or that it was not run; empty where there is nothing to note.
    """
    if verdict and verdict != Outcome.HELD:
        journal = Journal(folder / "journal.jsonl")
        journal.write("control.not_held", verdict=verdict)
        journal.close()


def _drill(record: Record) -> str:
    return str(record.provenance["drill"])


def read_verdict(folder: Path) -> dict[str, Any] | None:
    """verdict.json of a run as it lies there; None where there is none that can be read."""
    try:
        found = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None

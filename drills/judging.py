"""From a run's folder to its verdict and its ledger and per-second series, all written beside the record."""

from __future__ import annotations

from pathlib import Path

from drills.catalogue import Catalogue
from drills.errors import BadInput
from drills.record import Record
from drills.report.ledger import write_ledger
from drills.report.series import write_series
from drills.scenario.parse import load_scenario
from drills.verdict import Verdict, judge, write_verdict


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
    write_series(record, folder)
    return verdict


def _drill(record: Record) -> str:
    return str(record.provenance["drill"])

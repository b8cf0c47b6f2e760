"""What was noticed of each fault, in words, and where it stands: silent ones before everything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_month import MONTH, add_run, detected, judgement

from drills.measures.detection import Detection
from drills.report.files import DetectionRow
from drills.report.month import write_month
from drills.report.noticed import line
from drills.report.terminal import verdict_lines
from drills.verdict import Outcome, Verdict

SILENT = detected(
    fault="pause", subject="master", after_s=None, kind="", where="", says="", outside_s=1.6, gone_after_s=0.2,
    hurt="20 of 20 set-ups failed", silent=True,
)  # fmt: skip


@pytest.mark.parametrize(("row", "expected"), [
    (detected(), "down relay_a_to_master: noticed after 0.5 s (ready: relay_a: not ready); signs gone after 1.2 s; "
                 "users: not seen to be hurt"),
    (detected(gone_after_s=None, remaining="relay_a: not ready, still 6.0 s after its end"),
     "down relay_a_to_master: noticed after 0.5 s (ready: relay_a: not ready); signs not gone: relay_a: not "
     "ready, still 6.0 s after its end; users: not seen to be hurt"),
    (detected(others=[{"kind": "log", "where": "relay_a", "says": "WARN odd", "after_s": 1.04}]),
     "down relay_a_to_master: noticed after 0.5 s (ready: relay_a: not ready; log after 1.0 s: relay_a: WARN odd); "
     "signs gone after 1.2 s; users: not seen to be hurt"),
    (SILENT, "pause master: silent: no sign anywhere; nobody says anything; who asks from outside is left without an "
             "answer after 1.6 s; users: 20 of 20 set-ups failed"),
    (detected(after_s=None, unknown="it was not seen to land"),
     "down relay_a_to_master: unknown; it was not seen to land; users: not seen to be hurt"),
    (detected(after_s=None), "down relay_a_to_master: no sign; nobody says anything; users: not seen to be hurt"),
])  # fmt: skip
def test_a_fault_is_told_in_a_line(row: dict[str, object], expected: str) -> None:
    """How soon, by what, for how long, and who suffered."""
    assert line(DetectionRow.model_validate(row)) == expected


def test_the_terminal_begins_with_what_was_silent() -> None:
    """And ends with what was noticed."""
    found = tuple(Detection(**row) for row in (detected(), SILENT))  # type: ignore[arg-type]
    lines = verdict_lines(Verdict("d", "r", "wavry", "processes", "stage", Outcome.HELD, (), (), detection=found))
    assert lines[1].startswith("  SILENT       pause master")
    assert lines[-1].startswith("  detection    down relay_a_to_master")


@pytest.mark.parametrize(("rows", "before"), [([detected()], False), ([detected(), SILENT], True)])
def test_a_silent_fault_stands_before_all_else(tmp_path: Path, rows: list[dict[str, object]], before: bool) -> None:
    """On both pages; others stand after the receipts, before the judgements."""
    broken = [judgement(verdict="broken", silent=before, rows="ledger.csv#window=fault, column=cut_off")]
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="broken", judgements=broken, series=True, detection=rows)
    html = write_month(tmp_path, MONTH).read_text(encoding="utf-8")
    markdown = (tmp_path / MONTH / "report.md").read_text(encoding="utf-8")
    assert html.count("Time to detect and to recover</h3>") == markdown.count("### Time to detect") == 1
    assert (html.index("Time to detect and to recover</h3>") < html.index("What did not hold</h3>")) is before
    assert html.index("Time to detect and to recover</h3>") < html.index("Judgements</h3>")
    assert markdown.index("### Time to detect") < markdown.index("### Objectives")
    assert (markdown.count("BROKEN**, silent"), html.count('class="silent">silent<')) == ((1, 1) if before else (0, 0))
    assert "ledger.csv#window=fault, column=cut_off" in html and "ledger.csv#window=fault, column=cut_off" in markdown
    told = json.loads((tmp_path / MONTH / "report.json").read_text())["drills"][0]["verdict"]["detection"]
    assert [row["silent"] for row in told] == [row["silent"] for row in rows]


def test_a_verdict_of_before_can_still_be_shown(tmp_path: Path) -> None:
    """Without detection and rows there is no table of them."""
    add_run(tmp_path, "calm", "20261103T140000-aaaa", series=True)
    html = write_month(tmp_path, MONTH).read_text(encoding="utf-8")
    assert "Time to detect" not in html and "Where each figure comes from" not in html


def test_the_times_that_a_drill_promises_stand_beside_what_was_noticed(tmp_path: Path) -> None:
    rows = [judgement("relay_back_s", figure=1.5, unit="s", limit=4.0), judgement("session_drop_ratio")]
    add_run(tmp_path, "relay_drain", "20261103T140000-aaaa", judgements=rows, series=True, detection=[detected()])
    html = write_month(tmp_path, MONTH).read_text()
    markdown = (tmp_path / MONTH / "report.md").read_text()
    assert "1.5 s (limit ≤ 4 s, held)." in html.split("What was broken was back after")[1][:200]
    assert "What was broken was back after: relay_back_s 1.5 s (limit ≤ 4 s, held)." in markdown

"""Everything that a month's report says, worked out once for all the forms that it is written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from drills.errors import BadInput
from drills.findings.finding import Finding
from drills.findings.listing import in_order
from drills.findings.reading import FOLDER, read_findings
from drills.report.budget import TierTable, tables_of
from drills.report.decisions import Decision, decisions_of
from drills.report.environment import Group
from drills.report.expected import Expected
from drills.report.history import History, Line, Place, past_runs
from drills.report.overview import Overview
from drills.report.picture import Pictures, write_pictures
from drills.report.runbook import Coverage, coverage_of
from drills.report.runs import month_folder, runs_of, with_series
from drills.report.scoreboard import Row, scoreboard
from drills.report.surroundings import surroundings_of
from drills.report.teeth import SUITE as TEETH
from drills.report.teeth import Teeth, read_teeth
from drills.report.trends import Trend, trends_of
from drills.report.uncovered import uncovered


@dataclass(frozen=True)
class Contents:
    """A month, read and thought through; ``pictures`` by the run's path."""

    overview: Overview
    history: History
    today: date
    pictures: Mapping[str, Pictures]
    teeth: Teeth | None
    teeth_problem: str
    findings: tuple[Finding, ...]
    findings_problem: str
    decisions: tuple[Decision, ...]
    board: tuple[Row, ...]
    budgets: tuple[TierTable, ...]
    trends: tuple[Trend, ...]
    runbook: tuple[Coverage, ...]
    surroundings: tuple[Group, ...]
    uncovered: tuple[str, ...]

    @property
    def trends_by_line(self) -> list[tuple[Line, list[Trend]]]:
        """The trends of each drill in each place, together."""
        found: dict[tuple[str, Place], list[Trend]] = {}
        for one in self.trends:
            found.setdefault((one.line.drill, one.line.place), []).append(one)
        return [(rows[0].line, rows) for rows in found.values()]

    @property
    def runbook_by_section(self) -> dict[str, list[Coverage]]:
        """The items of the Operations page, in its order."""
        found: dict[str, list[Coverage]] = {}
        for one in self.runbook:
            found.setdefault(one.item.section, []).append(one)
        return found

    @property
    def synthetic(self) -> str:
        """What must be said of records that nobody observed; empty where there are none."""
        made = sum(bool(run.synthetic) for runs in self.history.runs_of.values() for run in runs)
        every = sum(map(len, self.history.runs_of.values()))
        if not made:
            return ""
        return (f"{made} of the {every} records behind this report are synthetic: the product's own writers made them "
                "for show, and nothing was run. Wherever they stand they are marked, and no figure of theirs is set "
                "beside one that was observed.")  # fmt: skip

    @property
    def lead(self) -> str:
        """What goes before the month's answer: findings that should be done by now."""
        overdue = sum(one.kind == "overdue" for one in self.decisions)
        if not overdue:
            return ""
        return "1 finding is overdue." if overdue == 1 else f"{overdue} findings are overdue."


def contents_of(out: Path, month: str, expected: Expected, today: date) -> Contents:
    """Read a month and the eleven before it, and draw the pictures of the runs that it shows.

    Raises BadInput for a text that is no month, and for a month without runs.
    """
    folder = month_folder(out, month)
    runs = [run for run in runs_of(folder, series=False) if run.provenance.get("suite") != TEETH]
    overview = Overview.of(month, runs).told(with_series)
    history = History.of(month, runs, past_runs(out, month))
    teeth, teeth_problem = read_teeth(folder)
    findings, findings_problem = _findings(out, today)
    budgets = tables_of(history)
    covered = coverage_of(history, (*expected.monthly, *expected.others))
    return Contents(
        overview, history, today,
        {run.path: write_pictures(run) for run in overview.newest if run.series and run.verdict},
        teeth, teeth_problem, tuple(in_order(findings, today)), findings_problem,
        decisions_of(history, findings, expected, budgets, today), scoreboard(history), budgets, trends_of(history),
        covered, surroundings_of(overview.newest), uncovered(history, expected, covered),
    )  # fmt: skip


def _findings(out: Path, today: date) -> tuple[tuple[Finding, ...], str]:
    """The ledger, or what is wrong with it: a report is no place to give up over a slip in a hand-written file."""
    try:
        return read_findings(out / FOLDER, today), ""
    except BadInput as error:
        return (), "; ".join(error.problems)

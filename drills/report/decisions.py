"""What of a month needs somebody to decide: overdue findings, then what broke, what was not run, what is stale."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from drills.findings.finding import Finding
from drills.findings.listing import in_order
from drills.report.budget import TierTable
from drills.report.expected import Expected
from drills.report.history import History, Line
from drills.report.overview import key_row
from drills.report.runs import Run
from drills.report.words import figure, limit

STALE_DAYS = 92  # a drill outside the monthly suite that nobody has run for three months proves nothing of today


@dataclass(frozen=True)
class Decision:
    """One thing to decide: its kind in a word or two, what it is about, what is to be known, the run it came of."""

    kind: str
    about: str
    says: str
    run: Run | None = None


def decisions_of(
    history: History, findings: Sequence[Finding], expected: Expected, budgets: Iterable[TierTable], today: date
) -> tuple[Decision, ...]:  # fmt: skip
    """All of them, the most pressing first."""
    return (
        *_findings(findings, today), *_failures(history), *_overspent(budgets), *_not_run(history, expected),
        *_stale(history, expected, today),
    )  # fmt: skip


def _findings(findings: Sequence[Finding], today: date) -> Iterator[Decision]:
    ordered = in_order(findings, today)
    for one in ordered:
        if one.overdue(today) and one.due:
            late = (today - one.due).days
            yield Decision("overdue", one.id, f"{one.severity}, {one.state}, {_owner(one)}, due {one.due}, "
                           f"{late} {'day' if late == 1 else 'days'} ago")  # fmt: skip
    for one in ordered:
        if one.open and not one.assigned:
            yield Decision("unassigned", one.id, f"{one.severity}, {one.state}: nobody fixes it until a day; "
                           f"drills findings assign {one.id} says who and when")  # fmt: skip


def _owner(finding: Finding) -> str:
    return f"owner {finding.owner}" if finding.owner else "nobody owns it"


def _failures(history: History) -> Iterator[Decision]:
    """Lines whose newest run this month is broken: new where the runs before it were not."""
    for line in history.lines:
        mine = line.runs.get(history.month, ())
        if mine and mine[-1].status == "broken":
            earlier = [run for month in sorted(line.runs) for run in line.runs[month]][:-1]
            new = not earlier or earlier[-1].status != "broken"
            row = key_row(mine[-1])
            says = f"{row.objective} in {row.window}: {figure(row)}, limit {limit(row)}" if row else "see its section"
            yield Decision("new failure" if new else "still broken", _name(line), says, mine[-1])


def _name(line: Line) -> str:
    return f"{line.drill} ({line.place})"


def _overspent(budgets: Iterable[TierTable]) -> Iterator[Decision]:
    for table in budgets:
        for row in table.rows:
            if row.left is not None and row.left < 0:
                yield Decision("budget overspent", f"{row.indicator} ({table.place})",
                               f"{row.used} failures of {row.samples} samples, {row.allowed:.1f} allowed")  # fmt: skip


def _not_run(history: History, expected: Expected) -> Iterator[Decision]:
    ran = {line.drill for line in history.lines if line.runs.get(history.month) and not line.place.synthetic}
    for drill in expected.monthly:
        if drill not in ran:
            last = max((line.last.started_at for line in history.lines
                        if line.drill == drill and not line.place.synthetic), default="")  # fmt: skip
            when = f"last on {last[:10]}" if last else f"never in the last {len(history.months)} months"
            yield Decision("not run", drill, f"of the monthly suite, and not judged this month; {when}")


def _stale(history: History, expected: Expected, today: date) -> Iterator[Decision]:
    """Drills outside the monthly suite that were run once and not for long."""
    end = min(today, _end_of(history.month))
    for drill in expected.others:
        runs = [line.last for line in history.lines if line.drill == drill and not line.place.synthetic]
        newest = max(runs, key=lambda run: run.started_at, default=None)
        days = _days_since(newest, end) if newest else None
        if newest and days is not None and days > STALE_DAYS:
            yield Decision("stale", drill, f"last run {days} days ago, on {newest.started_at[:10]}", newest)


def _end_of(month: str) -> date:
    year, number = int(month[:4]), int(month[5:])
    return date(year, number, calendar.monthrange(year, number)[1])


def _days_since(run: Run, end: date) -> int | None:
    try:
        return (end - datetime.fromisoformat(run.started_at).date()).days
    except ValueError:
        return None

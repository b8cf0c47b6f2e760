"""The service indicators tier by tier against their targets, with their error budgets.

The budget of an indicator is what its target allows of the samples that the month's runs of that tier have taken: with
at most 2 % of drops allowed, 1,000 sessions may lose 20. What was used is what failed. Judgements that are inconclusive
are left out on both sides, for they say nothing either way, and are counted beside it. Deliberate faults are in it: it
is the budget of the rehearsals, and an indicator that is only broken while a fault lasts has used it there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from drills.objectives import CLAIMS, Shape
from drills.report.files import JudgementRow
from drills.report.history import History, Place
from drills.report.matrix import INDICATORS
from drills.report.overview import ORDER
from drills.report.runs import Run

CONTINUITY = ("signal continuity", "auth continuity")  # ours, beside those of the page's Reliability Baseline


@dataclass(frozen=True)
class Budget:
    """One indicator in one place over a month."""

    indicator: str
    objective: str
    unit: str
    limit: float | None
    runs: int
    samples: int
    allowed: float
    used: int
    left_out: int  # judgements that are inconclusive, or too old to say how many failed
    worst: float | None  # the worst figure of those that count
    verdict: str  # the gravest of all judgements

    @property
    def left(self) -> float | None:
        """The share of the budget that is left, below 0 where it is overspent; None where nothing counts."""
        if not self.samples:
            return None
        return 1 - self.used / self.allowed if self.allowed else (1.0 if not self.used else -float(self.used))


@dataclass(frozen=True)
class TierTable:
    """All indicators in one place."""

    place: Place
    runs: int
    rows: tuple[Budget, ...]


def tables_of(history: History) -> tuple[TierTable, ...]:
    """One table for each place of the month's runs."""
    places: dict[Place, list[Run]] = {}
    for line in history.lines:
        if mine := line.runs.get(history.month):
            places.setdefault(line.place, []).extend(mine)
    return tuple(TierTable(place, len(runs), tuple(_rows(runs))) for place, runs in places.items())


def _rows(runs: list[Run]) -> Iterable[Budget]:
    for indicator in (*INDICATORS, *CONTINUITY):
        yield _budget(indicator, runs)


def _budget(indicator: str, runs: list[Run]) -> Budget:
    rows = [(run, row) for run in runs for row in (run.verdict.judgements if run.verdict else ())
            if row.indicator == indicator]  # fmt: skip
    if not rows:
        return Budget(indicator, "", "", None, 0, 0, 0.0, 0, 0, None, "")
    known = [(run, row, failed) for run, row in rows
             if row.verdict != "inconclusive" and (failed := failed_of(row)) is not None]  # fmt: skip
    newest = rows[-1][1]
    figures = [row.figure for _, row, _ in known if row.figure is not None]
    claim = CLAIMS.get(newest.objective)
    worst = min if claim and claim.shape is Shape.RATIO_MIN else max
    return Budget(
        indicator, newest.objective, newest.unit, newest.limit, len({run.path for run, _, _ in known}),
        sum(row.samples for _, row, _ in known),
        sum(row.samples * (share_of(row) or 0.0) for _, row, _ in known), sum(failed for *_, failed in known),
        len(rows) - len(known), worst(figures) if figures else None,
        min((row.verdict for _, row in rows), key=ORDER.index),
    )  # fmt: skip


def failed_of(row: JudgementRow) -> int | None:
    """How many samples of a judgement failed; of an older record's share worked out, of its percentile unknown."""
    claim = CLAIMS.get(row.objective)
    if row.failed is not None or row.figure is None or claim is None:
        return row.failed
    if claim.shape is Shape.RATIO_MAX:
        return round(row.figure * row.samples)
    return round((1 - row.figure) * row.samples) if claim.shape is Shape.RATIO_MIN else None


def share_of(row: JudgementRow) -> float | None:
    """The share of a judgement's samples that may fail."""
    claim = CLAIMS.get(row.objective)
    if row.allowed_share is not None or claim is None:
        return row.allowed_share
    return {Shape.RATIO_MAX: row.limit, Shape.RATIO_MIN: 1 - row.limit}.get(claim.shape)

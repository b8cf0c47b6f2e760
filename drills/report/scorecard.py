"""The table of a month's drills, in plain text: what each came to, where and when, and what decided it."""

from __future__ import annotations

from dataclasses import dataclass

from drills.report.overview import key_row
from drills.report.runs import Run
from drills.report.words import figure, limit, moment

HEAD = ("drill", "verdict", "when (UTC)", "target", "stage", "tier", "pace", "what decided it")


@dataclass(frozen=True)
class Score:
    """One run's line."""

    run: Run
    when: str
    target: str  # with the defects that were switched on
    decided: str


def score_of(run: Run) -> Score:
    """A run's line of the table."""
    return Score(run, moment(run.started_at), target_of(run), _decided(run))


def target_of(run: Run) -> str:
    """The target, and the defects of it that were switched on."""
    return f"{run.target} with {', '.join(run.defects)}" if run.defects else run.target


def _decided(run: Run) -> str:
    if run.verdict is None:
        return run.problem
    row = key_row(run)
    if run.verdict.violated and (row is None or row.verdict != "broken"):
        first = run.verdict.violated[0]
        return f"invariant {first.invariant} is violated: {first.reason}"
    if row is None:
        count = len(run.verdict.judgements)
        return "nothing was judged" if not count else "its one judgement held" if count == 1 else \
               f"all {count} judgements held"  # fmt: skip
    return f"{row.objective} in {row.window}: {figure(row)}, limit {limit(row)}" + (
        f"; {row.reason}" * bool(row.reason)
    )

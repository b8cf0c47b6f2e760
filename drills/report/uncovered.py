"""What a month's runs do not show: nobody should read a clean page as more than it is."""

from __future__ import annotations

from collections.abc import Iterator

from drills.report.expected import Expected
from drills.report.history import History
from drills.report.runbook import Coverage
from drills.report.runs import Run

ALWAYS = (
    "Wavry's own client and host programs, video, sound and the GPU: both ends of every session are synthetic.",
    "The Internet: all runs are on one machine or one network of it.",
    "More than one gateway or master at a time: Wavry keeps their state in memory, so there is one of each.",
)


def uncovered(history: History, expected: Expected, coverage: tuple[Coverage, ...]) -> tuple[str, ...]:
    """In sentences, what is particular to this month first."""
    runs = [run for line in history.lines for run in line.runs.get(history.month, ()) if not line.place.synthetic]
    return (*_of(runs, expected), *_items(coverage), *ALWAYS)


def _of(runs: list[Run], expected: Expected) -> Iterator[str]:
    ran = {run.drill for run in runs}
    if expected.problem:
        yield f"Which drills there should be is not known: {expected.problem}."
    if missing := [name for name in expected.monthly if name not in ran]:
        yield f"Drills of the monthly suite that were not judged: {', '.join(missing)}."
    if missing := [name for name in expected.others if name not in ran]:
        yield f"Other drills that were not run: {', '.join(missing)}."
    if not runs:
        return
    stages, targets, paces = ({getattr(run, name) for run in runs} for name in ("stage", "target", "pace"))
    if "containers" not in stages:
        yield "Containers: every run stood on local processes, so restart policies and images were not exercised."
    if "wavry" not in targets:
        yield "Wavry's own programs: every run was on another target."
    if "real" not in paces:
        yield "Wavry's own timers: every run was at fast pace, a tenth of them."
    if all(run.provenance.get("direct_path", "closed") == "closed" for run in runs):
        yield "The direct path between client and host: it was closed in every run, so all media went by relay."
    tiers = {run.tier for run in runs}
    if "prod" not in tiers:
        yield f"The limits of tier prod: runs were judged by those of {', '.join(sorted(tiers)) or 'no tier'}."
    yield from _unknown_invariants(runs)


def _unknown_invariants(runs: list[Run]) -> Iterator[str]:
    outcomes: dict[str, set[str]] = {}
    for run in runs:
        for row in run.verdict.invariants if run.verdict else ():
            outcomes.setdefault(row.invariant, set()).add(row.outcome)
    if unknown := [name for name, seen in outcomes.items() if seen == {"unknown"}]:
        yield f"Invariants for which there was no occasion in any run: {', '.join(unknown)}."


def _items(coverage: tuple[Coverage, ...]) -> Iterator[str]:
    none = sum(one.word == "no drill" for one in coverage)
    never = sum(one.word == "never" for one in coverage)
    if none or never:
        yield (f"Of the Operations page, {none} items that no drill exercises and {never} whose drills have not run in "
               "twelve months (the table of the runbook names them).")  # fmt: skip

"""Verdicts for a terminal: the lines after a drill, and the table at the end."""

from __future__ import annotations

from collections import Counter

from drills.invariants.base import Standing
from drills.report.noticed import line
from drills.verdict import Judgement, Outcome, Verdict

MARKS = {Outcome.HELD: "held", Outcome.INCONCLUSIVE: "inconclusive", Outcome.BROKEN: "BROKEN"}
SHARED_MIN = 6  # so many judgements with one and the same reason are one line
ORDER = {Outcome.BROKEN: 0, Outcome.INCONCLUSIVE: 1, Outcome.HELD: 2}


def figure_of(judgement: Judgement) -> str:
    """A figure with its unit, short enough for a line."""
    if judgement.figure is None:
        return "nothing"
    digits = f"{judgement.figure:.4f}" if judgement.unit == "ratio" else f"{judgement.figure:.1f}"
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits} {judgement.unit}"


def verdict_lines(verdict: Verdict) -> list[str]:
    """The verdict in a line, and under it every objective that did not hold, with its reason."""
    held = sum(one.verdict is Outcome.HELD for one in verdict.judgements)
    lines = [f"{verdict.drill}: {MARKS[verdict.verdict]} ({held} of {len(verdict.judgements)} judgements held)"]
    lines += [f"  {'SILENT':<12} {line(one)}" for one in verdict.detection if one.silent]
    shared = Counter(one.reason for one in verdict.judgements if one.verdict is Outcome.INCONCLUSIVE)
    lines += [f"  {MARKS[Outcome.INCONCLUSIVE]:<12} {count} judgements: {reason}"
              for reason, count in shared.items() if count >= SHARED_MIN]  # fmt: skip
    for one in sorted(verdict.judgements, key=lambda one: (not one.silent, ORDER[one.verdict])):
        if one.verdict is not Outcome.HELD and shared[one.reason] < SHARED_MIN:
            lines.append(f"  {MARKS[one.verdict]:<12} {one.objective} in {one.window}: {figure_of(one)}, "
                         f"limit {one.limit:g}; {one.reason}")  # fmt: skip
    lines += [f"  {'detection':<12} {line(one)}" for one in verdict.detection if not one.silent]
    return lines + _invariant_lines(verdict)


def _invariant_lines(verdict: Verdict) -> list[str]:
    """Every violated invariant with its first witness, and how many hold and are unknown."""
    lines = []
    for one in verdict.invariants:
        if one.outcome is Standing.VIOLATED:
            lines.append(f"  {'VIOLATED':<12} {one.invariant}: {one.reason}")
            lines += [f"  {'':<12} {witness}" for witness in one.witnesses[:1]]
    for standing in (Standing.HOLDS, Standing.UNKNOWN):
        names = [one.invariant for one in verdict.invariants if one.outcome is standing]
        if names:
            lines.append(f"  {standing:<12} {len(names)} of {len(verdict.invariants)} invariants: {', '.join(names)}")
    return lines


def table_of(rows: list[tuple[str, Outcome | None, str]], not_run: list[str]) -> list[str]:
    """The table of verdicts at the end of a run; (drill, outcome or None, folder or why it could not be run)."""
    width = max((len(name) for name, _, _ in rows), default=5)
    lines = [f"{'drill':<{width}}  {'verdict':<14} evidence"]
    for name, verdict, words in rows:
        lines.append(f"{name:<{width}}  {MARKS[verdict] if verdict else 'could not run':<14} {words}")
    lines += [f"{name:<{width}}  {'not run':<14} the command was interrupted" for name in not_run]
    return lines

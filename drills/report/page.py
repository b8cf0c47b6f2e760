"""A month as a Markdown page: the answer, the table of drills, a section for each drill, the earlier runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from drills.report.markdown import bullets, link, table, text
from drills.report.overview import Overview, key_row
from drills.report.runs import Run
from drills.report.section import MARKS, section
from drills.report.words import figure, limit, moment


def page(overview: Overview, pictures: Mapping[str, Path]) -> str:
    """The whole page; ``pictures`` has the picture of each run, by the run's path."""
    several = {run.drill for run in overview.newest if sum(one.drill == run.drill for one in overview.newest) > 1}
    parts = [
        f"# Reliability drills, {overview.month}",
        f"**{text(overview.answer())}**",
        *(f"Beware: {text(warning)}" for warning in overview.warnings()),
        _drills(overview),
        *(section(run, pictures.get(run.path), told_apart=run.drill in several) for run in overview.newest),
        _earlier(overview),
        f"Made from the disk alone; `drills report {overview.month}` makes it again.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _drills(overview: Overview) -> str:
    head = ("drill", "verdict", "when (UTC)", "target", "tier", "pace", "what decided it")
    return table(head, (_row(run) for run in overview.newest))


def _row(run: Run) -> tuple[str, ...]:
    tier = run.verdict.tier if run.verdict else run.provenance.get("tier", "")
    return (
        link(run.drill, run.path), MARKS[run.status], text(moment(run.started_at)), text(_target(run)), text(tier),
        text(run.provenance.get("pace", "")), _decided(run),
    )  # fmt: skip


def _target(run: Run) -> str:
    return f"{run.target} with {', '.join(run.defects)}" if run.defects else run.target


def _decided(run: Run) -> str:
    if run.verdict is None:
        return text(run.problem, 200)
    row = key_row(run)
    if row is None:
        return f"all {len(run.verdict.judgements)} judgements held" if run.verdict.judgements else "nothing was judged"
    figures = f"{figure(row)}, limit {limit(row)}"
    return f"{text(row.objective)} in {text(row.window)}: {text(figures)}; {text(row.reason, 160)}"


def _earlier(overview: Overview) -> str:
    if not overview.earlier:
        return ""
    lines = []
    for run in overview.earlier:
        file = f"{run.path}/verdict.json" if run.verdict else run.path
        words = f"{text(moment(run.started_at))} {link(run.drill, file)}: {MARKS[run.status]}"
        if _target(run):
            words += f", {text(_target(run))}"
        lines.append(words + (f"; {text(run.problem, 200)}" if run.problem else ""))
    return f"## Earlier runs this month\n\n{bullets(lines)}"

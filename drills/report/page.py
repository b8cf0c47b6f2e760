"""A month as a Markdown page: the answer, the table of drills, a section for each drill, the earlier runs."""

from __future__ import annotations

from drills.report.conditions import conditions_table
from drills.report.contents import Contents
from drills.report.markdown import bullets, link, table, text
from drills.report.month_sections import coverage_sections, month_sections
from drills.report.overview import Overview
from drills.report.scorecard import HEAD, Score, score_of, target_of
from drills.report.section import MARKS, section
from drills.report.teeth import teeth_section
from drills.report.words import moment


def page(contents: Contents) -> str:
    """The whole page."""
    overview, pictures = contents.overview, contents.pictures
    parts = [
        f"# Reliability drills, {overview.month}",
        f"**{text(contents.lead)}**" if contents.lead else "",
        f"**{text(overview.answer())}**",
        *(f"Beware: {text(warning)}" for warning in overview.warnings()),
        f"Synthetic records: {text(contents.synthetic)}" if contents.synthetic else "",
        *month_sections(contents),
        "## This month's runs",
        table(HEAD, (_row(score_of(run)) for run in overview.newest)),
        conditions_table(overview.newest),
        *(section(run, pictures.get(run.path), overview.told_apart(run)) for run in overview.newest),
        teeth_section(contents.teeth, contents.teeth_problem),
        *coverage_sections(contents),
        _earlier(overview),
        f"Made from the disk alone; `drills report {overview.month}` makes it again.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _row(score: Score) -> tuple[str, ...]:
    run = score.run
    return (
        link(run.drill, run.path), MARKS[run.status] + (", synthetic" if run.synthetic else ""), text(score.when),
        text(score.target), text(run.stage),
        text(run.tier), text(run.pace), text(score.decided),
    )  # fmt: skip


def _earlier(overview: Overview) -> str:
    if not overview.earlier:
        return ""
    lines = []
    for run in overview.earlier:
        file = f"{run.path}/verdict.json" if run.verdict else run.path
        words = f"{text(moment(run.started_at))} {link(run.drill, file)}: {MARKS[run.status]}"
        words += "".join(f", {text(place)}" for place in (target_of(run), run.stage) if place)
        lines.append(words + (f"; {text(run.problem, 200)}" if run.problem else ""))
    return f"## Earlier runs this month\n\n{bullets(lines)}"

"""The Markdown sections about the month as a whole: decisions, scorecard, indicators, trends, findings, coverage."""

from __future__ import annotations

from collections.abc import Iterator

from drills.report.budget import Budget
from drills.report.contents import Contents
from drills.report.history import Line
from drills.report.markdown import bullets, link, table, text
from drills.report.runbook import Coverage
from drills.report.scoreboard import Cell
from drills.report.section import MARKS
from drills.report.words import figures, moment, month_name, share


def month_sections(contents: Contents) -> Iterator[str]:
    """What stands before the month's runs."""
    yield "## What needs a decision\n\n" + _decisions(contents)
    yield "## Scorecard: the last twelve months\n\n" + _board(contents)
    yield "## Service indicators and error budgets"
    yield from _budgets(contents)
    yield "## Trends\n\n" + _trends(contents)
    yield "## Findings\n\n" + _findings(contents)


def coverage_sections(contents: Contents) -> Iterator[str]:
    """What stands after them."""
    head = ("section", "item", "exercised", "last (UTC)", "by")
    yield "## Runbook coverage\n\n" + table(head, map(_item, contents.runbook))
    lines = [f"{text(group.title)}: " + "; ".join(f"{text(name)} {text(value)}" for name, value in group.pairs)
             for group in contents.surroundings]  # fmt: skip
    yield "## Environment and limits in force\n\n" + (bullets(lines) if lines else "Nothing was written about it.")
    yield "## What was not covered\n\n" + bullets(map(text, contents.uncovered))


def _decisions(contents: Contents) -> str:
    if not contents.decisions:
        return "Nothing: no finding is overdue, nothing new is broken, and everything that should have run has."
    return bullets(f"**{text(one.kind)}** {text(one.about)}: {text(one.says)}" for one in contents.decisions)


def _line(line: Line) -> str:
    return f"{text(line.drill)}, {text(line.place)}"


def _board(contents: Contents) -> str:
    head = ("drill", *map(month_name, reversed(contents.history.months)), "key figure", "noise band")
    rows = ((_line(row.line), *map(_cell, reversed(row.cells)), text(row.key), text(row.band_words))
            for row in contents.board)  # fmt: skip
    return table(head, rows) if contents.board else "Nothing was judged."


def _cell(cell: Cell) -> str:
    if not cell.status:
        return "·"
    more = f" ({text(cell.says)})" if cell.says != "1 run" else ""
    return f"{MARKS[cell.status]} {text(cell.figure)}".strip() + more


def _budgets(contents: Contents) -> Iterator[str]:
    head = ("indicator", "gravest", "target", "worst", "samples", "allowed", "used", "budget left", "left out")
    for one in contents.budgets:
        runs = "1 run" if one.runs == 1 else f"{one.runs} runs"
        yield f"### {text(one.place)}, {runs}\n\n" + table(head, map(_budget, one.rows))
    if not contents.budgets:
        yield "Nothing was judged this month."


def _budget(row: Budget) -> tuple[str, ...]:
    if not row.objective:
        return (text(row.indicator), "not measured", *[""] * 7)
    known = bool(row.samples)
    left = "unknown" if row.left is None else share(row.left) + (" **overspent**" if row.left < 0 else "")
    return (
        text(row.indicator), MARKS[row.verdict], text(figures(row.limit, row.unit)), text(figures(row.worst, row.unit)),
        str(row.samples), f"{row.allowed:.1f}" if known else "–", str(row.used) if known else "–", left,
        str(row.left_out),
    )  # fmt: skip


def _trends(contents: Contents) -> str:
    head = ("drill", "figure", "now", "last month", "against it", "last release", "against it", "noise")
    rows = [
        (_line(one.line), text(f"{one.key.objective} in {one.key.window}"), text(figures(one.now, one.unit)),
         text(f"{figures(one.before, one.unit)} {one.before_when}"), text(one.word),
         text(f"{figures(one.release, one.unit)} {one.release_when}"), text(one.release_word),
         text(f"±{figures(one.band.width, one.unit)}" if one.band.width is not None else "unknown"))
        for one in contents.trends
    ]  # fmt: skip
    return table(head, rows) if rows else "Nothing was judged this month, so there is nothing to compare."


def _findings(contents: Contents) -> str:
    if contents.findings_problem:
        return f"Beware: the ledger of findings cannot be read: {text(contents.findings_problem)}"
    if not contents.findings:
        return "None: no run has broken a promise that nobody has mended since."
    head = ("finding", "state", "severity", "owner", "due", "re-test", "root cause", "newest evidence")
    return table(head, (
        (text(one.id), text(one.state), text(one.severity), text(one.owner or "nobody"),
         f"{one.due or '–'}" + (" **overdue**" if one.overdue(contents.today) else ""), f"{one.retest or '–'}",
         text(one.root_cause or "not written down"),
         link(one.newest.run, f"../{one.newest.run}/verdict.json") if one.newest else "none")
        for one in contents.findings
    ))  # fmt: skip


def _item(one: Coverage) -> tuple[str, ...]:
    newest = one.line.last if one.line else None
    when = text(moment(newest.started_at)[:10]) if newest else "–"
    return text(one.item.section), text(one.item.says), text(one.word), when, text(one.by)

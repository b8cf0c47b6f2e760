"""Drills by the network conditions that they ran under, as one picture: what held on fibre may not over a satellite.

A row a drill, a column a condition, a field the newest verdict, in a word as well as in a colour. Inline SVG made of
rectangles and words, so that the page stays one file.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from drills.report.canvas import GREEN, GREY, ON_COLOUR, ORANGE, RED
from drills.report.markdown import table, text
from drills.report.outside import one_line
from drills.report.runs import Run
from drills.report.section import MARKS

COLOURS = {"held": GREEN, "broken": RED, "inconclusive": ORANGE}
FIELD_WIDTH, FIELD_HEIGHT, NAMES_WIDTH, GAP = 132, 28, 240, 4
LETTERS_MAX = 32  # of a name: outside text must not run out of the picture


def cells(runs: Sequence[Run]) -> tuple[list[str], list[str], dict[tuple[str, str], Run]]:
    """Drills, conditions and the newest run of each pair, of those without a defect; nothing where none was under one.

    Of several targets and stages the gravest verdict stands in the field: no picture is better than what it hides.
    """
    mine = [run for run in runs if not run.defects]
    drills = [*dict.fromkeys(run.drill for run in mine if run.condition)]
    shown: dict[tuple[str, str], Run] = {}
    for run in (run for run in mine if run.drill in drills):
        key = (run.drill, run.condition)
        if key not in shown or run.gravity < shown[key].gravity:
            shown[key] = run
    names = sorted({condition for _, condition in shown})
    return sorted(drills), names, shown


def conditions_table(runs: Sequence[Run]) -> str:
    """The same for Markdown; empty where no run was under a condition."""
    drills, names, shown = cells(runs)
    if not drills:
        return ""
    head = ("drill", *(text(name) or "no condition" for name in names))
    rows = ((text(drill), *(MARKS[shown[drill, name].status] if (drill, name) in shown else "" for name in names))
            for drill in drills)  # fmt: skip
    return "## Network conditions\n\n" + table(head, rows)


def conditions_picture(runs: Sequence[Run]) -> str:
    """The picture as SVG; empty where no run was under a condition."""
    drills, names, shown = cells(runs)
    if not drills:
        return ""
    width = NAMES_WIDTH + len(names) * (FIELD_WIDTH + GAP)
    height = (len(drills) + 1) * (FIELD_HEIGHT + GAP)
    parts = [_words(NAMES_WIDTH + _left(column), FIELD_HEIGHT - 9, _safe(name) or "no condition", "middle")
             for column, name in enumerate(names)]  # fmt: skip
    for row, drill in enumerate(drills, start=1):
        top = row * (FIELD_HEIGHT + GAP)
        parts.append(_words(NAMES_WIDTH - 8, top + FIELD_HEIGHT - 9, _safe(drill), "end"))
        for column, name in enumerate(names):
            run = shown.get((drill, name))
            if run:
                parts.append(_field(NAMES_WIDTH + column * (FIELD_WIDTH + GAP), top, run.status))
    said = "; ".join(f"{_safe(drill)} under {_safe(name) or 'no condition'}: {run.status}"
                     for (drill, name), run in sorted(shown.items()))  # fmt: skip
    return (f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="sans-serif" font-size="13"><title>Verdicts by drill and network condition'
            f"</title><desc>{said}</desc>{''.join(parts)}</svg>")  # fmt: skip


def _left(column: int) -> float:
    return column * (FIELD_WIDTH + GAP) + FIELD_WIDTH / 2


def _safe(name: str) -> str:
    """Outside text as it may stand in the picture."""
    return escape(one_line(name)[:LETTERS_MAX])


def _words(x: float, y: float, words: str, anchor: str, colour: str = "currentColor") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def _field(x: float, y: float, status: str) -> str:
    box = f'<rect x="{x:g}" y="{y:g}" width="{FIELD_WIDTH}" height="{FIELD_HEIGHT}" rx="3" '
    return (
        box
        + f'fill="{COLOURS.get(status, GREY)}"/>'
        + _words(x + FIELD_WIDTH / 2, y + FIELD_HEIGHT - 9, escape(status), "middle", ON_COLOUR)
    )

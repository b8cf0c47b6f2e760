"""A month as one self-contained HTML page: no script, no network, no other file.

What comes from outside is escaped by the template engine, after letters that cannot be seen are taken out of it; a
policy in the page itself forbids scripts and everything that is not in the page.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from drills.report.chapter import Chapter, chapter_of
from drills.report.conditions import conditions_picture
from drills.report.contents import Contents
from drills.report.noticed import HEAD as NOTICED_HEAD
from drills.report.outside import one_line
from drills.report.picture import Pictures
from drills.report.runs import GRAVEST_FIRST
from drills.report.scorecard import HEAD, score_of
from drills.report.words import figure, figures, limit, moment, month_name, share

TEMPLATES = Path(__file__).parent / "templates"
# A word and a sign for each status, so that no colour has to be seen.
MARKS = {
    "broken": ("broken", "✕"), "not run": ("not run", "–"), "unreadable": ("cannot be read", "!"),
    "inconclusive": ("inconclusive", "?"), "held": ("held", "✓"),
    "caught": ("caught", "✓"), "missed": ("missed", "✕"), "false alarm": ("false alarm", "✕"),  # of the teeth matrix
    "synthetic": ("synthetic", "≈"),
    "new": ("new", "!"), "ongoing": ("ongoing", "…"), "regressed": ("regressed", "✕"), "stale": ("stale", "?"),
    "resolved": ("resolved", "✓"),  # of the findings
    "this month": ("this month", "✓"), "earlier": ("earlier", "…"), "never": ("never", "–"),
    "no drill": ("no drill", "–"),  # of the runbook
    "violated": ("violated", "✕"), "unknown": ("unknown", "?"), "holds": ("holds", "✓"),
}  # fmt: skip


def html(contents: Contents) -> str:
    """The whole page."""
    overview = contents.overview
    chapters: list[Chapter] = []
    for run in overview.newest:
        drawings = _drawings(contents.pictures.get(run.path))
        chapters.append(chapter_of(run, overview.told_apart(run), drawings, {one.anchor for one in chapters}))
    counts = Counter(run.status for run in overview.counted)
    template = _environment().get_template("month.html")
    return template.render(
        contents=contents,
        overview=overview,
        chapters=chapters,
        anchors={chapter.run.path: chapter.anchor for chapter in chapters},
        head=HEAD,
        conditions=Markup(conditions_picture(overview.newest)),
        teeth=contents.teeth,
        teeth_problem=contents.teeth_problem,
        tally=[(status, counts[status]) for status in GRAVEST_FIRST if counts[status]],
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
    )


def _drawings(drawn: Pictures | None) -> tuple[str, str]:
    if drawn is None:
        return "", ""
    return drawn.users.read_text(encoding="utf-8"), drawn.services.read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, finalize=_shown,
    )  # fmt: skip
    environment.globals.update(
        marks=MARKS,
        noticed_head=NOTICED_HEAD,
        score_of=score_of,
        moment=moment,
        month_name=month_name,
        figures=figures,
        share=share,
    )
    environment.filters.update(
        figure=figure, limit=limit, svg=Markup, below=_below, beside=_beside, breakable=_breakable
    )
    return environment


def _shown(value: Any) -> Any:
    """What an expression of a template becomes; markup of our own stays as it is."""
    return value if isinstance(value, Markup) else one_line(value)


def _below(path: str) -> str:
    """A link to a file below the page, which no name of a folder can turn into anything else."""
    return "./" + quote(path, errors="replace")


def _beside(path: str) -> str:
    """A link to a file beside the page's folder, as a finding's evidence of another month is."""
    return quote(path, errors="replace")


def _breakable(name: str) -> Markup:
    """A long name that may break where a reader would break it, after an underscore."""
    return Markup("_<wbr>").join(escape(part) for part in one_line(name).split("_"))

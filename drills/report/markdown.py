"""Text for a Markdown page: whatever comes from outside stays text, wherever it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from drills.report.outside import one_line

LONGEST = 400  # letters of one piece of outside text in a table
_MARKS = re.compile(r"([\\`*\[\]|~$])|(?<![^\W_])_|_(?![^\W_])")  # an underscore inside a word is none
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def text(outside: object, longest: int = LONGEST) -> str:
    """Outside text as text on one line: no tag, link, code, table cell or heading can come of it."""
    line = one_line(outside)
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    return _MARKS.sub(lambda found: "\\" + found.group(0), line).translate(_ENTITIES)


def code_block(outside: str) -> str:
    """A command to copy, in a fence that nothing inside can close."""
    line = one_line(outside)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    return f"{fence}sh\n{line}\n{fence}"


def link(words: object, path: str) -> str:
    """A link to a file below the page."""
    return f"[{text(words)}]({quote(path)})"


def picture(words: object, path: str) -> str:
    """A picture below the page."""
    return "!" + link(words, path)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells are Markdown already."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def bullets(lines: Iterable[str]) -> str:
    """A list; the lines are Markdown already."""
    return "\n".join(f"- {line}" for line in lines)

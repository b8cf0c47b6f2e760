"""One line of a benchmark's result, and what the lines together exit with: pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from drills.errors import Exit


class Outcome(StrEnum):
    """What a row can be; ``shown`` has no limit of its own."""

    OK = "ok"
    OVER = "over"
    SHOWN = "shown"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Row:
    """A figure with its limit, or a ratio within one run with its own, or why there is neither."""

    benchmark: str
    name: str
    figure: float | None = None
    unit: str = ""
    limit: float | None = None
    ratio: float | None = None
    ratio_limit: float | None = None
    says: str = ""  # what the ratio compares, and what a reader should know beside the figure
    missing: str = ""

    @property
    def outcome(self) -> Outcome:
        """Over where the figure or the ratio lies past its limit."""
        if self.missing or (self.figure is None and self.ratio is None):
            return Outcome.NOT_RUN
        limited = [(value, limit) for value, limit in ((self.figure, self.limit), (self.ratio, self.ratio_limit))
                   if value is not None and limit is not None]  # fmt: skip
        if any(value > limit for value, limit in limited):
            return Outcome.OVER
        return Outcome.OK if limited else Outcome.SHOWN

    def to_json(self) -> dict[str, Any]:
        """As it stands in the JSON file."""
        return {**asdict(self), "outcome": str(self.outcome)}


def exit_code(rows: Iterable[Row]) -> int:
    """0 all within their limits, 1 some over, 3 where something could not be run, which is the graver."""
    outcomes = {row.outcome for row in rows}
    if Outcome.NOT_RUN in outcomes or not outcomes:
        return int(Exit.CANNOT_RUN)
    return int(Exit.BROKEN if Outcome.OVER in outcomes else Exit.HELD)


HEADINGS = ("benchmark", "figure", "limit", "ratio", "limit", "", "")


def table(rows: Iterable[Row]) -> list[str]:
    """The rows as lines of text, columns aligned."""
    cells = [HEADINGS] + [_cells(row) for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _cells(row: Row) -> tuple[str, ...]:
    return (
        f"{row.benchmark}: {row.name}".removesuffix(": "), _number(row.figure, row.unit), _number(row.limit, row.unit),
        _number(row.ratio, "×"), _number(row.ratio_limit, "×"), str(row.outcome), row.missing or row.says,
    )  # fmt: skip


def _number(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3g} {unit}".strip() if value < 1000 else f"{value:.0f} {unit}".strip()

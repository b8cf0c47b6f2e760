"""The scorecard: drills × the last twelve months, each cell with verdict and key figure, each line with its band."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from drills.report.history import History, Line
from drills.report.overview import ORDER
from drills.report.runs import Run
from drills.report.trends import Band, band_of
from drills.report.words import number


@dataclass(frozen=True)
class Cell:
    """One month of a line; without a status nothing was judged."""

    month: str
    status: str
    figure: str
    value: float | None
    says: str  # how many runs there were, and what became of those that the status does not tell
    run: Run | None


@dataclass(frozen=True)
class Row:
    """One drill in one place."""

    line: Line
    key: str
    unit: str
    band: Band
    band_words: str
    cells: tuple[Cell, ...]


def scoreboard(history: History) -> tuple[Row, ...]:
    """All lines, the newest month last."""
    return tuple(_row(history, line) for line in history.lines)


def _row(history: History, line: Line) -> Row:
    key = line.key
    band = band_of(history, line, key) if key else Band(None, 0, "calm runs")
    row = key.row(line.last) if key else None
    every = (run for runs in line.runs.values() for run in runs)
    unit = row.unit if row else next((found.unit for run in every if key and (found := key.row(run))), "")
    words = f"{key.objective} in {key.window}" if key else "no figure"
    cells = tuple(_cell(line, month, unit) for month in history.months)
    return Row(line, words, unit, band, band_words(band, unit), cells)


def band_words(band: Band, unit: str) -> str:
    """A band for people."""
    if band.width is None:
        return f"unknown ({band.rests_on})"
    digits = number(band.width, unit)
    return f"±{digits}{'' if unit == 'ratio' else f' {unit}'} ({band.rests_on})"


def _cell(line: Line, month: str, unit: str) -> Cell:
    runs = line.runs.get(month, ())
    if not runs:
        return Cell(month, "", "", None, "not run", None)
    value = line.key.value(runs) if line.key else None
    if value is None and line.key:  # better a doubtful figure, beside its verdict, than none
        value = line.key.value(runs, doubted=True)
    figure = "" if value is None else number(value, unit) + ("" if unit == "ratio" else f" {unit}")
    return Cell(month, runs[-1].status, figure, value, _tally(runs), runs[-1])


def _tally(runs: tuple[Run, ...]) -> str:
    """How the month's runs came out, where there was more than one."""
    if len(runs) == 1:
        return "1 run"
    counts = Counter(run.status for run in runs)
    return ", ".join(f"{counts[status]} {status}" for status in ORDER if counts[status])

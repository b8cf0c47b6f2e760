"""Figures, limits, moments and commands as a reader wants them."""

from __future__ import annotations

import math
import shlex
from datetime import datetime, timedelta

from drills.objectives import CLAIMS, Shape
from drills.report.files import JudgementRow
from drills.report.runs import Run

_AT_LEAST = (Shape.RATIO_MIN, Shape.COUNT_MIN)


def number(value: float, unit: str) -> str:
    """A number with as many digits as say something: ratios to four places, all else to one."""
    if not math.isfinite(value):
        return str(value)
    digits = f"{value:.4f}" if unit == "ratio" else f"{value:.1f}"
    if float(digits) == 0.0 != value:
        digits = f"{value:.2g}"
    return digits.rstrip("0").rstrip(".") if "." in digits and "e" not in digits else digits


def figure(row: JudgementRow) -> str:
    """A judgement's figure with its unit; a ratio has none."""
    return "–" if row.figure is None else _with_unit(number(row.figure, row.unit), row.unit)


def limit(row: JudgementRow) -> str:
    """A judgement's limit, with the direction where the claim is still known."""
    claim = CLAIMS.get(row.objective)
    sign = "" if claim is None else "≥ " if claim.shape in _AT_LEAST else "≤ "
    return sign + _with_unit(number(row.limit, row.unit), row.unit)


def figures(value: float | None, unit: str) -> str:
    """A figure that stands alone, with its unit."""
    return "–" if value is None else _with_unit(number(value, unit), unit)


def share(part: float | None) -> str:
    """A share of a whole in per cent."""
    return "–" if part is None else f"{part:.0%}" if abs(part) >= 0.1 or part == 0 else f"{part:.1%}"


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def month_name(month: str) -> str:
    """A month as the head of a narrow column."""
    return f"{MONTHS[int(month[5:]) - 1]} {month[:4]}"


def _with_unit(digits: str, unit: str) -> str:
    if digits == "1" and len(unit) > 2:
        unit = unit.removesuffix("s")
    return digits if unit == "ratio" else f"{digits} {unit}"


def moment(started_at: str, after_s: float = 0.0, *, day: bool = True) -> str:
    """A moment of a run on the wall clock (UTC); the text itself where it is no time."""
    try:
        at = datetime.fromisoformat(started_at) + timedelta(seconds=after_s)
    except (ValueError, OverflowError):
        return started_at or "unknown"
    return f"{at:%Y-%m-%d %H:%M:%S}" if day else f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"


def command_of(run: Run) -> str:
    """The command line of the run; put together from the provenance where none was noted."""
    noted = str(run.provenance.get("command") or "")
    if noted:
        return noted
    words = ["drills", "run", run.drill]
    for option in ("target", "stage", "tier", "pace", "seed"):
        if run.provenance.get(option) not in (None, ""):
            words += [f"--{option}", str(run.provenance[option])]
    for defect in run.defects:
        words += ["--defect", defect]
    return shlex.join(words)

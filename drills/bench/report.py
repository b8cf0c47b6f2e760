"""What a month's report costs: `drills report` over twelve months of daily runs, by the command as a user has it.

The records are those of ``drills.bench.year``: written and judged by the product, 365 calm runs and 24 with a story.
Pictures are drawn anew each time. Whether the cost grows with the history is a ratio within the run: the whole year to
its last month alone.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from drills.bench.processes import DRILLS, Cost, finished, last_words
from drills.bench.rows import Row
from drills.errors import CannotRun

UNTIL = "2026-11"
WALL_S_MAX = 10.0  # issue 7, part 1
REPEATS = 3
MAKE_S, REPORT_S = 600.0, 60.0


def measured(work: Path) -> list[Row]:
    """The last month of a year, and the same month without what was before it."""
    year, alone, log = work / "year", work / "alone", work / "log"
    if finished([sys.executable, "-m", "drills.bench.year", str(year), "--until", UNTIL], log, MAKE_S).code:
        raise CannotRun(f"the year of records was not made: {last_words(log)}")
    shutil.copytree(year / UNTIL, alone / UNTIL)
    runs = sum(1 for _ in year.glob("*/*/*/verdict.json"))
    return rows(runs, _best(year, log), _best(alone, log))


def _best(out: Path, log: Path) -> Cost:
    """The cheapest of several."""
    costs = [finished([*DRILLS, "report", UNTIL, "--out", str(out)], log, REPORT_S) for _ in range(REPEATS)]
    if wrong := next((cost for cost in costs if cost.code), None):
        raise CannotRun(f"drills report {UNTIL}: exit {wrong.code}: {last_words(log)}")
    return min(costs, key=lambda cost: cost.wall_s)


def rows(runs: int, year: Cost, alone: Cost) -> list[Row]:
    """Wall time of the year beside that of its last month, and the memory."""
    return [
        Row("report", f"{runs} runs of twelve months", year.wall_s, "s", WALL_S_MAX,
            ratio=year.wall_s / max(alone.wall_s, 1e-3), says=f"of one month alone, {alone.wall_s:.2f} s"),
        Row("report", "memory", year.rss_mb, "MB", says=""),
    ]  # fmt: skip

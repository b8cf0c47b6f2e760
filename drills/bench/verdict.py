"""What a verdict costs: `drills judge` of a record of a million samples, and of a tenth of it in the same run.

The records are made (``made_run``), by the journal and the samples writer of the product, and are judged by the command
as a user has it, in a process of its own. The cost of a sample is the CPU time of the command less that of the same
command on the same record without its samples; whether it grows is a ratio, and independent of the machine.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from drills.bench.processes import DRILLS, Cost, finished, last_words
from drills.bench.rows import Row
from drills.errors import CannotRun, Exit

FEW, MANY = 100_000, 1_000_000
WALL_S_MAX = 5.0  # issue 7, part 1
RSS_MB_MAX = 500.0
COST_RATIO_MAX = 1.5
REPEATS = 3
JUDGE_S = 60.0
MAKE_S = 120.0


@dataclass(frozen=True)
class Judged:
    """The best of several judgements of one record, and of the same record without its samples."""

    samples: int
    whole: Cost
    without: Cost

    @property
    def us_a_sample(self) -> float:
        """CPU time of one sample; never nothing, so that it can be divided by."""
        return max(self.whole.cpu_s - self.without.cpu_s, 1e-3) * 1e6 / self.samples


def measured(work: Path) -> list[Row]:
    """Few samples, then many."""
    few, many = (_judged(samples, work) for samples in (FEW, MANY))
    return rows(few, many)


def _judged(samples: int, work: Path) -> Judged:
    folder, log = work / f"run-{samples}", work / f"{samples}.log"
    command = [sys.executable, "-m", "drills.bench.made_run", str(folder), str(samples)]
    if finished(command, log, MAKE_S).code:
        raise CannotRun(f"the record of {samples} samples was not made: {last_words(log)}")
    whole = _best(folder, log, Exit.HELD)
    (folder / "samples").rename(folder / "samples-away")
    return Judged(samples, whole, _best(folder, log, Exit.INCONCLUSIVE))


def _best(folder: Path, log: Path, expected: Exit) -> Cost:
    """The cheapest of several; another verdict than the expected one would be another piece of work."""
    costs = [finished([*DRILLS, "judge", str(folder)], log, JUDGE_S) for _ in range(REPEATS)]
    if wrong := next((cost for cost in costs if cost.code != expected), None):
        raise CannotRun(f"drills judge {folder.name}: exit {wrong.code}, expected {int(expected)}: {last_words(log)}")
    return Cost(
        int(expected), min(cost.wall_s for cost in costs), min(cost.cpu_s for cost in costs),
        max(cost.rss_mb for cost in costs),
    )  # fmt: skip


def rows(few: Judged, many: Judged) -> list[Row]:
    """Wall time and memory of many, and the cost of a sample among many as a ratio of that among few."""
    a_million = f"{many.us_a_sample:.2f} s a million samples; without samples {many.without.wall_s:.2f} s"
    return [
        Row("verdict", f"{many.samples:,} samples", many.whole.wall_s, "s", WALL_S_MAX,
            ratio=many.whole.wall_s / few.whole.wall_s, says=f"of {few.samples:,}"),
        Row("verdict", f"{many.samples:,} samples: memory", many.whole.rss_mb, "MB", RSS_MB_MAX,
            ratio=many.whole.rss_mb / few.whole.rss_mb, says=f"of {few.samples:,}"),
        Row("verdict", "CPU a sample", many.us_a_sample, "µs", ratio=many.us_a_sample / few.us_a_sample,
            ratio_limit=COST_RATIO_MAX, says=f"of that among {few.samples:,}; {a_million}"),
    ]  # fmt: skip

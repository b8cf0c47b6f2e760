"""The runs of the last twelve months, line by line: which drill, where, at which pace, what each month came to.

Only what lies beside each run is read (verdict.json, provenance.json); figures of runs on another target, stage, tier,
pace or network condition are never set beside each other, and those of records that somebody made are told apart from
observed ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

from drills.errors import BadInput
from drills.objectives import CLAIMS, Shape
from drills.report.files import JudgementRow
from drills.report.runs import Run, runs_of
from drills.report.teeth import SUITE as TEETH

MONTHS = 12
KEY_OF_ALL = "input_to_present_ms_p95"  # where a drill has no time of its own: what a player feels
HIGHER_IS_BETTER = (Shape.RATIO_MIN, Shape.COUNT_MIN)


@dataclass(frozen=True, order=True)
class Place:
    """Where a run was made, as far as its figures depend on it."""

    target: str
    stage: str
    tier: str
    pace: str
    condition: str
    synthetic: bool

    @classmethod
    def of(cls, run: Run) -> Place:
        """A run's."""
        return cls(run.target, run.stage, run.tier, run.pace, run.condition, bool(run.synthetic))

    def __str__(self) -> str:
        known = (self.target, self.stage, f"tier {self.tier}" if self.tier else "", self.pace,
                 f"under {self.condition}" if self.condition else "")  # fmt: skip
        return ", ".join([*(part for part in known if part), *(["synthetic"] if self.synthetic else [])])


def months_before(month: str, count: int = MONTHS) -> list[str]:
    """So many months, oldest first, the one that is given last."""
    year, number = int(month[:4]), int(month[5:])
    places = [year * 12 + number - 1 - back for back in range(count)]
    return [f"{place // 12:04d}-{place % 12 + 1:02d}" for place in reversed(places)]


def past_runs(out: Path, month: str) -> dict[str, list[Run]]:
    """The runs of each of the months before, without series; a month without any is an empty list."""
    found: dict[str, list[Run]] = {}
    for one in months_before(month)[:-1]:
        try:
            found[one] = runs_of(out / one, series=False)
        except BadInput:
            found[one] = []
    return found


@dataclass(frozen=True)
class Key:
    """The figure that stands for a drill, month after month: an objective in a window."""

    objective: str
    window: str

    def row(self, run: Run) -> JudgementRow | None:
        """What a run says of it."""
        rows = run.verdict.judgements if run.verdict else ()
        return next((row for row in rows if (row.objective, row.window) == (self.objective, self.window)), None)

    def value(self, runs: Iterable[Run], *, doubted: bool = False) -> float | None:
        """The median over runs, of those that have a figure; inconclusive ones count only where they are asked for."""
        rows = [row for run in runs if (row := self.row(run)) and (doubted or row.verdict != "inconclusive")]
        values = [row.figure for row in rows if row.figure is not None]
        return median(values) if values else None


def key_of(runs: Iterable[Run]) -> Key | None:
    """A drill's own time to come back where it promises one, else how soon an input is seen while the fault is on."""
    for run in runs:
        rows = run.verdict.judgements if run.verdict else ()
        for row in rows:
            claim = CLAIMS.get(row.objective)
            if claim and claim.shape is Shape.TIME_MAX and row.figure is not None:
                return Key(row.objective, row.window)
    for run in runs:
        for key in (Key(KEY_OF_ALL, "fault"), Key(KEY_OF_ALL, "calm")):
            if (found := key.row(run)) and found.figure is not None:
                return key
    return None


@dataclass(frozen=True)
class Line:
    """One drill in one place, with its judged runs of each month, oldest first in each."""

    drill: str
    place: Place
    runs: dict[str, tuple[Run, ...]]

    @cached_property
    def key(self) -> Key | None:
        """Its key figure."""
        return key_of([run for month in sorted(self.runs, reverse=True) for run in reversed(self.runs[month])])

    @property
    def last(self) -> Run:
        """Its newest run."""
        return self.runs[max(month for month, runs in self.runs.items() if runs)][-1]

    def before(self, month: str) -> tuple[str, tuple[Run, ...]] | None:
        """The newest month before this one that has runs, with them."""
        known = [one for one in sorted(self.runs) if one < month and self.runs[one]]
        return (known[-1], self.runs[known[-1]]) if known else None


@dataclass(frozen=True)
class History:
    """All lines, in the order of drills and places, and the months that they cover, the newest last."""

    months: tuple[str, ...]
    lines: tuple[Line, ...]
    runs_of: dict[str, tuple[Run, ...]]

    @classmethod
    def of(cls, month: str, runs: Iterable[Run], past: dict[str, list[Run]]) -> History:
        """Sorted out of everything on disk: runs without a verdict, with a defect, or of ``drills teeth`` have no line.

        They would say nothing about what was rehearsed.
        """
        every = {**{one: tuple(found) for one, found in past.items()}, month: tuple(runs)}
        lines: dict[tuple[str, Place], dict[str, list[Run]]] = {}
        for one, found in every.items():
            for run in found:
                if counts(run):
                    lines.setdefault((run.drill, Place.of(run)), {}).setdefault(one, []).append(run)
        return cls(
            tuple(sorted(every)),
            tuple(Line(drill, place, {one: tuple(mine) for one, mine in lines[drill, place].items()})
                  for drill, place in sorted(lines, key=lambda pair: (pair[1].synthetic, pair[0] != "calm", *pair))),
            every,
        )  # fmt: skip

    @property
    def month(self) -> str:
        """The month of the report."""
        return self.months[-1]

    def of_place(self, place: Place, drill: str = "") -> Iterator[Run]:
        """All runs in a place, or those of one drill, oldest first."""
        for month in self.months:
            for line in self.lines:
                if line.place == place and drill in ("", line.drill):
                    yield from line.runs.get(month, ())


def counts(run: Run) -> bool:
    """Whether a run says something about its target."""
    return run.verdict is not None and not run.defects and run.provenance.get("suite") != TEETH


def better(objective: str, change: float) -> bool:
    """Whether a change of an objective's figure is one for the better."""
    claim = CLAIMS.get(objective)
    return change > 0 if claim and claim.shape in HIGHER_IS_BETTER else change < 0

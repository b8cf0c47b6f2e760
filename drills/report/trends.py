"""This month against the last and against the last release, with a band of noise from repeated calm runs.

The band is how far two calm runs of the same place and release lie apart when nothing at all was changed: the 95th
percentile of the difference between any two of them, of the months before where there are enough, so that a regression
is no part of the noise that it is measured by. Figures that are in doubt (inconclusive) are left out. A change within
it is called none, and where there are too few calm runs to know it, nothing is called anything. A figure that calm runs
do not have (how soon a relay is back) takes its band from the drill's own runs. A
share (of drops, of failures) must also differ by more than chance: one drop in 600 sessions is no trend.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from drills.objectives import CLAIMS, Shape
from drills.report.budget import failed_of
from drills.report.history import History, Key, Line, better
from drills.report.overview import CONTROL
from drills.report.runs import Run
from drills.weighing import interval_99

RUNS_MIN = 3  # with two, one lucky pair would make every change a regression
PAIRS_SHARE = 0.95
NEWEST_RUNS = 40  # enough for 780 pairs; what a year of daily runs adds says nothing more
CALM_WINDOWS = ("calm", "fault", "recovery")  # of the control run nothing is injected in any of them


@dataclass(frozen=True)
class Band:
    """How far apart figures lie with nothing changed; ``width`` is None where too few runs say so."""

    width: float | None
    runs: int
    of: str  # "calm runs" or "of its own runs"

    @property
    def rests_on(self) -> str:
        """How many runs of which kind."""
        return "1 calm run" if (self.runs, self.of) == (1, "calm runs") else f"{self.runs} {self.of}"


@dataclass(frozen=True)
class Trend:
    """One figure now and before; ``word`` says what is to be made of each change."""

    line: Line
    key: Key
    unit: str
    now: float | None
    before: float | None
    before_when: str
    release: float | None
    release_when: str
    band: Band
    word: str
    release_word: str


def band_of(history: History, line: Line, key: Key) -> Band:
    """The band of a figure of a line; this month's runs are in it only where there are too few before."""
    calm = list(history.of_place(line.place, CONTROL))
    keys = [Key(key.objective, window) for window in CALM_WINDOWS]
    if any(one.row(run) for run in calm for one in keys):
        return _band(history, calm, keys, "calm runs")
    return _band(history, list(history.of_place(line.place, line.drill)), [key], "of its own runs")


def _band(history: History, runs: list[Run], keys: list[Key], of: str) -> Band:
    known = [(run, figures) for run in runs if (figures := _figures(run, keys))]
    mine = {run.path for run in history.runs_of[history.month]}
    before = [(run, figures) for run, figures in known if run.path not in mine]
    chosen = (before if len(before) >= RUNS_MIN else known)[-NEWEST_RUNS:]
    return Band(_width([(run.release, figures) for run, figures in chosen]), len(chosen), of)


def _figures(run: Run, keys: list[Key]) -> list[float]:
    """A run's figures that nothing puts in doubt."""
    return [value for key in keys if (value := key.value([run])) is not None]


def _width(found: list[tuple[tuple[str, ...], list[float]]]) -> float | None:
    """The 95th percentile of the differences between the figures of different runs of one release."""
    pairs = [(mine, theirs) for (release, mine), (other, theirs) in combinations(found, 2) if release == other]
    if len(found) < RUNS_MIN or not pairs:
        return None
    differences = sorted(abs(one - other) for mine, theirs in pairs for one in mine for other in theirs)
    return differences[min(len(differences) - 1, math.ceil(PAIRS_SHARE * len(differences)) - 1)]


def word_of(objective: str, now: float | None, before: float | None, band: Band, *, by_chance: bool = False) -> str:
    """What a change is called; ``by_chance`` where shares so far apart are to be expected of samples so few."""
    if now is None or before is None:
        return "nothing to compare"
    if band.width is None:
        return f"unknown: {band.rests_on}, {RUNS_MIN} needed"
    if by_chance or abs(now - before) <= band.width:
        return "no change beyond noise"
    return "better" if better(objective, now - before) else "worse"


def trends_of(history: History) -> tuple[Trend, ...]:
    """The key figure of every line that was run this month, and of the control run every indicator too."""
    found = []
    for line in history.lines:
        if runs := line.runs.get(history.month):
            keys = _indicator_keys(runs[-1]) if line.drill == CONTROL else [line.key] if line.key else []
            found += [_trend(history, line, key) for key in keys]
    return tuple(found)


def _indicator_keys(run: Run) -> list[Key]:
    rows = run.verdict.judgements if run.verdict else ()
    return [Key(row.objective, row.window) for row in rows if row.window == "fault" and row.figure is not None]


def _trend(history: History, line: Line, key: Key) -> Trend:
    runs = line.runs[history.month]
    row = next(found for run in reversed(runs) if (found := key.row(run)) is not None)
    before_when, earlier = line.before(history.month) or ("", ())
    older, when = last_release(history, line)
    now, before, release = key.value(runs), key.value(earlier), key.value(older)
    band = band_of(history, line, key)
    return Trend(
        line, key, row.unit, now, before, before_when, release, when, band,
        word_of(key.objective, now, before, band, by_chance=_by_chance(key, runs, earlier)),
        word_of(key.objective, now, release, band, by_chance=_by_chance(key, runs, older)),
    )  # fmt: skip


def _by_chance(key: Key, runs: Iterable[Run], others: Iterable[Run]) -> bool:
    """Whether the 99 % intervals of a share overlap; never of what is no share."""
    claim = CLAIMS.get(key.objective)
    if claim is None or claim.shape not in (Shape.RATIO_MAX, Shape.RATIO_MIN):
        return False
    (low, high), (other_low, other_high) = (_interval(key, mine) for mine in (runs, others))
    return low <= other_high and other_low <= high


def _interval(key: Key, runs: Iterable[Run]) -> tuple[float, float]:
    rows = [row for run in runs if (row := key.row(run)) and row.verdict != "inconclusive"]
    return interval_99(sum(failed_of(row) or 0 for row in rows), sum(row.samples for row in rows))


def last_release(history: History, line: Line) -> tuple[tuple[Run, ...], str]:
    """The runs of the newest release before the one that runs now, and the day of the newest of them."""
    runs = [*history.of_place(line.place, line.drill)]
    now = line.last.release
    others = [run for run in runs if run.release and run.release != now]
    if not now or not others:
        return (), ""
    chosen = others[-1].release
    return tuple(run for run in others if run.release == chosen), others[-1].started_at[:10]

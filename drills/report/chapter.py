"""One drill's part of the HTML page, in plain text: everything needed to believe its newest run or to do it again."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from drills.report import alternative
from drills.report.environment import Group, conditions, groups
from drills.report.files import Excerpt, FaultRow, JudgementRow, LogLine, SeriesFile
from drills.report.matrix import Matrix, Miss, matrix_of, misses, recoveries
from drills.report.noticed import Noticed, noticed
from drills.report.rejections import Rejection, rejections
from drills.report.runs import Run
from drills.report.svg import inlined
from drills.report.timeline import Moment, named, timeline
from drills.report.words import command_of, moment


@dataclass(frozen=True)
class FaultLine:
    """A fault with its receipt."""

    name: str
    row: FaultRow
    began: str
    ended: str
    lasted: str


@dataclass(frozen=True)
class Chapter:
    """What the page says of one run; ``picture`` and ``services`` are SVG, all else plain text."""

    run: Run
    anchor: str
    heading: str
    when: str
    command: str
    picture: str
    picture_says: str
    services: str
    services_says: str
    matrix: Matrix
    misses: tuple[Miss, ...]
    faults: tuple[FaultLine, ...]
    timeline: tuple[Moment, ...]
    detection: tuple[Noticed, ...]
    doubts: tuple[str, ...]
    conditions: Group
    groups: tuple[Group, ...]
    rejections: tuple[Rejection, ...]
    excerpts: tuple[Logged, ...]
    recoveries: tuple[JudgementRow, ...]

    @property
    def silent(self) -> bool:
        """Whether users were hurt by a fault of which there was no sign."""
        return any(one.silent for one in self.detection)


@dataclass(frozen=True)
class Logged:
    """What all services logged around a moment: when on the wall clock, about what, and lines with their clock."""

    clock: str
    about: str
    lines: tuple[tuple[str, LogLine], ...]
    left_out: int


def chapter_of(run: Run, heading: str, drawings: tuple[str, str], taken: Collection[str] = ()) -> Chapter:
    """What the page says of a run; ``drawings`` are its pictures' SVG or nothing, ``taken`` the anchors before it."""
    anchor = _anchor(heading, taken)
    series = run.series
    users, services = drawings
    picture = inlined(users, anchor, alternative.label(heading), f"{anchor}-says") if users else ""
    below = f"{anchor}-services"
    other = inlined(services, below, alternative.services_label(heading), f"{below}-says") if services else ""
    return Chapter(
        run, anchor, heading, _when(run), command_of(run), picture,
        alternative.description(series, run.verdict) if series and run.verdict else "",
        other, alternative.services_description(series) if series else "",
        matrix_of(run), misses(run),
        tuple(_fault(row, series) for row in series.faults) if series else (),
        timeline(series) if series else (),
        tuple(noticed(row) for row in run.verdict.detection) if run.verdict else (),
        run.verdict.doubts if run.verdict else (),
        conditions(run), groups(run), rejections(run),
        tuple(_logged(one, series) for one in series.excerpts) if series else (),
        tuple(recoveries(run)),
    )  # fmt: skip


def _anchor(heading: str, taken: Collection[str]) -> str:
    """A name for links into the page, the same every month for the same drill."""
    plain = "drill-" + (re.sub(r"[^A-Za-z0-9_]+", "-", heading).strip("-") or "unnamed")
    tries = (plain if nth == 1 else f"{plain}-{nth}" for nth in range(1, len(taken) + 2))
    return next(anchor for anchor in tries if anchor not in taken)


def _when(run: Run) -> str:
    return f"{moment(run.started_at)} UTC" + (f", {run.series.seconds} s long" if run.series else "")


def _logged(one: Excerpt, series: SeriesFile) -> Logged:
    lines = tuple((moment(series.started_at, line.at_s, day=False), line) for line in one.lines)
    return Logged(moment(series.started_at, one.at_s, day=False), one.about, lines, one.left_out)


def _fault(row: FaultRow, series: SeriesFile) -> FaultLine:
    ended = moment(series.started_at, row.to_s, day=False) if row.to_s is not None else "unknown"
    lasted = f"{row.to_s - row.from_s:.2f} s" if row.to_s is not None else "unknown"
    return FaultLine(named(row), row, moment(series.started_at, row.from_s, day=False), ended, lasted)

"""The files that a report is made of, understood at the door: what of a run lies on disk a year later.

The models are their own, apart from the verdict's: the report must read what an older version wrote, and must not
import what judges (which knows scenarios, and through them the stage).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Outcome = Literal["held", "inconclusive", "broken"]
Row = list[float | None]


class _File(BaseModel):
    """Frozen; keys that a later version added are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class JudgementRow(_File):
    """One objective's outcome in one window (drills/verdict.py)."""

    objective: str
    window: str
    verdict: Outcome
    figure: float | None
    limit: float
    unit: str
    samples: int
    samples_min: int = 0
    why: str = ""
    reason: str = ""
    indicator: str = ""
    silent: bool = False
    rows: str = ""
    failed: int | None = None
    allowed_share: float | None = None


class FirstRow(_File):
    """The first sign of one kind."""

    kind: str
    where: str
    says: str
    after_s: float


class DetectionRow(_File):
    """What was seen of one fault, and how soon (drills/measures/detection.py)."""

    fault: str
    subject: str
    from_s: float
    to_s: float
    after_s: float | None
    kind: str = ""
    where: str = ""
    says: str = ""
    others: tuple[FirstRow, ...] = ()
    outside_s: float | None = None
    gone_after_s: float | None = None
    remaining: str = ""
    hurt: str = ""
    unknown: str = ""
    silent: bool = False
    rows: str = ""


class InvariantRow(_File):
    """How one invariant stands over the whole record (drills/invariants)."""

    invariant: str
    outcome: Literal["holds", "violated", "unknown"]
    promise: str = ""
    looked_at: int = 0
    reason: str = ""
    witnesses: tuple[str, ...] = ()


class VerdictFile(_File):
    """verdict.json (design §6)."""

    drill: str
    run: str
    target: str
    stage: str
    tier: str = ""
    verdict: Outcome
    judgements: tuple[JudgementRow, ...]
    doubts: tuple[str, ...] = ()
    detection: tuple[DetectionRow, ...] = ()
    invariants: tuple[InvariantRow, ...] = ()

    @property
    def violated(self) -> tuple[InvariantRow, ...]:
        """The invariants that are violated; each makes the verdict broken."""
        return tuple(row for row in self.invariants if row.outcome == "violated")

    def limit_of(self, objective: str) -> float | None:
        """The limit an objective was held to in the fault window, or in any."""
        limits = {row.window: row.limit for row in self.judgements if row.objective == objective}
        return limits.get("fault", next(iter(limits.values()), None))


class WindowRow(_File):
    """A window's span, in seconds since the run's start."""

    from_s: float
    to_s: float
    closed: bool = True


class FaultRow(_File):
    """What was asked of a fault, what was measured of it, and from when to when."""

    fault: str
    subject: str
    asked: str
    landed: bool
    measured_on: str
    mended: bool
    measured_off: str
    from_s: float
    to_s: float | None


class EventRow(_File):
    """Something a reader of the picture wants to see."""

    at_s: float
    name: str
    text: str


class StretchRow(_File):
    """A stretch in which the master listed a relay in one state."""

    relay: str
    relay_id: str
    state: str
    from_s: float
    to_s: float


class SessionColumns(_File):
    """The lives of the sessions that came up, in the order in which they did."""

    session: tuple[int, ...] = ()
    kind: tuple[str, ...] = ()
    from_s: tuple[float, ...] = ()
    to_s: tuple[float, ...] = ()


class LogLine(_File):
    """One line of a service's log."""

    at_s: float
    service: str
    text: str


class Excerpt(_File):
    """What all services logged around a moment."""

    at_s: float
    about: str
    lines: tuple[LogLine, ...]
    left_out: int = 0


class SeriesFile(_File):
    """series.json (drills/report/series.py)."""

    format: Literal[1]
    drill: str
    run: str
    claim: str = ""
    blast_radius: str = ""
    started_at: str
    seconds: int = Field(ge=0)
    windows: dict[str, WindowRow]
    faults: tuple[FaultRow, ...]
    events: tuple[EventRow, ...]
    relays: tuple[StretchRow, ...]
    sessions: SessionColumns = SessionColumns()
    silences: tuple[tuple[int, float, float], ...] = ()
    silences_left_out: int = 0
    excerpts: tuple[Excerpt, ...] = ()
    per_second: dict[str, Row | dict[str, Row]]

    @model_validator(mode="after")
    def _every_row_is_as_long_as_the_run(self) -> SeriesFile:
        for name, row in self.per_second.items():
            for one in row.values() if isinstance(row, dict) else (row,):
                if len(one) != self.seconds:
                    raise ValueError(f"per_second.{name}: found {len(one)} seconds, expected {self.seconds}")
        columns = {len(column) for _, column in self.sessions}
        if len(columns) > 1:
            raise ValueError(f"sessions: found columns of {sorted(columns)} rows, expected them alike")
        if any(not 0 <= place < min(columns) for place, _, _ in self.silences):
            raise ValueError("silences: found one of no session, expected a place among the sessions")
        return self

    def row(self, name: str) -> Row:
        """One per-second row; nothing in any second where the series does not have it."""
        found: Any = self.per_second.get(name)
        return found if isinstance(found, list) else [None] * self.seconds

    def by_key(self, name: str) -> dict[str, Row]:
        """The per-second rows of one name, by service, counter or reason; none where the series does not have them."""
        found: Any = self.per_second.get(name)
        return found if isinstance(found, dict) else {}

    def total(self, name: str) -> int:
        """The sum of a counting row."""
        return int(sum(count or 0 for count in self.row(name)))

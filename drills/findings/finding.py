"""What a finding is: one promise that was seen broken, with every look at it since, and what people wrote beside it.

Two hands write a finding's file. The machine's keys are ``id`` to ``objective``, ``state`` and ``evidence``; people's
are ``severity``, ``owner``, ``due``, ``retest``, ``root_cause``, ``timeline`` and ``acts`` (by ``drills findings`` or
an editor), and those are never overwritten: what the machine proposes of them (a severity, the moments of the fault)
it writes once, when it opens the finding.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

State = Literal["new", "ongoing", "regressed", "stale", "resolved"]
Severity = Literal["critical", "major", "minor"]
Outcome = Literal["broken", "held"]
STATES: tuple[State, ...] = ("regressed", "new", "stale", "ongoing", "resolved")  # in a list, the most pressing first
SEVERITIES: tuple[Severity, ...] = ("critical", "major", "minor")
TEXT_MAX = 4000  # a root cause is a paragraph or two
ID = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+){2}")


def day_of(text: Any) -> date:
    """A day as people write it; raises ValueError with what was expected."""
    try:
        if not isinstance(text, str) or len(text) != 10:
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("a day such as 2026-12-24") from None


def moment_of(text: Any) -> str:
    """A moment in ISO 8601 with its zone, as UTC with milliseconds, so that such texts sort as their times do.

    Raises ValueError with what was expected.
    """
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        if moment is None or moment.tzinfo is None:
            raise ValueError(text)
    except ValueError:
        raise ValueError("a moment such as 2026-11-24T14:03:00Z") from None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _optional_day(text: Any) -> date | None:
    return None if text in (None, "") else text if isinstance(text, date) else day_of(text)


Day = Annotated[date | None, BeforeValidator(_optional_day), PlainSerializer(lambda day: day and day.isoformat())]
When = Annotated[str, BeforeValidator(moment_of)]
Text = Annotated[str, Field(max_length=TEXT_MAX)]


class _Part(BaseModel):
    """Frozen, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Look(_Part):
    """One run's word on the promise: it broke, or it held in every window that it is due in."""

    run: str = Field(pattern=r"^[^/]+/[^/]+/[^/]+$")  # month/drill/run, a folder under the reports folder
    at: When  # the run's start
    outcome: Outcome
    stage: str
    tier: str
    pace: str
    condition: str = ""  # the named network condition that it ran under, if any
    says: Text  # the judgement in a line

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Where the promise was looked at: it has to hold again where it broke."""
        return self.stage, self.tier, self.pace, self.condition

    @property
    def where(self) -> str:
        """The same in words."""
        return f"{self.stage}, tier {self.tier}, pace {self.pace}" + (self.condition and f", under {self.condition}")


class Act(_Part):
    """What a person decided about the finding."""

    at: When
    act: Literal["closed", "reopened"]
    because: Text


class Moment(_Part):
    """One line of the incident's timeline."""

    at: When
    text: Text


class Finding(_Part):
    """Something to fix; ``state`` as of the day it was last worked out (``states.as_of``)."""

    id: str = Field(pattern=f"^{ID.pattern}$")  # target.drill.objective
    drill: str
    objective: str  # or the name of an invariant
    target: str
    severity: Severity
    state: State
    owner: Text = ""
    due: Day = None
    retest: Day = None
    root_cause: Text = ""
    timeline: tuple[Moment, ...] = ()
    acts: tuple[Act, ...] = ()
    evidence: tuple[Look, ...] = ()

    @property
    def open(self) -> bool:
        """Whether it still has to be fixed."""
        return self.state != "resolved"

    @property
    def assigned(self) -> bool:
        """Whether somebody fixes it until a day."""
        return bool(self.owner and self.due)

    def overdue(self, today: date) -> bool:
        """Whether it should have been fixed before today, and is not known to be."""
        return self.open and self.due is not None and self.due < today

    @property
    def first(self) -> Look | None:
        """The run that opened it."""
        return self.evidence[0] if self.evidence else None

    @property
    def newest(self) -> Look | None:
        """The newest look at it."""
        return self.evidence[-1] if self.evidence else None

    @property
    def broken(self) -> Look | None:
        """The newest run that broke it."""
        return next((look for look in reversed(self.evidence) if look.outcome == "broken"), None)

    @property
    def by_hand(self) -> bool:
        """Resolved because somebody said so: no run has seen it hold since it broke."""
        newest = self.broken
        held = {look.place for look in self.evidence if newest and look.outcome == "held" and look.at >= newest.at}
        return not self.open and newest is not None and newest.place not in held


class Seen(BaseModel):
    """A look at one promise of one run, before it is anybody's finding."""

    model_config = ConfigDict(frozen=True)

    drill: str
    objective: str
    target: str
    severity: Severity
    look: Look
    moments: tuple[Moment, ...] = ()

    @property
    def id(self) -> str:
        """The finding that it belongs to."""
        return f"{self.target}.{self.drill}.{self.objective}"

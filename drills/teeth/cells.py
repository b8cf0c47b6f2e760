"""What became of a row: caught, missed, held, a false alarm, or nothing that can be known. Pure, from verdict.json.

A defect counts as caught only when everything that names it says broken. What it breaks besides is a side effect:
shown, and worth nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from drills.errors import GRAVEST_FIRST, Exit
from drills.teeth.rows import Row

# An invariant's own words (verdict.json, "invariants") in those of an objective.
OUTCOMES = {
    "held": "held", "broken": "broken", "inconclusive": "inconclusive",
    "holds": "held", "violated": "broken", "unknown": "inconclusive",
}  # fmt: skip
WHOLE_RUN = "the whole run"


class Bite(StrEnum):
    """What can become of a row."""

    CAUGHT = "caught"  # everything that names the defect says broken
    HELD = "held"  # the sound system held
    MISSED = "missed"  # something that names the defect says held
    FALSE_ALARM = "false alarm"  # something is broken on the sound system
    INCONCLUSIVE = "inconclusive"  # it cannot be known
    NOT_RUN = "not run"  # there is no verdict


EXITS = {
    Bite.CAUGHT: Exit.HELD, Bite.HELD: Exit.HELD, Bite.MISSED: Exit.BROKEN, Bite.FALSE_ALARM: Exit.BROKEN,
    Bite.INCONCLUSIVE: Exit.INCONCLUSIVE, Bite.NOT_RUN: Exit.CANNOT_RUN,
}  # fmt: skip
BLANK = (Bite.INCONCLUSIVE, Bite.NOT_RUN)  # says nothing about the row; only these are tried again


@dataclass(frozen=True)
class Said:
    """What one objective said in one window, or one invariant of the whole run."""

    name: str
    window: str
    outcome: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name} in {self.window}"


def said_in(verdict: Mapping[str, Any]) -> tuple[Said, ...]:
    """Every objective's and every invariant's outcome in a verdict.json; an outcome unknown to us is inconclusive."""
    found = [
        Said(str(row["objective"]), str(row["window"]), OUTCOMES.get(str(row["verdict"]), "inconclusive"),
             str(row.get("reason", "")))
        for row in verdict.get("judgements", ())
    ]  # fmt: skip
    found += [
        Said(str(row["invariant"]), WHOLE_RUN, OUTCOMES.get(str(row["outcome"]), "inconclusive"),
             str(row.get("reason", "")))
        for row in verdict.get("invariants", ())
    ]  # fmt: skip
    return tuple(found)


def bite_of(row: Row, verdict: Mapping[str, Any]) -> Bite:
    """What a verdict says about a row."""
    said = said_in(verdict)
    if not row.defect:
        if "broken" in {one.outcome for one in said}:
            return Bite.FALSE_ALARM
        return Bite.HELD if said and verdict.get("verdict") == "held" else Bite.INCONCLUSIVE
    gravest = [gravest_of(said, claim) for claim in row.claims]
    if gravest and all(outcome == "broken" for outcome in gravest):
        return Bite.CAUGHT
    return Bite.MISSED if "held" in gravest else Bite.INCONCLUSIVE


def gravest_of(said: Iterable[Said], name: str) -> str:
    """An objective's outcome over all its windows; inconclusive where nothing was said of it."""
    outcomes = {one.outcome for one in said if one.name == name}
    return next((outcome for outcome in ("broken", "inconclusive", "held") if outcome in outcomes), "inconclusive")


@dataclass(frozen=True)
class Attempt:
    """One run of a row."""

    bite: Bite
    run: str = ""  # its folder, as seen from the month's
    reason: str = ""  # of what is neither caught nor held
    took_s: float = 0.0
    beside: bool = False  # another run was got ready, or measured, meanwhile
    caught_by: tuple[str, ...] = ()
    side_effects: tuple[str, ...] = ()
    stopped_after: str = ""  # the window after which nothing more was needed


@dataclass(frozen=True)
class Cell:
    """A row with all its attempts, the last of which counts."""

    row: Row
    attempts: tuple[Attempt, ...] = field(default=())

    @property
    def last(self) -> Attempt:
        """The attempt that counts."""
        return self.attempts[-1] if self.attempts else Attempt(Bite.NOT_RUN, reason="it was not begun")

    @property
    def bite(self) -> Bite:
        """What became of the row."""
        return self.last.bite

    def to_json(self) -> dict[str, Any]:
        """As it stands in teeth.json."""
        last = self.last
        return {
            "drill": self.row.drill, "defect": self.row.defect or None, "claims": list(self.row.claims),
            "outcome": str(last.bite), "caught_by": list(last.caught_by), "side_effects": list(last.side_effects),
            "reason": last.reason, "run": last.run or None, "stopped_after": last.stopped_after or None,
            "took_s": round(sum(one.took_s for one in self.attempts), 1),
            "attempts": [
                {"outcome": str(one.bite), "run": one.run or None, "reason": one.reason, "took_s": round(one.took_s, 1),
                 "beside": one.beside}
                for one in self.attempts
            ],
        }  # fmt: skip


def attempt_of(row: Row, verdict: Mapping[str, Any], others: Iterable[str] = (), **how: Any) -> Attempt:
    """What a run of a row came to; ``how`` has the fields of ``Attempt`` that no verdict knows.

    ``others``: what names the other defects that were on in the same run, and is no side effect of this one.
    """
    said, bite = said_in(verdict), bite_of(row, verdict)
    broken = [one for one in said if one.outcome == "broken"]
    named = tuple(str(one) for one in broken if row.defect and one.name in row.claims)
    side = tuple(str(one) for one in broken if one.name not in {*row.claims, *others})
    return Attempt(
        bite, caught_by=named, side_effects=side if row.defect else (), reason=_reason(row, bite, said), **how
    )


def _reason(row: Row, bite: Bite, said: tuple[Said, ...]) -> str:
    """Why a row is neither caught nor held: the first thing that is not as it must be."""
    if bite in (Bite.CAUGHT, Bite.HELD):
        return ""
    if bite is Bite.FALSE_ALARM:
        return next(f"{one} is broken: {one.reason}" for one in said if one.outcome == "broken")
    if bite is Bite.MISSED:
        return "; ".join(f"{name} held" for name in row.claims if gravest_of(said, name) == "held")
    blank = [one for one in said if one.outcome == "inconclusive" and (one.name in row.claims or not row.defect)]
    return f"{blank[0]}: {blank[0].reason}" if blank else "nothing was said about it"


def exit_code_of(cells: Iterable[Cell]) -> Exit:
    """0 all caught and sound held, 1 something missed or a false alarm, 2 something blank, 3 something not run."""
    codes = {EXITS[cell.bite] for cell in cells}
    return next((code for code in GRAVEST_FIRST if code in codes), Exit.INCONCLUSIVE)


def answer_of(cells: Iterable[Cell]) -> str:
    """The matrix in a sentence."""
    every = list(cells)
    bites = Counter(cell.bite for cell in every)
    defects = sum(bool(cell.row.defect) for cell in every)
    parts = [
        f"{bites[Bite.CAUGHT]} of {defects} defects caught",
        f"{bites[Bite.HELD]} of {len(every) - defects} sound runs held",
    ]
    worse = (Bite.MISSED, Bite.FALSE_ALARM, Bite.INCONCLUSIVE, Bite.NOT_RUN)
    return ", ".join([*parts, *(f"{bites[bite]} {bite}" for bite in worse if bites[bite])])

"""The teeth matrix of a month, as ``drills teeth`` left it in teeth.json: drills × defects, and who said broken."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from drills.report.markdown import bullets, code_block, link, table, text

NAME = "teeth.json"
FORMAT = 1
SUITE = "teeth"  # provenance.json of its runs says so: they speak for the drills, not for the month
SOUND = "sound system"
# what asks for attention first
GRAVEST_FIRST = ("false alarm", "missed", "not run", "inconclusive", "caught", "held")
MARKS = {
    "false alarm": "**FALSE ALARM**", "missed": "**MISSED**", "not run": "not run", "inconclusive": "inconclusive",
    "caught": "caught", "held": "held",
}  # fmt: skip


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class AttemptRow(_File):
    """One run of a row."""

    outcome: str
    run: str | None = None
    reason: str = ""
    took_s: float = 0.0
    beside: bool = False


class TeethRow(_File):
    """One drill against one defect, or against the sound system (``defect`` null)."""

    drill: str
    defect: str | None
    claims: tuple[str, ...]
    outcome: Literal["caught", "held", "missed", "false alarm", "inconclusive", "not run"]
    caught_by: tuple[str, ...] = ()
    side_effects: tuple[str, ...] = ()
    reason: str = ""
    run: str | None = None
    stopped_after: str | None = None
    took_s: float = 0.0
    attempts: tuple[AttemptRow, ...] = ()

    @property
    def notable(self) -> bool:
        """Whether there is more to say than that all is as it must be, at the first attempt."""
        return self.outcome not in ("caught", "held") or len(self.attempts) > 1 or bool(self.side_effects)

    def words(self) -> str:
        """What a reader of the row must know beyond its outcome, plain text."""
        parts = [self.reason]
        if self.side_effects:
            parts.append(f"it also breaks {', '.join(self.side_effects)}")
        if len(self.attempts) > 1:
            earlier = "; ".join(f"{one.outcome}: {one.reason}" for one in self.attempts[:-1])
            parts.append(f"{len(self.attempts)} attempts, before the last one {earlier}")
        if self.stopped_after:
            parts.append(f"the run was stopped after {self.stopped_after}, when nothing more was needed")
        return "; ".join(part for part in parts if part)

    def by(self) -> tuple[str, ...]:
        """The names of what says broken, without windows."""
        return tuple(dict.fromkeys(one.split(" in ")[0] for one in self.caught_by))


class TeethFile(_File):
    """teeth.json."""

    format: Literal[1]
    suite: str = ""
    stage: str = ""
    pace: str = ""
    tier: str = ""
    command: str = ""
    started_at: str = ""
    sample: int | None = None
    finished: bool = False
    took_s: float = 0.0
    answer: str = ""
    exit_code: int = 2
    rows: tuple[TeethRow, ...]


@dataclass(frozen=True)
class Teeth:
    """A matrix, arranged for a page."""

    file: TeethFile

    @property
    def drills(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(dict.fromkeys(row.drill for row in self.file.rows))

    @property
    def defects(self) -> tuple[str | None, ...]:
        """The lines, the sound system (None) first."""
        found = dict.fromkeys(row.defect for row in self.file.rows)
        return tuple(sorted(found, key=lambda defect: (defect is not None, defect or "")))

    def at(self, defect: str | None, drill: str) -> TeethRow | None:
        """One row; None where the drill claims nothing about the defect."""
        return next((row for row in self.file.rows if (row.defect, row.drill) == (defect, drill)), None)

    @property
    def notable(self) -> tuple[TeethRow, ...]:
        """Rows with something to say, gravest first."""
        rows = [row for row in self.file.rows if row.notable]
        return tuple(sorted(rows, key=lambda row: GRAVEST_FIRST.index(row.outcome)))

    def told(self) -> str:
        """What was run, in a sentence."""
        file = self.file
        what = f"a sample of {len(file.rows)} rows" if file.sample else f"{len(file.rows)} rows"
        early = sum(bool(row.stopped_after) for row in file.rows)
        words = f"{what} on {file.stage} at {file.pace} pace in {file.took_s / 60:.1f} minutes, {file.started_at}"
        if early:
            words += f"; {early} runs were stopped when everything that names the defect was broken, or nothing " \
                     "that names it was due any more"  # fmt: skip
        return words + ("" if file.finished else "; the matrix is not finished")


def read_teeth(month: Path) -> tuple[Teeth | None, str]:
    """The month's matrix, or what is wrong with it; neither where none was made."""
    try:
        return Teeth(TeethFile.model_validate(json.loads((month / NAME).read_text(encoding="utf-8")))), ""
    except FileNotFoundError:
        return None, ""
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return None, f"{NAME} cannot be read: {'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (OSError, ValueError) as error:
        return None, f"{NAME} cannot be read: {error}"


def as_data(teeth: Teeth | None) -> Any:
    """What report.json holds of it."""
    return teeth.file.model_dump(mode="json") if teeth else None


def teeth_section(teeth: Teeth | None, problem: str) -> str:
    """The Markdown section; empty where no matrix was made."""
    if teeth is None:
        return f"## Teeth\n\n{text(problem)}" if problem else ""
    parts = [
        "## Teeth", f"**{text(teeth.file.answer)}.** Run as {text(teeth.told())}.",
        code_block(teeth.file.command),
        table(("defect", *map(text, teeth.drills)), ((*_line(teeth, defect),) for defect in teeth.defects)),
    ]  # fmt: skip
    return "\n\n".join([*parts, *_notes(teeth.notable)])


def _line(teeth: Teeth, defect: str | None) -> Iterable[str]:
    yield text(defect or SOUND)
    for drill in teeth.drills:
        row = teeth.at(defect, drill)
        yield _cell(row) if row else ""


def _cell(row: TeethRow) -> str:
    outcome = link(row.outcome, row.run) if row.run and row.outcome in ("caught", "held") else MARKS[row.outcome]
    return outcome + (f": {text(', '.join(row.by()))}" if row.by() else "")


def _notes(rows: tuple[TeethRow, ...]) -> list[str]:
    lines = [f"{text(row.drill)} × {text(row.defect or SOUND)}: {MARKS[row.outcome]}; {text(row.words())}"
             for row in rows]  # fmt: skip
    return ["### What is to be said about single rows", bullets(lines)] if lines else []

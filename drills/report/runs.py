"""The runs of a month as they lie on disk: whatever is missing or cannot be read becomes words, never an exception."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from drills.errors import BadInput
from drills.report.files import SeriesFile, VerdictFile

MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
NOT_RUN, UNREADABLE = "not run", "unreadable"
GRAVEST_FIRST = ("broken", NOT_RUN, UNREADABLE, "inconclusive", "held")
TAIL_BYTES = 16_384  # the journal's end, where a run that failed says why

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Run:
    """One run's folder: its verdict and series where they can be read, and what is wrong where they cannot."""

    folder: Path
    drill: str
    name: str
    verdict: VerdictFile | None
    series: SeriesFile | None
    problem: str  # why there is no verdict
    series_problem: str  # why there is no series
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """The verdict in a word, or that there is none."""
        if self.verdict:
            return self.verdict.verdict
        return UNREADABLE if (self.folder / "verdict.json").is_file() else NOT_RUN

    @property
    def gravity(self) -> int:
        """Where it stands in a list that begins with the gravest."""
        return GRAVEST_FIRST.index(self.status)

    @property
    def path(self) -> str:
        """The run's folder as seen from the month's."""
        return f"{self.drill}/{self.name}"

    @property
    def target(self) -> str:
        """What was rehearsed."""
        return self.verdict.target if self.verdict else str(self.provenance.get("target", ""))

    @property
    def stage(self) -> str:
        """What the services stood on: containers or processes."""
        return self.verdict.stage if self.verdict else str(self.provenance.get("stage", ""))

    @property
    def tier(self) -> str:
        """Which set of limits applied."""
        return self.verdict.tier if self.verdict else str(self.provenance.get("tier", ""))

    @property
    def pace(self) -> str:
        """Whether the target's own timers ran at their real pace."""
        return str(self.provenance.get("pace", ""))

    @property
    def condition(self) -> str:
        """The named network condition that it ran under; empty where nothing was in the packets' way."""
        return str(self.provenance.get("condition") or "")

    @property
    def defects(self) -> tuple[str, ...]:
        """Defects of the reference that were switched on for this run, on purpose."""
        found = self.provenance.get("defects")
        return tuple(str(one) for one in found) if isinstance(found, list) else ()

    @property
    def started_at(self) -> str:
        """Wall clock of its start, ISO 8601; empty where nothing says it."""
        return str(self.provenance.get("started_at") or (self.series.started_at if self.series else ""))


def month_folder(out: Path, month: str) -> Path:
    """The folder of a month; raises BadInput for a text that is no month and for a month in which nothing ran."""
    if not MONTH.fullmatch(month):
        raise BadInput(f"month: found {month!r}, expected YYYY-MM")
    return out / month


def runs_of(folder: Path) -> list[Run]:
    """Every run in a month's folder, oldest first; raises BadInput where there is none."""
    found = [_run(path) for path in sorted(folder.glob("*/*")) if _is_run(path)]
    if not found:
        raise BadInput(f"{folder}: found no run, expected at least one folder <drill>/<run> with a journal.jsonl")
    return sorted(found, key=lambda run: (run.name, run.drill))


def _is_run(path: Path) -> bool:
    """A stage that was only left standing has a folder too, but no journal."""
    return any((path / name).is_file() for name in ("journal.jsonl", "verdict.json"))


def _run(folder: Path) -> Run:
    verdict, problem = _read(folder / "verdict.json", VerdictFile)
    series, series_problem = _read(folder / "series.json", SeriesFile)
    if verdict is None and not problem:
        problem = _why_not_judged(folder)
    return Run(
        folder, folder.parent.name, folder.name, verdict, series, problem, series_problem or "it has no series.json",
        _provenance(folder),
    )  # fmt: skip


def _read(path: Path, model: type[Model]) -> tuple[Model | None, str]:
    """The file's content and no problem, or nothing and what is wrong; neither where there is no file."""
    try:
        return model.model_validate(json.loads(path.read_text(encoding="utf-8"))), ""
    except FileNotFoundError:
        return None, ""
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return None, f"{path.name} cannot be read: {': '.join(part for part in (where, first['msg']) if part)}"
    except (OSError, ValueError) as error:
        return None, f"{path.name} cannot be read: {error}"


def _provenance(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _why_not_judged(folder: Path) -> str:
    """Why a run has no verdict, by the last lines of its journal."""
    last = {str(event.get("event")): event for event in _last_events(folder / "journal.jsonl")}
    if "run.failed" in last:
        return f"it could not be run: {last['run.failed'].get('error', 'no reason given')}"
    if "run.interrupted" in last:
        return f"it was interrupted by {last['run.interrupted'].get('signal', 'a signal')} and not judged"
    if "run.ended" in last:
        return "it ran to its end and was not judged"
    if "run.recovered" in last:
        return "it was killed; `drills recover` has cleared what it left"
    return "its journal has no end: it was killed, or it is still running"


def _last_events(journal: Path) -> list[dict[str, Any]]:
    try:
        with journal.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [event for line in lines if isinstance(event := _json_or_none(line), dict)]


def _json_or_none(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:  # the first line of the tail is cut, and so may be the last of a killed run
        return None

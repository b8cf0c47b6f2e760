"""The per-second series of a run, derived from its record once, so that the report never opens samples.

``series.json`` in the run's folder:

- ``format``, ``drill``, ``run``, ``claim``, ``blast_radius`` (the last two as the scenario has them)
- ``started_at``: wall clock of second 0 (ISO 8601 UTC); every ``*_s`` below is seconds since then
- ``seconds``: how many seconds the record covers; every list under ``per_second`` is that long
- ``windows``: name → ``{from_s, to_s, closed}``; ``closed`` is false where the record ends inside the window
- ``faults``: ``{fault, subject, asked, landed, measured_on, mended, measured_off, from_s, to_s}``; ``to_s`` is null
  where nobody was left to write when the fault was mended
- ``events``: ``{at_s, name, text}``, those a reader of the picture wants to see
- ``relays``: ``{relay, relay_id, state, from_s, to_s}``, stretches in which the master listed a relay in one state
- ``sessions``: ``{session, kind, from_s, to_s}`` as columns, in the order in which they came up, and ``silences``,
  those of them that were long (drills/report/series_sessions.py)
- ``excerpts``: what all services logged around what was broken (drills/report/excerpts.py)
- ``per_second``: name → list, or name → key → list; null where nothing was seen. Names in ``packet_series``,
  ``event_series`` and ``service_series``

An interrupted run has less of everything, never another shape.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from drills.record import Event, Record, Span
from drills.report.excerpts import excerpts
from drills.report.series_events import event_series, faults, notable, relay_stretches
from drills.report.series_packets import packet_series
from drills.report.series_services import service_series
from drills.report.series_sessions import session_series

if TYPE_CHECKING:
    from drills.verdict import Verdict

FORMAT = 1
NAME = "series.json"
# Written by `drills recover`, maybe days later or after a reboot (another monotonic clock): no part of the run.
AFTERWARDS = ("run.recovered",)


@dataclass(frozen=True)
class Axis:
    """The seconds of a run: second k begins k seconds after the first event."""

    from_ns: int
    to_ns: int
    started_at: str

    @classmethod
    def of(cls, events: tuple[Event, ...]) -> Axis:
        """From the first to the last event of the run itself; empty for a record without events."""
        mine = [event for event in events if event.name not in AFTERWARDS]
        held = next((index for index, event in enumerate(mine) if event.name == "stage.held"), None)
        mine = mine[:held]  # a look around at a stage that was left standing is no part of it either
        return cls(mine[0].ns, mine[-1].ns, mine[0].at) if mine else cls(0, 0, "")

    @property
    def span(self) -> Span:
        """All of it."""
        return Span(self.from_ns, self.to_ns + 1)

    @property
    def seconds(self) -> int:
        """How many seconds there are, the last one perhaps not whole."""
        return (self.to_ns - self.from_ns) // 1_000_000_000 + 1 if self.started_at else 0

    def second_of(self, ns: int) -> int | None:
        """The number of the second that a moment lies in, None outside the run."""
        return (ns - self.from_ns) // 1_000_000_000 if self.from_ns <= ns <= self.to_ns else None

    def at_s(self, ns: int) -> float:
        """A moment as seconds since the start, to the millisecond."""
        return round((ns - self.from_ns) / 1e9, 3)


def write_series(record: Record, folder: Path, verdict: Verdict | None = None) -> Path:
    """series.json of a record in ``folder``, replaced as a whole; a partial record gives a partial series."""
    path = folder / NAME
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(series_of(record, verdict), separators=(",", ":")) + "\n", encoding="utf-8")
    unfinished.rename(path)
    return path


def series_of(record: Record, verdict: Verdict | None = None) -> dict[str, Any]:
    """What series.json holds, as in the module's docstring; without a verdict there is nothing to look for in logs."""
    axis = Axis.of(record.events)
    series = {
        "format": FORMAT,
        "drill": str(record.provenance.get("drill", "")),
        "run": str(record.provenance.get("run", record.folder.name)),
        **_scenario_words(record.folder / "scenario.yaml"),
        "started_at": axis.started_at,
        "seconds": axis.seconds,
        "windows": _windows(record, axis),
        "faults": faults(record, axis),
        "events": notable(record, axis),
        "relays": relay_stretches(record, axis),
        **session_series(record, axis),
        "per_second": {
            **packet_series(record.packets, axis), **event_series(record, axis), **service_series(record, axis),
        },
    }  # fmt: skip
    return {**series, "excerpts": excerpts(record, series, verdict) if verdict else []}


def _scenario_words(path: Path) -> dict[str, str]:
    """What the scenario says in words; empty where it cannot be read any more."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        raw = None
    found = raw if isinstance(raw, dict) else {}
    return {key: str(found.get(key, "")) for key in ("claim", "blast_radius")}


def _windows(record: Record, axis: Axis) -> dict[str, dict[str, Any]]:
    closed = {event["window"] for event in record.named("window.closed")}
    return {
        name: {
            "from_s": axis.at_s(span.from_ns),
            "to_s": axis.at_s(span.to_ns if name in closed else axis.to_ns),
            "closed": name in closed,
        }
        for name, span in record.windows.items()
    }

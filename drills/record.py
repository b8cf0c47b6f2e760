"""The record of a run: a journal appended as things happen, and the folder that holds the evidence.

One line of JSON an event, written with one ``write`` to a file opened for appending, so that the runner and the load
workers share the file and a SIGKILL loses at most the event being written. Every event has the wall clock (``at``,
ISO 8601 UTC, for people) and the monotonic clock (``ns``, for measuring; one machine, one clock).
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drills.measures.packets import Packets

CONDITION = "udp_network"  # the fault that a named network condition is in receipts: asked for, and there all the time
# What must never be written (house rule): tokens of the three services and hex keys, however they got into a text.
_SECRETS = re.compile(r"v4\.(?:public|local)\.[A-Za-z0-9_-]{20,}|\b[0-9a-f]{64,}\b")


def scrubbed(text: str) -> str:
    """The text with anything that looks like a lease, session token or key taken out."""
    return _SECRETS.sub("[secret]", text)


class Journal:
    """Appends events to one file; safe to use from threads and, by O_APPEND, from several processes."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if path else None

    def write(self, event: str, **fields: Any) -> None:
        """Append one event with the two clocks; secrets are taken out of every text."""
        if self._file is None:
            return
        line = {"at": now_text(), "ns": time.monotonic_ns(), "event": event, **fields}
        os.write(self._file, (scrubbed(json.dumps(line, default=str)) + "\n").encode())

    def close(self) -> None:
        """Close the file; writing afterwards does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def now_text() -> str:
    """The wall clock, ISO 8601 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Event:
    """One line of the journal."""

    name: str
    ns: int
    at: str
    fields: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.fields[key]

    def get(self, key: str, absent: Any = None) -> Any:
        """A field, or ``absent``."""
        return self.fields.get(key, absent)


def read_events(path: Path) -> list[Event]:
    """The events of a journal in the order of their clock; a last line cut short by a SIGKILL is left out."""
    return _read(path)[0]


def _read(path: Path) -> tuple[list[Event], int]:
    """The events, and how many lines in the middle of the journal could not be read."""
    events: list[Event] = []
    unreadable = 0
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            raw = json.loads(line)
            events.append(Event(raw.pop("event"), raw.pop("ns"), raw.pop("at"), raw))
        except (ValueError, KeyError, AttributeError, TypeError):
            unreadable += number < len(lines)
    return sorted(events, key=lambda event: event.ns), unreadable


@dataclass(frozen=True)
class Span:
    """A stretch of the monotonic clock, in ns; ``to_ns`` is 0 while it is open."""

    from_ns: int
    to_ns: int

    def __contains__(self, ns: int) -> bool:
        return self.from_ns <= ns < self.to_ns

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.to_ns - self.from_ns) / 1e9


class Appended:
    """What a journal that is still being written has grown by: whole lines, each given once."""

    def __init__(self) -> None:
        self._offset, self._unfinished = 0, b""

    def lines(self, journal: Path) -> list[bytes]:
        """Those since the last time; a journal that is not there yet has none."""
        try:
            with journal.open("rb") as growing:
                growing.seek(self._offset)
                added = growing.read()
        except FileNotFoundError:
            return []
        self._offset += len(added)
        *whole, self._unfinished = (self._unfinished + added).split(b"\n")
        return whole


@dataclass(frozen=True)
class Record:
    """Everything observed in one run, as read from its folder: evidence, no opinion."""

    folder: Path
    events: tuple[Event, ...]
    provenance: dict[str, Any]
    unreadable_lines: int = 0

    @classmethod
    def read(cls, folder: Path) -> Record:
        """The record in ``folder``; raises FileNotFoundError or ValueError where it is not one."""
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        # `drills recover` adds its note long afterwards, perhaps after a reboot: it is no part of what was observed
        read, unreadable = _read(folder / "journal.jsonl")
        events = tuple(event for event in read if event.name != "run.recovered")
        return cls(folder, events, provenance, unreadable)

    def remembered(self, key: Hashable, worked_out: Callable[[], Any]) -> Any:
        """What follows from this record alone, worked out once."""
        known: dict[Hashable, Any] = self.__dict__.setdefault("_remembered", {})
        if key not in known:
            known[key] = worked_out()
        return known[key]

    def named(self, *names: str) -> list[Event]:
        """The events of these names, by time."""
        return [event for event in self.events if event.name in names]

    @cached_property
    def windows(self) -> dict[str, Span]:
        """Each window that was opened; one that was never closed ends with the record."""
        spans: dict[str, Span] = {}
        for event in self.events:
            if event.name == "window.opened":
                spans[event["window"]] = Span(event.ns, self.events[-1].ns)
            elif event.name == "window.closed" and event["window"] in spans:
                spans[event["window"]] = Span(spans[event["window"]].from_ns, event.ns)
        return spans

    def floor(self, figure: str, window: str) -> float:
        """What the path alone was worked out to come to in a window, before the run (drills/paths/floor.py); else 0."""
        return float(self.provenance.get("floors", {}).get(window, {}).get(figure, 0.0))

    def floor_in(self, figure: str, span: Span) -> float:
        """The same for the window that this is."""
        return next((self.floor(figure, name) for name, one in self.windows.items() if one == span), 0.0)

    @cached_property
    def packets(self) -> Packets:
        """All samples, read once."""
        from drills.measures.packets import read_packets

        return read_packets(self.folder / "samples")

    @cached_property
    def started_at(self) -> datetime:
        """Wall clock of the first event."""
        return datetime.fromisoformat(self.events[0].at)

    def seconds_at(self, ns: int) -> float:
        """A moment as seconds since the first event."""
        return (ns - self.events[0].ns) / 1e9

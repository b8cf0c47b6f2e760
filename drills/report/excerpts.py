"""What all services logged around the moment at which a promise was broken, on one clock.

Lines come from ``logs/`` in the run's folder, when it is judged: a report a year later needs no logs. The services
stamp their lines with the wall clock (RFC 3339, UTC), which is the journal's ``at``; a line without a stamp of its own
belongs to the one before it. Anything that looks like a token or a key is taken out, as in the journal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drills.record import Record, scrubbed

if TYPE_CHECKING:
    from drills.verdict import Judgement, Verdict

AROUND_S = 1.5  # before and after: a heartbeat at fast pace and some of the services' own time-outs
LINES_MAX, EXCERPTS_MAX, LETTERS_MAX = 24, 4, 240
BYTES_MAX = 32 * 2**20  # of one log; the rest is left out, and a run of minutes does not have more
NOT_SERVICES = ("locust_",)
PROXY = "toxiproxy"  # writes JSON, and its times have no parts of a second
_STAMP = re.compile(r"(20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](?:\.[0-9]+)?)(?:Z|\+00:00)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PARTICULARS = re.compile(r"\S*\d\S*|'[^']*'")  # times, ids, addresses, numbers, names
_LOUD = re.compile(r"\b(WARN|ERROR|error|panicked)\b")
# where each objective's worst moment is to be seen: the row of the series, and whether its largest or its first counts
_WORST = {
    "input_to_present_ms_p95": "present_ms_p95", "input_to_present_ms_p99": "present_ms_p99",
    "silence_ms_p99": "silence_ms_max", "media_continuity_ratio": "silence_ms_max",
    "session_drop_ratio": "silence_ms_max", "packets_lost_ratio": "packets_lost",
}  # fmt: skip
_FIRST = {
    "session_setup_success_ratio": "setups_failed", "setup_outage_s": "setups_failed",
    "handshake_failure_ratio": "handshakes_failed",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of a service's log."""

    at_s: float
    service: str
    text: str


def excerpts(record: Record, series: Mapping[str, Any], verdict: Verdict) -> list[dict[str, Any]]:
    """``{at_s, about, lines: [{at_s, service, text}], left_out}`` for the moments of what was broken, by time."""
    moments = _moments(series, verdict)
    if not moments:
        return []
    lines = list(_lines(record.folder / "logs", series["started_at"], moments))
    found = []
    for at_s, about in sorted(moments.items())[:EXCERPTS_MAX]:
        near = sorted((line for line in lines if abs(line.at_s - at_s) <= AROUND_S), key=lambda line: line.at_s)
        kept, left_out = _telling(near, at_s)
        found.append({"at_s": at_s, "about": about, "lines": [asdict(line) for line in kept], "left_out": left_out})
    return found


def _telling(lines: list[Line], at_s: float) -> tuple[list[Line], int]:
    """As many as there is room for, and how many are left out; lines that say the same of others are one.

    Warnings and errors come before all else, what is nearest to the moment next, and our own proxies last: they speak
    of every connection that a fault cuts.
    """
    alike: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        alike.setdefault((line.service, _PARTICULARS.sub("#", line.text)), []).append(line)
    groups = sorted(alike.values(), key=lambda group: _quietness(group[0], at_s))
    kept = [_one_of(group) for group in groups[:LINES_MAX]]
    return sorted(kept, key=lambda line: line.at_s), sum(map(len, groups[LINES_MAX:]))


def _quietness(line: Line, at_s: float) -> tuple[bool, bool, float]:
    return line.service == PROXY, not _LOUD.search(line.text), abs(line.at_s - at_s)


def _one_of(group: list[Line]) -> Line:
    return group[0] if len(group) == 1 else replace(group[0], text=f"{group[0].text} (and {len(group) - 1} alike)")


def _moments(series: Mapping[str, Any], verdict: Verdict) -> dict[float, str]:
    """When each broken promise was worst, and which ones those are; promises of one moment are told together."""
    found: dict[float, list[str]] = {}
    for row in verdict.judgements:
        if str(row.verdict) == "broken" and row.window in series["windows"]:
            found.setdefault(_moment(series, row), []).append(f"{row.objective} in {row.window}")
    for one in verdict.invariants:
        if str(one.outcome) == "violated":
            found.setdefault(_beginning(series), []).append(f"invariant {one.invariant}")
    return {at_s: ", ".join(about) for at_s, about in found.items()}


def _moment(series: Mapping[str, Any], row: Judgement) -> float:
    window = series["windows"][row.window]
    within = range(int(window["from_s"]), min(int(window["to_s"]) + 1, series["seconds"]))
    per_second = series["per_second"]
    if name := _WORST.get(row.objective):
        worst = max(within, key=lambda second: per_second[name][second] or 0.0, default=None)
        if worst is not None and per_second[name][worst]:
            return worst + 0.5
    elif name := _FIRST.get(row.objective):
        first = next((second for second in within if per_second[name][second]), None)
        if first is not None:
            return first + 0.5
    faults = [fault["from_s"] for fault in series["faults"] if window["from_s"] <= fault["from_s"] <= window["to_s"]]
    return float(min(faults, default=window["from_s"]))


def _beginning(series: Mapping[str, Any]) -> float:
    """Of the first fault, or of all: an invariant has witnesses, but no moment of its own."""
    return float(min((fault["from_s"] for fault in series["faults"]), default=0.0))


def _lines(folder: Path, started_at: str, moments: Mapping[float, str]) -> Iterator[Line]:
    """All services' lines near any of the moments."""
    try:
        second_0 = datetime.fromisoformat(started_at)
    except ValueError:
        return
    for path in sorted(folder.glob("*.log")):
        if path.name.startswith(NOT_SERVICES):
            continue
        at_s: float | None = None
        for raw in _raw_lines(path):
            text = _COLOUR.sub("", raw)
            if stamp := _STAMP.search(text):
                at_s = (datetime.fromisoformat(stamp[1] + "+00:00") - second_0).total_seconds()
                text = text[stamp.end() :] if stamp.start() < 40 else text
            if at_s is not None and text.strip() and any(abs(at_s - moment) <= AROUND_S for moment in moments):
                yield Line(round(at_s, 3), path.stem, scrubbed(" ".join(text.split()))[:LETTERS_MAX])


def _raw_lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as log:
            return log.read(BYTES_MAX).decode(errors="replace").split("\n")
    except OSError:
        return []

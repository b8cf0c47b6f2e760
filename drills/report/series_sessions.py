"""Each session's life and its long silences, for a chart with a line a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drills.measures.media import every_silence
from drills.record import Record

if TYPE_CHECKING:
    from drills.report.series import Axis

SHOWN_MS = 100.0  # shorter silences are in the per-second rows; a chart of a line a session would drown in them
SILENCES_MAX = 4000  # the longest ones are kept: 1,000 sessions with four each


def session_series(record: Record, axis: Axis) -> dict[str, Any]:
    """``sessions``: columns of those that came up; ``silences``: ``[place among them, from_s, ms]`` of at least 100 ms,
    by place; ``silences_left_out``: how many shorter ones there was no room for.
    """
    lives = _lives(record, axis)
    sessions = {
        "session": [number for number, *_ in lives], "kind": [kind for _, kind, *_ in lives],
        "from_s": [from_s for *_, from_s, _ in lives], "to_s": [to_s for *_, to_s in lives],
    }  # fmt: skip
    places = {number: place for place, (number, *_) in enumerate(lives)}
    found = _silences(record, axis, places)
    kept = sorted(found, key=lambda one: -one[2])[:SILENCES_MAX]
    return {"sessions": sessions, "silences": sorted(kept), "silences_left_out": len(found) - len(kept)}


def _lives(record: Record, axis: Axis) -> list[tuple[int, str, float, float]]:
    """Number, kind, from and to (s) of each session, by when it came up; residents, who stay, before visits."""
    ended: dict[Any, int] = {}
    for event in record.named("session.ended"):
        ended.setdefault(event["session"], int(event["stopped_ns"]))
    found = [
        (int(event["session"]), str(event.get("kind", "")), axis.at_s(int(event["ended_ns"])),
         axis.at_s(ended.get(event["session"], axis.to_ns)))
        for event in record.named("session.setup") if event.get("ok")
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one[1] != "resident", one[2], one[0]))


def _silences(record: Record, axis: Axis, places: dict[int, int]) -> list[list[float]]:
    session, from_ns, to_ns = every_silence(record.packets)
    length_ms = (to_ns - from_ns) / 1e6
    long = length_ms >= SHOWN_MS
    rows = zip(session[long].tolist(), from_ns[long].tolist(), length_ms[long].tolist(), strict=True)
    return [[places[number], axis.at_s(ns), round(ms, 1)] for number, ns, ms in rows if number in places]

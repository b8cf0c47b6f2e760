"""What happened in a run, moment by moment, in words: the picture's story for those who would rather read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drills.report.files import FaultRow, SeriesFile
from drills.report.words import moment

MOMENTS_MAX = 200  # a relay that comes and goes every second must not drown the page


@dataclass(frozen=True)
class Moment:
    """Something that happened: how long after the start, when on the wall clock (UTC), and what."""

    at_s: float
    clock: str
    text: str


def timeline(series: SeriesFile) -> tuple[Moment, ...]:
    """Windows, faults, events and what the master said of its relays, in order, as far as there is room."""
    found = sorted((*_windows(series), *_faults(series), *_events(series), *_relays(series)), key=lambda one: one[0])
    left = found[MOMENTS_MAX:]
    told = found[:MOMENTS_MAX] + ([(left[0][0], f"and {len(left)} more moments, in series.json")] if left else [])
    return tuple(Moment(at_s, moment(series.started_at, at_s, day=False), text) for at_s, text in told)


Found = Iterator[tuple[float, str]]


def _windows(series: SeriesFile) -> Found:
    for name, window in series.windows.items():
        yield window.from_s, f"{name} begins"
        yield window.to_s, f"{name} ends" if window.closed else f"{name} is cut short"


def _faults(series: SeriesFile) -> Found:
    for fault in series.faults:
        landed = "landed" if fault.landed else "not seen to land"
        yield fault.from_s, f"{named(fault)}: {landed}; {fault.measured_on}"
        if fault.to_s is not None:
            mended = "mended" if fault.mended else "not seen to be mended"
            yield fault.to_s, f"{named(fault)}: {mended}; {fault.measured_off}"


def named(fault: FaultRow) -> str:
    """A fault by its kind and what it was done to."""
    return f"{fault.fault} {fault.subject}"


def _events(series: SeriesFile) -> Found:
    for event in series.events:
        yield event.at_s, event.text


def _relays(series: SeriesFile) -> Found:
    """Changes only: a relay's first state and what became of it, and when the master no longer listed it."""
    last = max((stretch.to_s for stretch in series.relays), default=0.0)
    for place, stretch in enumerate(series.relays):
        yield stretch.from_s, f"the master lists {stretch.relay} ({stretch.relay_id[:8]}) as {stretch.state}"
        again = any(one.relay_id == stretch.relay_id for one in series.relays[place + 1 :])
        if not again and stretch.to_s < last:
            yield stretch.to_s, f"{stretch.relay} ({stretch.relay_id[:8]}) is last seen in the master's list"

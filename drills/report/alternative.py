"""What a run's picture shows, said in words: its caption, and all there is for somebody who cannot see it."""

from __future__ import annotations

from collections.abc import Iterator

from drills.report.files import FaultRow, Row, SeriesFile, VerdictFile
from drills.report.services import GENERATOR, refusal_rows, rejection_rows
from drills.report.timeline import named
from drills.report.words import number

CHANGES_MAX = 6


def label(drill: str) -> str:
    """What kind of picture it is."""
    return f"What users of {drill} met, second by second: faults, latency, silences, losses, sessions and set-ups"


def services_label(drill: str) -> str:
    """The same of the other picture."""
    return f"What the services of {drill} did, second by second: relay states, requests, refusals, rejections and CPU"


def services_description(series: SeriesFile) -> str:
    """The figures that a look at the services' picture would give."""
    return " ".join(_services(series))


def _services(series: SeriesFile) -> Iterator[str]:
    relays = sorted({stretch.relay for stretch in series.relays})
    if relays:
        yield "Relay states: " + "; ".join(f"{relay} {_states(series, relay)}" for relay in relays) + "."
    for name, words, unit in (("requests", "Requests", " a second"), ("cpu_share", "CPU, in cores", "")):
        rows = {key: [value for value in row if value is not None] for key, row in series.by_key(name).items()
                if not key.startswith(GENERATOR)}  # fmt: skip
        usual = [f"{key} {number(sorted(row)[len(row) // 2], 'ratio')}" for key, row in rows.items() if row]
        if usual:
            yield f"{words}{unit}, usually: {', '.join(usual)}."
    for found, words in ((refusal_rows(series), "Failed logins and limits"), (rejection_rows(series), "Rejections")):
        counts = [f"{reason} {sum(value or 0 for value in row):g}" for reason, row in found.items()]
        yield f"{words}: {', '.join(counts) if counts else 'none'}."


def description(series: SeriesFile, verdict: VerdictFile) -> str:
    """The figures that a look at the picture would give, in a few sentences."""
    return " ".join(_sentences(series, verdict))


def _sentences(series: SeriesFile, verdict: VerdictFile) -> Iterator[str]:
    faults = [named(fault) + _lasted(fault) for fault in series.faults]
    yield f"Faults: {', '.join(faults)}." if faults else "Nothing was injected."
    latency = _worst(series.row("present_ms_p95"), verdict.limit_of("input_to_present_ms_p95"))
    yield f"Input-to-present latency, 95th percentile of a second: {latency}."
    yield f"Longest silence of any session: {_worst(series.row('silence_ms_max'), verdict.limit_of('silence_ms_p99'))}."
    due = series.total("packets_due") - series.total("packets_skipped")
    yield f"Packets lost: {series.total('packets_lost')} of {due}."
    live = [count for count in series.row("sessions_live") if count]
    yield f"Live sessions: at most {max(live):g}." if live else "No session was live."
    yield f"Failed set-ups: {series.total('setups_failed')}; failed handshakes: {series.total('handshakes_failed')}."
    silent = {place for place, _, _ in series.silences}
    if series.sessions.session:
        yield f"Silent for 100 ms or more: {len(silent)} of {len(series.sessions.session)} sessions."


def _lasted(fault: FaultRow) -> str:
    if fault.to_s is None:
        return " for an unknown time"
    lasted_s = fault.to_s - fault.from_s
    return f" for {lasted_s:.1f} s" if lasted_s >= 0.1 else ""


def _states(series: SeriesFile, relay: str) -> str:
    """A relay's states in order; only which they were, where it changed too often to tell."""
    states = [stretch.state for stretch in series.relays if stretch.relay == relay]
    changes = [state for place, state in enumerate(states) if place == 0 or state != states[place - 1]]
    return ", then ".join(changes) if len(changes) <= CHANGES_MAX else " and ".join(dict.fromkeys(states)) + " in turn"


def _worst(row: Row, limit: float | None) -> str:
    seen = [value for value in row if value is not None]
    if not seen:
        return "nothing was measured"
    words = f"usually {number(sorted(seen)[len(seen) // 2], 'ms')} ms, at worst {number(max(seen), 'ms')} ms"
    return words + (f", limit {number(limit, 'ms')} ms" if limit is not None else "")

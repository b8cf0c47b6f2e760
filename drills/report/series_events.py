"""The journal's part of a run's series: sessions, relay states, the gateway's counters, faults, what happened when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from drills.record import Event, Record

if TYPE_CHECKING:
    from drills.report.series import Axis

_NOTABLE: dict[str, Callable[[Event], str]] = {
    "story.stopped": lambda event: f"the story stops: {event.get('reason', '')}",
    "step.unmet": lambda event: f"{event.get('step', 'a step')} unmet: {event.get('reason') or 'not seen in time'}",
    "sessions.told": lambda event: f"{event.get('sessions')} sessions told to leave {event.get('service')}",
    "relay.emptied": lambda event: f"{event.get('service')} empty" if not event.get("left") else
                                   f"{event.get('left')} sessions left on {event.get('service')}",
    "relay.back": lambda event: f"{event.get('service')} is back",
    "backup.made": lambda event: f"{event.get('service')} is backed up",
    "restore.done": lambda event: f"{event.get('service')} is restored from its backup",
    "relay.reregistered": lambda event: f"{event.get('service')} registered again",
    "master.whole": lambda event: "the master lists every relay again",
    "lease.accepted": lambda event: f"a fresh lease is accepted by {event.get('service')}",
    "load.error": lambda event: f"the load generator failed: {event.get('error', '')}",
    "run.interrupted": lambda event: f"interrupted by {event.get('signal', 'a signal')}",
    "run.failed": lambda event: f"the run failed: {event.get('error', '')}",
}  # fmt: skip


def notable(record: Record, axis: Axis) -> list[dict[str, Any]]:
    """The events that a reader of the picture wants to see, in words."""
    return [
        {"at_s": axis.at_s(event.ns), "name": event.name, "text": _NOTABLE[event.name](event)}
        for event in record.named(*_NOTABLE)
    ]


def faults(record: Record, axis: Axis) -> list[dict[str, Any]]:
    """Every fault by when it began; one without a receipt was never seen to be mended."""
    receipts = {_key(event): event for event in record.named("fault.receipt")}
    injected = {_key(event): event for event in record.named("fault.injected")}
    words = ("fault", "subject", "asked", "landed", "measured_on", "mended", "measured_off")
    rows = []
    for event in {**injected, **receipts}.values():
        from_ns, to_ns = event.get("from_ns") or event.get("asked_ns") or event.ns, event.get("to_ns")
        span = {"from_s": axis.at_s(from_ns), "to_s": axis.at_s(to_ns) if to_ns else None}
        rows.append({**{word: event.get(word) for word in words}, **span})
    return sorted(rows, key=lambda row: float(row["from_s"]))


def _key(event: Event) -> tuple[Any, ...]:
    return event.get("fault"), event.get("subject"), event.get("asked_ns")


def relay_stretches(record: Record, axis: Axis) -> list[dict[str, Any]]:
    """For how long the master listed each relay in which state, as far as its list was seen.

    A stretch ends with the last look that saw it: between two stretches the relay was not listed, or nobody could look.
    """
    names = _names(record)
    stretches: list[dict[str, Any]] = []
    open_now: dict[str, dict[str, Any]] = {}
    for event in record.named("relays.seen", "master.unreachable"):
        at_s = axis.at_s(event.ns)
        still: dict[str, dict[str, Any]] = {}
        for relay in event.get("relays", ()):
            relay_id, state = str(relay["relay_id"]), str(relay["state"])
            stretch = open_now.get(relay_id)
            if stretch is not None:
                stretch["to_s"] = at_s  # it was in that state until we saw it in this one
            if stretch is None or stretch["state"] != state:
                relay_name = names.get(relay_id, relay_id[:8])
                stretch = {"relay": relay_name, "relay_id": relay_id, "state": state, "from_s": at_s, "to_s": at_s}
                stretches.append(stretch)
            still[relay_id] = stretch
        open_now = still
    return stretches


def _names(record: Record) -> dict[str, str]:
    """The service behind each relay id; a restarted relay has several ids."""
    return {str(event["relay_id"]): str(event["service"])
            for event in record.named("relay.known", "relay.ready", "relay.back", "relay.health")
            if event.get("relay_id") and event.get("service")}  # fmt: skip


def event_series(record: Record, axis: Axis) -> dict[str, Any]:
    """Per second: ``sessions_live`` (at the second's end), ``setups_ok``/``_failed`` (by when they were due),
    ``handshakes_ok``/``_failed`` (by when they were sent), ``relay_states`` and ``master_unreachable``,
    ``generator_gap_ms_max``, ``cpu_ticks`` by process, ``gateway_auth`` (how much each counter that moved grew).
    """
    setups = _halves(record.named("session.setup"), "intended_ns", lambda event: bool(event.get("ok")), axis)
    handshakes = _halves(record.named("handshake"), "sent_ns", lambda event: event.get("outcome") == "ack", axis)
    return {
        "sessions_live": _live(record, axis),
        "setups_ok": setups[0],
        "setups_failed": setups[1],
        "handshakes_ok": handshakes[0],
        "handshakes_failed": handshakes[1],
        "relay_states": _relay_states(record, axis),
        "master_unreachable": _counted((event.ns for event in record.named("master.unreachable")), axis),
        "generator_gap_ms_max": _generator_gaps(record, axis),
        "cpu_ticks": _cpu_ticks(record, axis),
        "gateway_auth": _gateway_auth(record, axis),
    }


def _counted(moments: Iterable[int], axis: Axis) -> list[int]:
    counts = [0] * axis.seconds
    for ns in moments:
        second = axis.second_of(ns)
        if second is not None:
            counts[second] += 1
    return counts


def _halves(
    events: list[Event], clock: str, good: Callable[[Event], bool], axis: Axis
) -> tuple[list[int], list[int]]:  # fmt: skip
    ok = _counted((int(event[clock]) for event in events if good(event)), axis)
    failed = _counted((int(event[clock]) for event in events if not good(event)), axis)
    return ok, failed


def _live(record: Record, axis: Axis) -> list[int]:
    began = {event["session"]: int(event["ended_ns"]) for event in record.named("session.setup") if event.get("ok")}
    ended: dict[Any, int] = {}
    for event in record.named("session.ended"):  # one that ends with the run may say so twice
        ended.setdefault(event["session"], int(event["stopped_ns"]))
    up = _counted(began.values(), axis)
    down = _counted((ns for session, ns in ended.items() if session in began), axis)
    live, counts = 0, []
    for more, fewer in zip(up, down, strict=True):
        live += more - fewer
        counts.append(live)
    return counts


def _relay_states(record: Record, axis: Axis) -> dict[str, list[int | None]]:
    """How many relays the master listed in each state at the last look of each second."""
    looks: dict[int, Counter[str]] = {}
    for event in record.named("relays.seen"):
        second = axis.second_of(event.ns)
        if second is not None:
            looks[second] = Counter(str(relay["state"]) for relay in event["relays"])
    states = sorted({state for look in looks.values() for state in look})
    return {state: [looks[k][state] if k in looks else None for k in range(axis.seconds)] for state in states}


def _generator_gaps(record: Record, axis: Axis) -> list[float | None]:
    """The longest stand-still of any worker's pump that began in the second; null where no worker reported."""
    gaps: list[float | None] = [None] * axis.seconds
    seen = [(event.ns - 500_000_000, float(event["gap_ms"])) for event in record.named("generator.second")]
    seen += [(int(event["from_ns"]), (event["to_ns"] - event["from_ns"]) / 1e6)
             for event in record.named("generator.gap")]  # fmt: skip
    for ns, gap_ms in seen:
        second = axis.second_of(ns)
        if second is not None:
            gaps[second] = round(max(gaps[second] or 0.0, gap_ms), 3)
    return gaps


def _cpu_ticks(record: Record, axis: Axis) -> dict[str, list[int | None]]:
    ticks: dict[str, list[int | None]] = {}
    for event in record.named("machine.second"):
        second = axis.second_of(event.ns)
        for process, spent in event["cpu_ticks"].items():
            row = ticks.setdefault(process, [None] * axis.seconds)
            if second is not None:
                row[second] = (row[second] or 0) + int(spent)
    return ticks


def _gateway_auth(record: Record, axis: Axis) -> dict[str, list[int]]:
    """How much each authentication counter grew; a counter that fell belongs to a new process and counts from 0."""
    grown: dict[str, list[int]] = {}
    before: dict[str, int] = {}
    for event in record.named("gateway.health"):
        second = axis.second_of(event.ns)
        for counter, count in event.get("auth", {}).items():
            more = count - before.get(counter, 0) if count >= before.get(counter, 0) else count
            if more and second is not None:
                grown.setdefault(counter, [0] * axis.seconds)[second] += more
        before = dict(event.get("auth", {}))
    return grown

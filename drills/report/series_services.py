"""The services' part of a run's series: requests, refusals and CPU of each, second by second."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from drills.record import Event, Record

if TYPE_CHECKING:
    from drills.report.series import Axis

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
ATTEMPTS = ("register_attempts", "login_attempts", "totp_setup_attempts", "totp_enable_attempts", "logout_attempts")
# of the relay's 23 counters, those that count something it refused or dropped, and for which reason
REFUSALS = (
    "rate_limited_packets", "identity_rate_limited_packets", "invalid_packets", "auth_reject_packets",
    "session_not_found_packets", "session_not_active_packets", "unknown_peer_packets", "replay_dropped_packets",
    "backpressure_dropped_packets", "session_full_rejects", "wrong_relay_rejects", "expired_lease_rejects",
    "overload_shed_packets",
)  # fmt: skip


def service_series(record: Record, axis: Axis) -> dict[str, Any]:
    """Per second: ``requests`` by service (of the gateway what its own counters call attempts, of the master the leases
    that it was asked for, of each relay the packets that it read), ``relay_refusals`` by the relay's own counter,
    ``lease_rejections`` by the reason that an end was given, ``cpu_share`` by service (1 is one core).
    """
    requests = _grown(record.named("gateway.health"), lambda event: ("gateway", _attempts(event)), axis)
    requests |= _leases_asked(record, axis)
    requests |= _grown(
        record.named("relay.health"), lambda event: (str(event["service"]), _counter(event, "packets_rx")), axis
    )
    return {
        "requests": requests,
        "relay_refusals": _refusals(record, axis),
        "lease_rejections": _rejections(record, axis),
        "cpu_share": _cpu_share(record, axis),
    }


def _attempts(event: Event) -> int:
    return sum(int(event.get("auth", {}).get(name, 0)) for name in ATTEMPTS)


def _counter(event: Event, name: str) -> int:
    return int(event.get("counters", {}).get(name, 0))


def _grown(events: Iterable[Event], counted: Callable[[Event], tuple[str, int]], axis: Axis) -> dict[str, list[Any]]:
    """How much a service's counter grew in each second, spread evenly over the time since the look before.

    A counter that fell belongs to a new process and counts from 0; null where nobody looked.
    """
    rows: dict[str, list[Any]] = {}
    before: dict[str, tuple[int, int]] = {}
    for event in events:
        name, now = counted(event)
        ns, then = before.get(name, (0, 0))
        before[name] = (event.ns, now)
        if ns:
            row = rows.setdefault(name, [None] * axis.seconds)
            for second, share in _shares(ns, event.ns, axis):
                row[second] = round((row[second] or 0.0) + share * (now - then if now >= then else now), 2)
    return rows


def _shares(from_ns: int, to_ns: int, axis: Axis) -> Iterator[tuple[int, float]]:
    """The seconds that a stretch of time lies in, with the share of it in each."""
    length = max(1, to_ns - from_ns)
    first, last = (from_ns - axis.from_ns) // 10**9, (to_ns - axis.from_ns) // 10**9
    for second in range(max(0, first), min(last, axis.seconds - 1) + 1):
        begins = axis.from_ns + second * 10**9
        share = (min(to_ns, begins + 10**9) - max(from_ns, begins)) / length
        if share > 0:
            yield second, share


def _leases_asked(record: Record, axis: Axis) -> dict[str, list[Any]]:
    """Leases that the master was asked for, given or not; nobody asked in a second is a 0."""
    row = [0] * axis.seconds
    events = record.named("lease.given", "lease.none")
    for event in events:
        second = axis.second_of(int(event.get("asked_ns") or event.ns))
        if second is not None:
            row[second] += 1
    return {"master": row} if events else {}


def _refusals(record: Record, axis: Axis) -> dict[str, list[int]]:
    """Growth of the relays' counters of refusals, all relays together; counters that never moved are left out."""
    grown: dict[str, list[int]] = {}
    before: dict[str, dict[str, int]] = {}
    for event in record.named("relay.health"):
        service, second = str(event["service"]), axis.second_of(event.ns)
        now = {name: _counter(event, name) for name in REFUSALS}
        then = before.get(service, now if second is None else dict.fromkeys(REFUSALS, 0))
        for name, count in now.items():
            more = count - then[name] if count >= then[name] else count
            if more and second is not None:
                grown.setdefault(name, [0] * axis.seconds)[second] += more
        before[service] = now
    return grown


def _rejections(record: Record, axis: Axis) -> dict[str, list[int]]:
    """PRESENTs and RENEWs that were not acknowledged, by the reason given, or by how they came to nothing."""
    rows: dict[str, list[int]] = {}
    for event in record.named("handshake", "renewal"):
        outcome, second = str(event.get("outcome", "")), axis.second_of(int(event["sent_ns"]))
        if outcome != "ack" and second is not None:
            reason = str(event.get("reason") or outcome or "no outcome")
            name = reason if outcome == "reject" else outcome
            rows.setdefault(name.replace("_", " "), [0] * axis.seconds)[second] += 1
    return rows


def _cpu_share(record: Record, axis: Axis) -> dict[str, list[float | None]]:
    """Of one core, as each look covers about a second."""
    rows: dict[str, list[float | None]] = {}
    for event in record.named("machine.second"):
        second = axis.second_of(event.ns)
        for process, ticks in event["cpu_ticks"].items():
            row = rows.setdefault(str(process), [None] * axis.seconds)
            if second is not None:
                row[second] = round((row[second] or 0.0) + int(ticks) / TICKS_A_SECOND, 3)
    return rows

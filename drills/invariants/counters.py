"""relay_counters_agree: what a relay says it did is what the ends saw: sent = forwarded + refused + lost.

A relay's counters begin at 0 with its process (contract-master-relay §4.10, §7.2) and have a last look after the last
packet was sent to it, or nothing is known of it. ``packets_forwarded`` counts FORWARDs handed to the socket,
``dropped_packets`` every datagram that was refused, PRESENT and RENEW among them. What the kernel dropped before the
relay read it is in no counter of the relay's (observed.md, corrections); the machine's witness reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from drills.invariants.base import Checked, holds, unknown, violated
from drills.invariants.paths import paths_of
from drills.invariants.wholeness import disturbed_path, standstill_ns, why_not_whole
from drills.measures.packets import Packets
from drills.record import Event, Record

SETTLED_NS = 300_000_000  # a look so long after the last packet was sent, and heard, has it in its counters
ENDING_NS = 500_000_000  # what was sent so shortly before its session's end may have found the sockets closed
PROBES_EACH = 20  # at most so many packets of a probe go by way of one lease (drills/steps/await_back.py: two times 5)
COUNTED = ("packets_forwarded", "dropped_packets")
NO_PACKETS = frozenset({"sample", "forgotten"})  # leases asked for only to see which relay they name


@dataclass(frozen=True)
class _Account:
    """One relay process: what went to it and what came of it."""

    relay_id: str
    service: str
    sent: int
    heard: int
    excused: int  # not heard, and not the relay's doing: our own ends were closing
    probes: int
    unseen: str  # why its last look says nothing
    forwarded: int
    dropped: int


def check(record: Record) -> Checked:
    """Every relay's counters agree with the ends'."""
    if missing := why_not_whole(record) or disturbed_path(record):
        return unknown(missing)
    accounts = [_account(record, relay_id) for relay_id in dict.fromkeys(
        event["relay_id"] for event in paths_of(record).leases)]  # fmt: skip
    if not accounts:
        return unknown("no packet was sent by way of a relay")
    sent = sum(one.sent for one in accounts)
    wrong = [words for one in accounts if not one.unseen for words in _disagreements(record, one)]
    if wrong:
        return violated(sent, "a relay's counters do not agree with what the ends saw", wrong)
    unseen = [f"{one.service or 'a relay'} ({one.relay_id}): {one.unseen}" for one in accounts if one.unseen]
    if unseen:
        return unknown("; ".join(unseen), sent)
    forwarded = sum(one.forwarded for one in accounts)
    return holds(sent, f"{sent} packets were sent, {forwarded} forwarded by the relays' own count, "
                 f"{sum(one.heard for one in accounts)} heard")  # fmt: skip


def _account(record: Record, relay_id: str) -> _Account:
    import numpy

    packets, mine = record.packets, paths_of(record).rows_by(relay_id)
    sent = packets.where(mine)
    looks = [event for event in record.named("relay.health") if event["relay_id"] == relay_id]
    last = looks[-1] if looks else None
    unseen = ""
    if last is None:
        unseen = "its counters were never seen"
    elif not len(sent) or last.get("asked_ns", 0) < _last_ns(sent) + SETTLED_NS:
        unseen = "its counters were not seen after the last packet was sent to it"
    elif any(after.get("counters", {}).get(name, 0) < before.get("counters", {}).get(name, 0)
             for before, after in pairwise(looks) for name in COUNTED):  # fmt: skip
        unseen = "its counters began anew"
    unheard = sent.where(sent.received_ns == 0)
    stops = _stops(record)
    ending = numpy.array([stops.get(session, 0) for session in unheard.session.tolist()], dtype=numpy.int64)
    late_ns = standstill_ns(record, last["service"]) if last else 0  # what it forwards afterwards comes so much later
    excused = int((unheard.sent_ns > ending - ENDING_NS - late_ns).sum())
    probes = PROBES_EACH * sum(
        event["relay_id"] == relay_id and event["session"] is None and event["cause"] not in NO_PACKETS
        for event in record.named("lease.given")
    )
    counters = last["counters"] if last else {}
    return _Account(
        relay_id, last["service"] if last else "", len(sent), len(sent) - len(unheard), excused, probes, unseen,
        counters.get("packets_forwarded", 0), counters.get("dropped_packets", 0),
    )  # fmt: skip


def _last_ns(sent: Packets) -> int:
    """When the last of these packets was sent or heard: a relay without a CPU may have forwarded it long after."""
    return max(int(sent.sent_ns.max()), int(sent.received_ns.max()))


def _stops(record: Record) -> dict[int, int]:
    """When each session stopped sending; sessions that never came up may have closed at any time (0)."""
    stops: dict[int, int] = {}
    for event in record.named("session.ended"):
        stops.setdefault(event["session"], event["stopped_ns"])
    return stops


def _disagreements(record: Record, one: _Account) -> list[str]:
    """Each way in which a relay's counters cannot be true, in words."""
    who = f"{one.service} ({one.relay_id})"
    found = []
    if one.forwarded > one.sent + one.probes:
        found.append(f"{who} counted {one.forwarded} as forwarded, {one.sent} were sent to it")
    if one.heard > one.forwarded:
        found.append(f"{who} counted {one.forwarded} as forwarded, {one.heard} by way of it were heard")
    in_kernel = _kernel_drops(record, one.service)
    if in_kernel is not None and (vanished := one.sent - one.forwarded - one.dropped - in_kernel) > 0:
        found.append(f"{who}: {vanished} of {one.sent} packets are neither forwarded nor refused nor lost on the way")
    own = sum(_last(record, worker, "own_drops") for worker in _workers(record)) + _late(record)
    lost = one.forwarded - one.probes - one.heard - one.excused - own
    if lost > 0:
        found.append(f"{who} counted {one.forwarded} as forwarded, {lost} of them never arrived")
    return found


def _kernel_drops(record: Record, service: str) -> int | None:
    """What the kernel dropped before a relay read it; None where nobody looked after the last packet was sent."""
    looks = [event for event in record.named("machine.second", "machine.last") if "socket_drops" in event.fields]
    if not looks or looks[-1].ns < int(record.packets.sent_ns.max()) + SETTLED_NS:
        return None
    return int(sum(event["socket_drops"].get(service, 0) for event in looks))


def _workers(record: Record) -> set[int]:
    return {event["worker"] for event in record.named("generator.second")}


def _last(record: Record, worker: int, field: str) -> int:
    mine: list[Event] = [event for event in record.named("generator.second", "generator.finished")
                         if event["worker"] == worker]  # fmt: skip
    return max((event.get(field, 0) for event in mine), default=0)


def _late(record: Record) -> int:
    """Arrivals after their row was written: heard, and not in the samples."""
    return sum(event.get("late", 0) for event in record.named("generator.finished"))

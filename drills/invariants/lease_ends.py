"""nothing_after_lease_end: a relay forwards for as long as the lease lasts that it has acknowledged itself.

Every ACK of a PRESENT or a RENEW says when the relay's session ends (contract-master-relay §4.2); only a RENEW extends
it (§4.4, §4.5). A packet that was *sent* after that end, with room for clocks, and heard all the same was forwarded
without a lease. A RENEW whose answer was not heard may have extended the lease: from then on its end is not known.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from drills.invariants.base import Checked, holds, unknown, violated
from drills.invariants.paths import Paths, paths_of
from drills.invariants.wholeness import clock_steps_ns, why_not_whole
from drills.record import Event, Record

SLACK_NS = 1_000_000_000  # the end is said in ms of the wall clock; a second is beyond any rounding and any queue
NEVER_NS = 2**62


def check(record: Record) -> Checked:
    """No packet that was sent after the end of its lease is heard."""
    import numpy

    packets, paths = record.packets, paths_of(record)
    slack_ns = SLACK_NS + clock_steps_ns(record)
    ends = numpy.full(len(packets), NEVER_NS)
    order = numpy.argsort(paths.lease, kind="stable")
    bounds = numpy.searchsorted(paths.lease[order], numpy.arange(len(paths.leases) + 1))
    for place, (first, last) in enumerate(pairwise(bounds)):
        rows = order[first:last]
        if len(rows):
            ends[rows] = _ends_at(_said(record, paths, place), packets.sent_ns[rows])
    after = packets.sent_ns > ends + slack_ns
    wrong = numpy.flatnonzero(after & (packets.received_ns > 0))
    looked_at = int(after.sum())
    if len(wrong):
        words = f"{len(wrong)} of {looked_at} packets sent after the end of their lease were forwarded"
        return violated(looked_at, words, [_witness(record, paths, int(row), int(ends[row])) for row in wrong[:5]])
    if not looked_at:
        return unknown("no packet was sent after the end of its lease")
    if missing := why_not_whole(record):
        return unknown(missing, looked_at)
    return holds(looked_at, f"{looked_at} packets were sent after the end of their lease, none was forwarded")


def _said(record: Record, paths: Paths, place: int) -> list[tuple[int, int]]:
    """When each ACK of a lease was asked for, and which end it names; never, where an answer was not heard."""
    lease = paths.leases[place]
    following = paths.leases[place + 1 : place + 2]
    until_ns = following[0]["pointed_ns"] if following and following[0]["session"] == lease["session"] else NEVER_NS
    said = []
    for event in _answers(record).get(lease["session"], ()):
        of_this = lease["asked_ns"] <= event["sent_ns"] <= until_ns and event["relay_id"] == lease["relay_id"]
        if of_this and event["outcome"] == "ack":
            said.append((event["sent_ns"], event.get("expires_ns") or NEVER_NS))
        elif of_this and event["outcome"] == "silence":
            said.append((event["sent_ns"], NEVER_NS))
    return said


def _answers(record: Record) -> dict[int, list[Event]]:
    """Every PRESENT and RENEW with what became of it, by session."""
    found: dict[int, list[Event]] = record.packets.remembered("answers", lambda: _by_session(record))
    return found


def _by_session(record: Record) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = {}
    for event in record.named("handshake", "renewal"):
        if event.get("session") is not None:
            found.setdefault(event["session"], []).append(event)
    return found


def _ends_at(said: list[tuple[int, int]], moments: Any) -> Any:
    """The latest end that had been asked for by each moment; never, before there was any."""
    import numpy

    if not said:
        return numpy.full(len(moments), NEVER_NS)
    said = sorted(said)
    asked = numpy.array([one[0] for one in said])
    latest = numpy.maximum.accumulate(numpy.array([one[1] for one in said]))
    place = numpy.searchsorted(asked, moments, side="right") - 1
    return numpy.where(place < 0, NEVER_NS, latest[numpy.maximum(place, 0)])


def _witness(record: Record, paths: Paths, row: int, end_ns: int) -> str:
    packets = record.packets
    sent_ns = int(packets.sent_ns[row])
    relay_id = paths.leases[int(paths.lease[row])]["relay_id"]
    return f"session {packets.session[row]}, packet {packets.sequence[row]} of direction {packets.direction[row]}: " \
           f"sent at {record.seconds_at(sent_ns):.2f} s, {(sent_ns - end_ns) / 1e9:.2f} s after the end that " \
           f"{relay_id} had said, and heard"  # fmt: skip

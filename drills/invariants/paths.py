"""By way of which relay each packet was sent: certain, because it is our own ends that choose.

An end sends by way of its newest lease from the moment that the load writes down with it (``pointed_ns``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drills.record import Event, Record


@dataclass(frozen=True)
class Paths:
    """``lease`` has, for each row of the samples, the place of its lease in ``leases``; -1 where it has none."""

    leases: tuple[Event, ...]  # those that were used: by session, then by time
    lease: Any

    def rows_by(self, relay_id: str) -> Any:
        """Which rows were sent by way of a relay, as a mask."""
        import numpy

        mine = numpy.array([event["relay_id"] == relay_id for event in self.leases] + [False])
        return mine[self.lease]  # -1 is the last: no lease


def paths_of(record: Record) -> Paths:
    """The way of every packet of the record."""
    found: Paths = record.packets.remembered("paths", lambda: _paths_of(record))
    return found


def _paths_of(record: Record) -> Paths:
    import numpy

    used = [event for event in record.named("lease.given") if event["session"] is not None and event.get("pointed_ns")]
    used.sort(key=lambda event: (event["session"], event["pointed_ns"]))
    packets = record.packets
    numbers = numpy.unique(packets.session.astype(numpy.int64))
    if not used or not len(numbers):
        return Paths(tuple(used), numpy.full(len(packets), -1))
    zero = min(int(packets.intended_ns.min()), min(event["pointed_ns"] for event in used))
    room = max(int(packets.sent_ns.max()), max(event["pointed_ns"] for event in used)) - zero + 2
    sessions = numpy.array([event["session"] for event in used], dtype=numpy.int64)
    since = numpy.array([event["pointed_ns"] for event in used], dtype=numpy.int64) - zero
    begins = numpy.searchsorted(numbers, sessions) * room + since
    code = numpy.searchsorted(numbers, packets.session)
    # what was never sent (sent_ns 0) has no way; its place in the order does not matter
    place = numpy.searchsorted(begins, code * room + numpy.maximum(packets.sent_ns - zero, 0), side="right") - 1
    right = (place >= 0) & (sessions[place] == packets.session) & (packets.sent_ns > 0)
    return Paths(tuple(used), numpy.where(right, place, -1))

"""no_packet_twice_or_altered: a packet arrives at most once, and as it was sent.

Both ends of a session live in one process, so a receiver compares every byte of a packet with what was sent: the
header with that of its session, the rest with the packet's row in the samples. What differs is ``packet.altered``.
"""

from __future__ import annotations

from drills.invariants.base import Checked, holds, unknown, violated
from drills.invariants.wholeness import disturbed_path, why_not_whole
from drills.record import Record


def check(record: Record) -> Checked:
    """No sample has two copies, and no packet arrived altered."""
    import numpy

    packets = record.packets
    twice = numpy.flatnonzero(packets.copies > 1)
    altered = record.named("packet.altered")
    finished = record.named("generator.finished")
    count = max(len(altered), sum(event.get("altered", 0) for event in finished))
    heard = int((packets.received_ns > 0).sum())
    if len(twice) or count:
        words = f"{len(twice)} of {heard} packets arrived more than once, {count} altered"
        if disturbed := disturbed_path(record):
            return unknown(f"{disturbed}; {words}", heard)
        witnesses = [f"session {packets.session[row]}, packet {packets.sequence[row]} of direction "
                     f"{packets.direction[row]}: {packets.copies[row]} copies" for row in twice[:3]]  # fmt: skip
        witnesses += [f"{record.seconds_at(event.ns):.2f} s: session {event['session']}: {event['what']}"
                      for event in altered[:2]]  # fmt: skip
        return violated(heard, words, witnesses)
    if not heard:
        return unknown("no packet was heard")
    if missing := why_not_whole(record):
        return unknown(missing, heard)
    if any("altered" not in event.fields for event in finished):
        return unknown("the load did not compare packets with what was sent", heard)
    return holds(heard, f"{heard} packets were heard, each once and as it was sent")

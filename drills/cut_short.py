"""A record that is still being written, as it would be had the run ended: what a look at a running drill judges."""

from __future__ import annotations

from drills.record import Event, Record


def ended_at(record: Record, until_ns: int) -> Record:
    """A record that is still being written, with the end that it would have, had it ended at a moment.

    Packets that were due later may not be on disk yet, and count for nothing; sessions that have ended since are taken
    for living ones.
    """
    at = record.events[-1].at
    packets = record.packets.where(record.packets.intended_ns < until_ns)
    workers = sorted({event["worker"] for event in record.named("generator.second")})
    ends = [
        Event("generator.finished", until_ns, at, {"worker": worker, "rows": 0 if index else len(packets)})
        for index, worker in enumerate(workers)
    ]
    opened = [event for event in record.events if event.name == "window.opened"]
    closed = {event["window"] for event in record.named("window.closed")}
    ends += [Event("window.closed", until_ns, at, {"window": event["window"]}) for event in opened
             if event["window"] not in closed]  # fmt: skip
    before = [event for event in record.events if event.name != "session.ended" or event["stopped_ns"] < until_ns]
    ended = Record(record.folder, (*before, *ends, Event("run.ended", until_ns, at, {})), record.provenance)
    ended.__dict__["packets"] = packets
    return ended

"""What keeps a record from showing that something never happened: parts that are missing, and paths that were broken.

What was seen in spite of that stays seen; only the absence of something is worth nothing then.
"""

from __future__ import annotations

from itertools import pairwise

from drills.measures.waiting import LOOK_NS, longest_wait_ms, wait_of
from drills.record import Record, Span

STEP_NS = 50_000_000  # the wall clock against the monotonic one, from one second to the next


def why_not_whole(record: Record) -> str:
    """Why not everything that our own ends saw is in the record; empty where all of it is."""
    if not record.named("run.ended") or record.named("run.interrupted", "run.failed"):
        return "the run did not come to its end"
    if record.unreadable_lines:
        return f"{record.unreadable_lines} lines of the journal cannot be read"
    if record.packets.unreadable:
        return f"samples cannot be read: {', '.join(record.packets.unreadable)}"
    if errors := record.named("load.error"):
        return f"the load generator failed: {errors[0]['error']}"
    finished = {event["worker"]: event["rows"] for event in record.named("generator.finished")}
    if finished.keys() != {event["worker"] for event in record.named("generator.second")}:
        return f"{len(finished)} load workers wrote their last samples, and not each of them"
    if sum(finished.values()) != len(record.packets):
        return f"{len(record.packets)} samples on disk, {sum(finished.values())} were written"
    return ""


def disturbed_path(record: Record) -> str:
    """A fault on a path that media take: what it lost, doubled or changed is not the relays' doing."""
    for event in record.named("fault.injected", "fault.receipt"):
        if str(event["fault"]).startswith("udp_") or str(event["subject"]).endswith("_udp"):
            return f"{event['fault']} on {event['subject']} changed what the path itself does to packets"
    return ""


def standstill_ns(record: Record, service: str, during: Span | None = None) -> int:
    """For how long, at the most, a service can have stood still by our or the machine's doing, and its packets lain."""
    around = during or Span(record.events[0].ns, record.events[-1].ns + 1)
    # a second is told of at its end
    seconds = [event for event in record.named("machine.second")
               if around.from_ns <= event.ns < around.to_ns + LOOK_NS]  # fmt: skip
    waited_ms = longest_wait_ms([wait_of(event, service) for event in seconds])
    paused = [int(min(event["to_ns"], around.to_ns) - max(event["from_ns"], around.from_ns))
              for event in record.named("fault.receipt")
              if event["fault"] == "pause" and event["subject"] == service]  # fmt: skip
    return int(waited_ms * 1e6) + max(0, *paused, 0)


def clock_steps_ns(record: Record) -> int:
    """By how much, all steps together, the wall clock moved against the monotonic one; 0 where it hardly did."""
    offsets = [event["wall_minus_monotonic_ns"] for event in record.named("machine.second")]
    steps = [abs(after - before) for before, after in pairwise(offsets)]
    return sum(step for step in steps if step > STEP_NS)

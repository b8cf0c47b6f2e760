"""What the record says about our own load generator: did it stand still, was it late, did it start what was due?

Figures only; ``drills/doubts.py`` says what they make doubtful.
"""

from __future__ import annotations

from typing import Any

from drills.measures.packets import in_order
from drills.record import Event, Record, Span

REACTION_MS = 250.0  # a worker that stands still this long makes its sessions act on it (drills/load/session.py)
AFTERMATH_NS = 3_000_000_000  # for so long: two renewals of three tries each, half a second a try
# a silence belongs to the window that holds its middle, and may begin or end so far outside of it: half of the second
# that makes a session cut. What lengthened or hid a part of it lies there too.
NEAR_NS = 500_000_000
CHAIN_NS = 1_000_000_000  # gaps closer together than this add up to one silence
UNSENT_NS = 250_000_000  # a living session that sends nothing for this long was forgotten by its pump


def gaps_touching(record: Record, span: Span) -> list[Event]:
    """Gaps of the pumps in the window, and so near it that what they caused may lie in it; long ones reach further."""
    found = []
    for gap in record.named("generator.gap"):
        margin = AFTERMATH_NS if gap["to_ns"] - gap["from_ns"] >= REACTION_MS * 1e6 else NEAR_NS
        if gap["from_ns"] < span.to_ns + margin and gap["to_ns"] > span.from_ns - margin:
            found.append(gap)
    return found


def longest_gap_ms(record: Record, span: Span) -> float:
    """The longest time for which a worker's pump stood still."""
    return max(((gap["to_ns"] - gap["from_ns"]) / 1e6 for gap in gaps_touching(record, span)), default=0.0)


def longest_stall_ms(record: Record, span: Span) -> float:
    """The most that gaps of one worker, one after another, can have added to any time measured in the window."""
    longest = 0.0
    running: dict[int, tuple[int, float]] = {}  # worker -> end of its newest gap, sum of the chain
    for gap in sorted(gaps_touching(record, span), key=lambda gap: int(gap["from_ns"])):
        ended, total = running.get(gap["worker"], (0, 0.0))
        total = (total if gap["from_ns"] - ended < CHAIN_NS else 0.0) + (gap["to_ns"] - gap["from_ns"]) / 1e6
        running[gap["worker"]] = gap["to_ns"], total
        longest = max(longest, total)
    return longest


def standing_ms(record: Record, span: Span, over_ms: float) -> float:
    """For how long a worker's pump stood still in all, counting what was longer than this at a time."""
    sums: dict[int, float] = {}
    for gap in gaps_touching(record, span):
        ms = (gap["to_ns"] - gap["from_ns"]) / 1e6
        sums[gap["worker"]] = sums.get(gap["worker"], 0.0) + (ms if ms > over_ms else 0.0)
    return max(sums.values(), default=0.0)


def lateness_ms(record: Record, span: Span) -> Any:
    """How late each packet due in the window was handed to the kernel, in ms; skipped ones are not in it."""
    packets = record.packets
    due = (packets.intended_ns >= span.from_ns) & (packets.intended_ns < span.to_ns) & (packets.sent_ns > 0)
    return (packets.sent_ns[due] - packets.intended_ns[due]) / 1e6


def skipped_of(record: Record, span: Span) -> tuple[int, int]:
    """(packets that were due in the window and not sent in time, all that were due)."""
    packets = record.packets
    due = (packets.intended_ns >= span.from_ns) & (packets.intended_ns < span.to_ns)
    return int((due & (packets.sent_ns == 0)).sum()), int(due.sum())


def forgotten_sessions(record: Record, span: Span) -> int:
    """Sessions that lived in the window and for which nothing was even due for a while: their pump had stopped."""
    import numpy

    session, from_ns, to_ns = _holes(record)
    return len(numpy.unique(session[(from_ns < span.to_ns) & (to_ns > span.from_ns)]))


def _holes(record: Record) -> tuple[Any, Any, Any]:
    """Every stretch in which nothing was due for a session though it lived: session, from and to (ns)."""
    holes: tuple[Any, Any, Any] = record.remembered("holes", lambda: _holes_of(record))
    return holes


def _holes_of(record: Record) -> tuple[Any, Any, Any]:
    import numpy

    packets = record.packets
    lived = {event["session"]: event["ended_ns"] for event in record.named("session.setup") if event["ok"]}
    stopped: dict[int, int] = {}
    for event in record.named("session.ended"):
        stopped.setdefault(event["session"], event["stopped_ns"])
    both = [(session, lived[session], stopped[session]) for session in lived if session in stopped]
    # when something was due, per session and direction, between its set-up and its end
    numbers, began, ended = numpy.array(both, dtype=numpy.int64).reshape(-1, 3).T
    flows, code = packets.flows()
    inside = numpy.isin(flows // 2, numbers)[code]
    keys = numpy.concatenate([flows[code[inside]]] + [numbers * 2 + direction for direction in (0, 1) for _ in (0, 1)])
    moments = numpy.concatenate((packets.intended_ns[inside], began, ended, began, ended))
    keys, moments = in_order(keys, moments)
    hole = (numpy.diff(keys) == 0) & (numpy.diff(moments) > UNSENT_NS)
    return keys[:-1][hole] // 2, moments[:-1][hole], moments[1:][hole]


def unstarted_visits(record: Record, span: Span) -> int:
    """Visits that were due in the window and that nobody was free to make, so that nothing is known of them."""
    asked = {event["intended_ns"] for event in record.named("session.asked")}
    return sum(
        event["intended_ns"] in span and event["intended_ns"] not in asked for event in record.named("visit.due")
    )


def hanging_setups(record: Record, span: Span) -> int:
    """Set-ups that began in the window and have neither come up nor failed: the record ends before they do."""
    ended = {event["session"] for event in record.named("session.setup") if event["step"] != "unfinished"}
    return sum(event["intended_ns"] in span and event["session"] not in ended
               for event in record.named("session.asked"))  # fmt: skip


def standing_share(record: Record, span: Span, over_ms: float = 0.0) -> float:
    """How much of the window a pump stood still for longer than this at a time, as a share of it."""
    overlaps = (min(gap["to_ns"], span.to_ns) - max(gap["from_ns"], span.from_ns)
                for gap in record.named("generator.gap") if gap["to_ns"] - gap["from_ns"] > over_ms * 1e6)  # fmt: skip
    return float(sum(max(0, overlap) for overlap in overlaps)) / max(1, span.to_ns - span.from_ns)


def gaps_over(record: Record, span: Span, ms: float) -> int:
    """How many gaps that bear on the window were longer than this."""
    return sum(gap["to_ns"] - gap["from_ns"] > ms * 1e6 for gap in gaps_touching(record, span))

"""What the packets say: losses, silences, and how long an input takes to be seen.

A packet belongs to the window in which it was due (design: samples carry the time of sending and are cut by it).
Packets that our own generator was too late to send are no evidence either way; they count in the generator's doubt.
"""

from __future__ import annotations

from typing import Any

from drills.measures.evidence import Evidence, ratio
from drills.measures.packets import FRAME, INPUT, Packets
from drills.objectives import Claim
from drills.record import Record, Span


def _due_in(packets: Packets, span: Span) -> Packets:
    return packets.where((packets.intended_ns >= span.from_ns) & (packets.intended_ns < span.to_ns))


def losses(record: Record, span: Span, claim: Claim) -> Evidence:
    """Packets handed to the kernel by one end and never read by the other."""
    sent = _due_in(record.packets, span)
    sent = sent.where(sent.sent_ns > 0)
    lost = int((sent.received_ns == 0).sum())
    inputs_lost = int(((sent.received_ns == 0) & (sent.direction == INPUT)).sum())
    return ratio(lost, len(sent), f"{inputs_lost} inputs and {lost - inputs_lost} frames lost of {len(sent)} packets")


def silences_by_session(record: Record, span: Span) -> dict[int, float]:
    """The longest time, in ms, in which a session's end that should have heard something heard nothing.

    Per session and direction: between two arrivals, and from the last arrival to when the sending stopped or the
    window ended, whichever came first. Cut to the window.
    """
    import numpy

    packets = _due_in(record.packets, span)
    packets = packets.where(packets.sent_ns > 0)
    key = packets.session.astype(numpy.int64) * 2 + packets.direction
    order = numpy.lexsort((packets.sent_ns, key))
    key, sent, received = key[order], packets.sent_ns[order], packets.received_ns[order]
    edges = numpy.flatnonzero(numpy.diff(key)) + 1
    longest: dict[int, float] = {}
    for part_key, part_sent, part_received in _parts(edges, key, sent, received):
        session = int(part_key[0] // 2)
        longest[session] = max(longest.get(session, 0.0), _longest_gap_ms(part_sent, part_received))
    return longest


def _parts(edges: Any, *columns: Any) -> Any:
    import numpy

    return zip(*(numpy.split(column, edges) for column in columns), strict=True)


def _longest_gap_ms(sent: Any, received: Any) -> float:
    """The longest stretch without an arrival, between the first send and the last one that should have arrived."""
    import numpy

    if len(sent) == 0:
        return 0.0
    arrivals = numpy.sort(received[received > 0])
    if len(arrivals) == 0:
        return float(sent[-1] - sent[0]) / 1e6
    # the stretch begins with the first send and ends with the last: what lies outside was never due
    moments = numpy.concatenate(([sent[0]], arrivals, [max(sent[-1], arrivals[-1])]))
    return float(numpy.diff(moments).max()) / 1e6


def longest_silences(record: Record, span: Span, claim: Claim) -> Evidence:
    """The longest silence of each session in the window; the figure is a percentile over sessions."""
    import numpy

    longest = silences_by_session(record, span)
    values = numpy.fromiter(longest.values(), dtype=float, count=len(longest))
    worst = max(longest, key=lambda session: longest[session], default=None)
    says = f"longest of all {longest[worst]:.0f} ms, session {worst}" if worst is not None else ""
    return Evidence(len(values), _percentile(values, claim), values=values, says=says)


def input_to_present(record: Record, span: Span, claim: Claim) -> Evidence:
    """From when an input was due to when the first frame that shows it, or a newer one, was read by the client.

    Inputs that the host never read are losses, counted elsewhere; inputs that it read and no frame showed within a
    second count as one second.
    """
    import numpy

    values = presented_ms(record.packets, span)
    unseen = int(numpy.isinf(values).sum())
    values = numpy.where(numpy.isinf(values), 1000.0, values)
    says = f"{unseen} inputs were never seen in a frame" if unseen else ""
    return Evidence(len(values), _percentile(values, claim), values=values, says=says)


def presented_ms(packets: Packets, span: Span) -> Any:
    """Input-to-present of each input due in the window, in ms; infinite where no frame ever showed it."""
    return presented(packets, span)[1]


def presented(packets: Packets, span: Span) -> tuple[Any, Any]:
    """When each input of the window was due (ns), and its input-to-present (ms; infinite where it was never shown)."""
    import numpy

    inputs = _due_in(packets, span)
    inputs = inputs.where((inputs.direction == INPUT) & (inputs.received_ns > 0))
    frames = packets.where((packets.direction == FRAME) & (packets.received_ns > 0) & (packets.shows >= 0))
    if len(inputs) == 0 or len(frames) == 0:
        return numpy.zeros(0, dtype=numpy.int64), numpy.zeros(0)
    # one search for all sessions: frames in order of session and arrival, the newest input shown so far within a
    # session, and both made one rising number by giving each session a range of its own
    order = numpy.lexsort((frames.received_ns, frames.session))
    session, shows, received = frames.session[order].astype(numpy.int64), frames.shows[order], frames.received_ns[order]
    stride = int(max(shows.max(), inputs.sequence.max())) + 2
    _, code = numpy.unique(numpy.concatenate((session, inputs.session.astype(numpy.int64))), return_inverse=True)
    frame_code, input_code = code[: len(session)].astype(numpy.int64), code[len(session) :].astype(numpy.int64)
    rising = numpy.maximum.accumulate(frame_code * stride + shows)
    found = numpy.searchsorted(rising, input_code * stride + inputs.sequence)
    inside = found < len(rising)
    same = numpy.zeros(len(found), dtype=bool)
    same[inside] = frame_code[found[inside]] == input_code[inside]
    values = numpy.full(len(found), numpy.inf)
    values[same] = (received[found[same]] - inputs.intended_ns[same]) / 1e6
    # an input whose session stopped right after it could not be shown any more: no evidence
    last_frame = numpy.zeros(int(code.max()) + 1, dtype=numpy.int64)
    numpy.maximum.at(last_frame, frame_code, frames.sent_ns[order])
    could = last_frame[input_code] > inputs.received_ns
    counts = same | could
    return inputs.intended_ns[counts], values[counts]


def _percentile(values: Any, claim: Claim) -> float | None:
    import numpy

    if len(values) == 0:
        return None
    return float(numpy.quantile(values, claim.quantile or 0.5, method="higher"))

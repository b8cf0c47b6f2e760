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
    """The longest time, in ms, in which an end of each session of the window that should have heard something did not.

    Per session and direction: between two arrivals, from the first packet sent to the first arrival, and from the last
    arrival to the last packet sent. A silence belongs, whole, to the window that holds its middle: cut at a border, one
    that is too long would be two that are not.
    """
    import numpy

    session, from_ns, to_ns = _silences(record)
    middle = from_ns + (to_ns - from_ns) // 2
    here = (middle >= span.from_ns) & (middle < span.to_ns)
    present = _due_in(record.packets, span)
    numbers = numpy.unique(present.session[present.sent_ns > 0].astype(numpy.int64))
    here &= numpy.isin(session, numbers)
    longest = numpy.zeros(len(numbers))
    numpy.maximum.at(longest, numpy.searchsorted(numbers, session[here]), (to_ns[here] - from_ns[here]) / 1e6)
    return dict(zip(numbers.tolist(), longest.tolist(), strict=True))


def _silences(record: Record) -> tuple[Any, Any, Any]:
    """Every stretch without an arrival of the record: session, from and to (ns); worked out once."""
    cached = record.__dict__.get("_silences")
    if cached is None:
        cached = record.__dict__["_silences"] = _silences_of(record.packets)
    silences: tuple[Any, Any, Any] = cached
    return silences


def _silences_of(packets: Packets) -> tuple[Any, Any, Any]:
    import numpy

    sent = packets.where(packets.sent_ns > 0)
    key = sent.session.astype(numpy.int64) * 2 + sent.direction
    keys, code = numpy.unique(key, return_inverse=True)
    first = numpy.full(len(keys), numpy.iinfo(numpy.int64).max)
    last = numpy.zeros(len(keys), dtype=numpy.int64)
    numpy.minimum.at(first, code, sent.sent_ns)
    numpy.maximum.at(last, code, numpy.maximum(sent.sent_ns, sent.received_ns))
    # the stretches begin with the first send and end with the last: what lies outside was never due
    heard = sent.received_ns > 0
    keys = numpy.concatenate((keys, key[heard], keys))
    moments = numpy.concatenate((first, sent.received_ns[heard], last))
    order = numpy.lexsort((moments, keys))
    keys, moments = keys[order], moments[order]
    same = numpy.diff(keys) == 0
    return keys[1:][same] // 2, moments[:-1][same], moments[1:][same]


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
    if len(inputs) == 0:
        return numpy.zeros(0, dtype=numpy.int64), numpy.zeros(0)
    # one search for all sessions: frames in order of session and arrival, the newest input shown so far within a
    # session, and both made one rising number by giving each session a range of its own
    order = numpy.lexsort((frames.received_ns, frames.session))
    session, shows, received = frames.session[order].astype(numpy.int64), frames.shows[order], frames.received_ns[order]
    stride = int(max(shows.max(initial=0), inputs.sequence.max())) + 2
    input_session = inputs.session.astype(numpy.int64)
    numbers = numpy.unique(numpy.concatenate((session, input_session)))
    frame_code, input_code = numpy.searchsorted(numbers, session), numpy.searchsorted(numbers, input_session)
    rising = numpy.maximum.accumulate(frame_code * stride + shows)
    found = numpy.searchsorted(rising, input_code * stride + inputs.sequence)
    inside = found < len(rising)
    same = numpy.zeros(len(found), dtype=bool)
    same[inside] = frame_code[found[inside]] == input_code[inside]
    values = numpy.full(len(found), numpy.inf)
    values[same] = (received[found[same]] - inputs.intended_ns[same]) / 1e6
    # an input after which its host sent no frame could not be shown any more: no evidence; a lost frame is evidence
    sent = packets.where((packets.direction == FRAME) & (packets.sent_ns > 0))
    sent = sent.where(numpy.isin(sent.session, numbers))
    last_frame = numpy.zeros(len(numbers), dtype=numpy.int64)
    numpy.maximum.at(last_frame, numpy.searchsorted(numbers, sent.session), sent.sent_ns)
    could = last_frame[input_code] > inputs.received_ns
    counts = same | could
    return inputs.intended_ns[counts], values[counts]


def _percentile(values: Any, claim: Claim) -> float | None:
    import numpy

    if len(values) == 0:
        return None
    return float(numpy.quantile(values, claim.quantile or 0.5, method="higher"))

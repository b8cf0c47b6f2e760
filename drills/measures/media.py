"""What the packets say: losses, silences, and how long an input takes to be seen.

A packet belongs to the window in which it was due (design: samples carry the time of sending and are cut by it).
Packets that our own generator was too late to send are no evidence either way; they count in the generator's doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drills.measures.evidence import Evidence, ratio
from drills.measures.packets import FRAME, INPUT, Packets, in_order, order_of
from drills.objectives import Claim
from drills.record import Record, Span

ENDING_NS = 1_000_000_000  # after a second on its way a packet is lost whoever listens


def due_in(packets: Packets, span: Span) -> Packets:
    """The packets that were due in a stretch of time."""
    return packets.where((packets.intended_ns >= span.from_ns) & (packets.intended_ns < span.to_ns))


def losses(record: Record, span: Span, claim: Claim) -> Evidence:
    """Packets handed to the kernel by one end and never read by the other."""
    sent = due_in(record.packets, span)
    sent = sent.where(sent.sent_ns > 0)
    lost = int((sent.received_ns == 0).sum())
    inputs_lost = int(((sent.received_ns == 0) & (sent.direction == INPUT)).sum())
    return ratio(lost, len(sent), f"{inputs_lost} inputs and {lost - inputs_lost} frames lost of {len(sent)} packets")


def lost_at_ends(record: Record, span: Span) -> int:
    """Of the losses, those that a late relay alone explains: sent when the other end was about to close its socket.

    An end that stops listens on for a moment (LINGER_S in drills/load/session.py); what a relay that has to wait for a
    CPU forwards after that finds nobody.
    """
    import numpy

    sent = due_in(record.packets, span)
    lost = sent.where((sent.sent_ns > 0) & (sent.received_ns == 0))
    closed = {event["session"]: event["ended_ns"] for event in record.named("session.setup") if not event["ok"]}
    for event in record.named("session.ended"):
        closed.setdefault(event["session"], event["stopped_ns"])
    if not len(lost) or not closed:
        return 0
    known = numpy.array(sorted(closed.items()), dtype=numpy.int64)
    at = numpy.minimum(numpy.searchsorted(known[:, 0], lost.session), len(known) - 1)
    mine = known[at, 0] == lost.session
    return int((mine & (lost.sent_ns > known[at, 1] - ENDING_NS)).sum())


def silences_by_session(record: Record, span: Span) -> dict[int, float]:
    """The longest time, in ms, in which an end of each session of the window that should have heard something did not.

    Per session and direction: between two arrivals, from the first packet sent to the first arrival, and from the last
    arrival to the last packet sent. A silence belongs, whole, to the window that holds its middle: cut at a border, one
    that is too long would be two that are not.
    """
    packets = record.packets
    return dict(packets.remembered(("silences", span), lambda: _longest_by_session(packets, span)))


def _longest_by_session(packets: Packets, span: Span) -> dict[int, float]:
    import numpy

    session, from_ns, to_ns = every_silence(packets)
    middle = from_ns + (to_ns - from_ns) // 2
    here = (middle >= span.from_ns) & (middle < span.to_ns)
    present = due_in(packets, span)
    numbers = numpy.unique(present.session[present.sent_ns > 0].astype(numpy.int64))
    session, length_ms = session[here], (to_ns[here] - from_ns[here]) / 1e6
    found = numpy.minimum(numpy.searchsorted(numbers, session), max(0, len(numbers) - 1))
    known = numbers[found] == session if len(numbers) else numpy.zeros(len(session), dtype=bool)
    longest = numpy.zeros(len(numbers))
    numpy.maximum.at(longest, found[known], length_ms[known])
    return dict(zip(numbers.tolist(), longest.tolist(), strict=True))


def every_silence(packets: Packets) -> tuple[Any, Any, Any]:
    """Every stretch without an arrival of the record: session, from and to (ns)."""
    found: tuple[Any, Any, Any] = packets.remembered("silences", lambda: _silences_of(packets))
    return found


def _silences_of(packets: Packets) -> tuple[Any, Any, Any]:
    import numpy

    sent = packets.where(packets.sent_ns > 0)
    numbers, code = sent.flows()
    first = numpy.full(len(numbers), numpy.iinfo(numpy.int64).max)
    last = numpy.zeros(len(numbers), dtype=numpy.int64)
    numpy.minimum.at(first, code, sent.sent_ns)
    numpy.maximum.at(last, code, numpy.maximum(sent.sent_ns, sent.received_ns))
    # the stretches begin with the first send and end with the last: what lies outside was never due
    heard = sent.received_ns > 0
    ends = numpy.arange(len(numbers))
    code, moments = in_order(numpy.concatenate((ends, code[heard], ends)),
                             numpy.concatenate((first, sent.received_ns[heard], last)))  # fmt: skip
    same = numpy.diff(code) == 0
    return (numbers // 2)[code[1:][same]], moments[:-1][same], moments[1:][same]


def longest_silences(record: Record, span: Span, claim: Claim) -> Evidence:
    """The longest silence of each session in the window; the figure is a percentile over sessions."""
    return over_sessions(silences_by_session(record, span), claim)


def over_sessions(longest: Mapping[int, float], claim: Claim) -> Evidence:
    """A percentile of the longest silences of these sessions, in ms."""
    import numpy

    values = numpy.fromiter(longest.values(), dtype=float, count=len(longest))
    figure = _percentile(values, claim)
    if figure is None:
        return Evidence(0, None, values=values)
    worst = max(longest, key=lambda session: longest[session])
    says = f"longest of all {longest[worst]:.0f} ms, session {worst}"
    return Evidence(len(values), figure, values=values, says=says, hiding=lambda ms: figure + ms)


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
    found: tuple[Any, Any] = packets.remembered(("presented", span), lambda: _presented(packets, span))
    return found


@dataclass(frozen=True)
class _Shown:
    """Everything that frames show, session by session: arrays, one element a frame that was read, or one a session."""

    numbers: Any  # the sessions
    code: Any  # of each frame, which of them it belongs to
    received_ns: Any  # when it was read; rising within a session
    newest: Any  # the newest input shown so far, in a range of each session's own, so that it rises over all
    stride: int  # how long these ranges are
    last_sent_ns: Any  # of each session, when its host sent its last frame


def _shown_of(packets: Packets) -> _Shown:
    import numpy

    numbers = numpy.unique(packets.session.astype(numpy.int64))
    frames = packets.where((packets.direction == FRAME) & (packets.received_ns > 0) & (packets.shows >= 0))
    code = numpy.searchsorted(numbers, frames.session)
    order = order_of(code, frames.received_ns)
    code = code[order]
    stride = int(max(frames.shows.max(initial=0), packets.sequence.max(initial=0))) + 2
    newest = numpy.maximum.accumulate(code * stride + frames.shows[order])
    sent = packets.where((packets.direction == FRAME) & (packets.sent_ns > 0))
    last_sent_ns = numpy.zeros(len(numbers), dtype=numpy.int64)
    numpy.maximum.at(last_sent_ns, numpy.searchsorted(numbers, sent.session), sent.sent_ns)
    return _Shown(numbers, code, frames.received_ns[order], newest, stride, last_sent_ns)


def _presented(packets: Packets, span: Span) -> tuple[Any, Any]:
    import numpy

    inputs = due_in(packets, span)
    inputs = inputs.where((inputs.direction == INPUT) & (inputs.received_ns > 0))
    # one search for all sessions: the first frame, in the order of arrival, that shows this input or a newer one
    shown: _Shown = packets.remembered("shown", lambda: _shown_of(packets))
    code = numpy.searchsorted(shown.numbers, inputs.session)
    found = numpy.searchsorted(shown.newest, code * shown.stride + inputs.sequence)
    inside = found < len(shown.newest)
    same = numpy.zeros(len(found), dtype=bool)
    same[inside] = shown.code[found[inside]] == code[inside]
    values = numpy.full(len(found), numpy.inf)
    values[same] = (shown.received_ns[found[same]] - inputs.intended_ns[same]) / 1e6
    # an input after which its host sent no frame could not be shown any more: no evidence; a lost frame is evidence
    counts = same | (shown.last_sent_ns[code] > inputs.received_ns)
    return inputs.intended_ns[counts], values[counts]


def _percentile(values: Any, claim: Claim) -> float | None:
    import numpy

    if len(values) == 0:
        return None
    return float(numpy.quantile(values, claim.quantile or 0.5, method="higher"))

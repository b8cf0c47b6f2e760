"""What packets say where something stands in their way: one direction by itself, copies, and a NAT that forgot."""

from __future__ import annotations

from drills.measures.evidence import Evidence, ratio
from drills.measures.media import due_in, every_silence, over_sessions
from drills.measures.packets import FRAME
from drills.objectives import Claim
from drills.record import Record, Span

ENOUGH_NS = 8_000_000_000  # a session that was to end so soon after a rebinding need not have come back
SETTLED_NS = (
    50_000_000  # what was sent until then may have gone by the old port still (every end's next packet moves it)
)


def frames_lost(record: Record, span: Span, claim: Claim) -> Evidence:
    """Frames handed to the kernel by a host and never read by its client."""
    sent = due_in(record.packets, span)
    sent = sent.where((sent.sent_ns > 0) & (sent.direction == FRAME))
    lost = int((sent.received_ns == 0).sum())
    return ratio(lost, len(sent), f"{lost} of {len(sent)} frames lost")


def frames_silences(record: Record, span: Span, claim: Claim) -> Evidence:
    """The longest time for which each client saw no frame; a silence belongs to the window that holds its middle."""
    frames = record.packets.where(record.packets.direction == FRAME)
    session, from_ns, to_ns = every_silence(frames)
    middle = from_ns + (to_ns - from_ns) // 2
    here = (middle >= span.from_ns) & (middle < span.to_ns)
    longest: dict[int, float] = {}
    for number, ms in zip(session[here].tolist(), ((to_ns - from_ns)[here] / 1e6).tolist(), strict=True):
        longest[number] = max(longest.get(number, 0.0), ms)
    return over_sessions(longest, claim)


def repeated(record: Record, span: Span, claim: Claim) -> Evidence:
    """Packets of the window that reached their end more than once; without a doubled packet there is nothing to see."""
    sent = due_in(record.packets, span)
    heard = int((sent.received_ns > 0).sum())
    twice = int((sent.copies > 1).sum())
    return Evidence(heard, float(twice) if heard else None, says=f"{twice} of {heard} packets came more than once")


def rebound(record: Record, span: Span, claim: Claim) -> Evidence:
    """From a NAT's forgetting until the last of the sessions that were there heard its peer again, both ways, in s.

    A session counts that both sent and heard before and was not at its end anyway.
    """
    import numpy

    receipts = [event for event in record.named("fault.receipt")
                if event["fault"] == "udp_rebind" and event["asked_ns"] in span]  # fmt: skip
    if not receipts:
        return Evidence(0, None, missing="no NAT has forgotten anybody in this window")
    packets, worst, never, count = record.packets, 0.0, 0, 0
    ends = {event["session"]: event["stopped_ns"] for event in record.named("session.ended")}
    for receipt in receipts:
        moment, everybody_ns = receipt["asked_ns"], receipt["from_ns"] + SETTLED_NS
        before = packets.where((packets.sent_ns > moment - 1_000_000_000) & (packets.received_ns > 0)
                               & (packets.received_ns < moment))  # fmt: skip
        for session in numpy.unique(before.session).tolist():
            if ends.get(session, span.to_ns) < moment + ENOUGH_NS:
                continue
            count += 1
            # by then every flow has its new port
            after = packets.where((packets.session == session) & (packets.sent_ns > everybody_ns)
                                  & (packets.received_ns > 0))  # fmt: skip
            first = [after.received_ns[after.direction == way] for way in (0, 1)]
            if not all(len(one) for one in first):
                never += 1
                continue
            worst = max(worst, max((int(one.min()) - moment) / 1e9 for one in first))
    says = f"{count} sessions were there" + (f", {never} never heard each other again" if never else "")
    figure = (span.to_ns - min(receipt["asked_ns"] for receipt in receipts)) / 1e9 if never else worst
    return Evidence(count, figure if count else None, says=says, past=bool(never))

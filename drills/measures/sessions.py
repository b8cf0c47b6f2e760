"""What became of sessions: set-ups, handshakes, drops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from drills.measures.evidence import Evidence, ratio
from drills.measures.media import silences_by_session
from drills.objectives import Claim
from drills.record import Event, Record, Span

DROP_SILENCE_MS = 1000.0  # a user is cut off: operations-facts §7, row 6, allows no gap over 1 s
RELEASED, UNPLANNED, SILENT, TAIL = "new lease", "unplanned end", "silent for a second", "silent at its end"
# who hears nothing for this long asks whether their lease still stands (SILENCE_S in drills/load/session.py)
PATIENCE_MS = 2000.0
ASKED_AGAIN_MS = PATIENCE_MS / 2  # a stop of ours shorter than this makes nobody take another lease
TAIL_SILENCE_MS = 250.0  # a session that hears nothing at its very end did not last until its planned end


def _setups(record: Record, span: Span) -> list[Event]:
    return [event for event in record.named("session.setup") if event["intended_ns"] in span]


def setups(record: Record, span: Span, claim: Claim) -> Evidence:
    """Set-ups asked for in the window that came up, of all."""
    events = _setups(record, span)
    failed = Counter(f"{event['step']} ({event['reason']})" for event in events if not event["ok"])
    says = "; ".join(f"{count} × {what}" for what, count in failed.most_common(3))
    return ratio(sum(event["ok"] for event in events), len(events), says)


def setup_outage(record: Record, span: Span, claim: Claim) -> Evidence:
    """The longest stretch, in s, in which whoever asked for a session got none: first failure to next success.

    Times are those at which set-ups were due, so that what hangs does not count as what was not asked for. A stretch
    counts from the first failure that was due in the window: whoever was asking already when the window began, and
    failed with all those after them, must not take their outage along into the window before.
    """
    everybody = sorted(record.named("session.setup"), key=lambda event: event["intended_ns"])
    longest, from_ns, begun_ns, over = 0.0, 0, 0, True
    for event in everybody:
        if not event["ok"] and event["intended_ns"] in span:
            begun_ns = begun_ns or event["intended_ns"]
        if begun_ns and (event["ok"] or event is everybody[-1]):
            length_s = (event["intended_ns"] - begun_ns) / 1e9
            if length_s >= longest:
                longest, from_ns, over = length_s, begun_ns, event["ok"]
            begun_ns = 0
    samples = len(_setups(record, span))
    says = f"from {record.seconds_at(from_ns):.1f} s of the run on" if from_ns else "nobody was refused"
    return Evidence(samples, longest if samples else None, says=says, past=not over)


def handshakes(record: Record, span: Span, claim: Claim) -> Evidence:
    """LEASE_PRESENTs sent in the window that were not acknowledged, of all."""
    events = [event for event in record.named("handshake") if event["sent_ns"] in span]
    failed = Counter(f"{event['outcome']} {event['reason']}".strip() for event in events if event["outcome"] != "ack")
    says = "; ".join(f"{count} × {what}" for what, count in failed.most_common(3))
    return ratio(sum(failed.values()), len(events), says)


def drops(record: Record, span: Span, claim: Claim) -> Evidence:
    """Sessions with media in the window that were cut off, of all.

    Cut off: the session had to take a lease it was not told to take, ended before its planned end, or heard nothing
    for a second, or nothing at its end. A planned end is no drop, and a new lease that the drill asked for is none.
    """
    cut = cut_off(record, span)
    counts = Counter(why for reasons in cut.values() for why in reasons)
    # whoever was cut off in the window counts in it, even where nothing of theirs was due in it any more
    concerned = silences_by_session(record, span).keys() | cut.keys()
    told = sum(event["cause"] == "told" for event in _releases(record, span))
    says = f"{counts[RELEASED]} needed a new lease, {counts[SILENT]} were silent for a second, " \
           f"{counts[TAIL]} at their end"  # fmt: skip

    floor_ms = record.floor_in("silence_ms", span)
    limit_ms, tail_ms = DROP_SILENCE_MS + floor_ms, TAIL_SILENCE_MS + floor_ms

    def hiding(ms: float) -> float:
        longer = {one: silent_ms + ms for one, silent_ms in silences_by_session(record, span).items()}
        silent = {one for one, silent_ms in longer.items() if silent_ms >= limit_ms}
        # what was forwarded last may have been read late: the end was quiet for longer than it seems
        silent |= {event["session"] for event in _ends(record)
                   if event["stopped_ns"] in span and _tail_ms(record, event) + ms > tail_ms}  # fmt: skip
        return len(cut.keys() | silent) / max(1, len(concerned))

    def forgiving(ms: float) -> float:
        """Silences and tails that much shorter; whoever needs a new lease has waited longer than any short stop."""
        silences = silences_by_session(record, span)
        tails = {event["session"]: _tail_ms(record, event) for event in _ends(record) if event["stopped_ns"] in span}
        stays = {
            RELEASED: lambda one: ms < ASKED_AGAIN_MS, UNPLANNED: lambda one: ms < ASKED_AGAIN_MS,
            SILENT: lambda one: silences[one] - ms >= limit_ms,
            TAIL: lambda one: tails[one] - ms > tail_ms,
        }  # fmt: skip
        left = sum(any(stays[why](one) for why in reasons) for one, reasons in cut.items())
        return left / max(1, len(concerned))

    says += f"; {told} moved because the drill told them" if told else ""
    return ratio(len(cut), len(concerned), says, hiding=hiding, forgiving=forgiving)


def cut_off(record: Record, span: Span) -> dict[int, tuple[str, ...]]:
    """The sessions that were cut off in a window, and why."""
    cut: dict[int, tuple[str, ...]] = record.remembered(("cut off", span), lambda: _cut_off(record, span))
    return cut


def _cut_off(record: Record, span: Span) -> dict[int, tuple[str, ...]]:
    ends = [event for event in _ends(record) if event["stopped_ns"] in span]
    floor_ms = record.floor_in("silence_ms", span)  # what the path alone keeps anybody silent for cuts nobody off
    reasons = {
        RELEASED: {event["session"] for event in _releases(record, span) if event["cause"] != "told"},
        UNPLANNED: {event["session"] for event in ends if not event["planned"]},
        SILENT: {
            session for session, ms in silences_by_session(record, span).items() if ms >= DROP_SILENCE_MS + floor_ms
        },
        TAIL: {event["session"] for event in ends if _tail_ms(record, event) > TAIL_SILENCE_MS + floor_ms},
    }
    everybody = sorted(set().union(*reasons.values()))
    return {session: tuple(why for why, mine in reasons.items() if session in mine) for session in everybody}


def _releases(record: Record, span: Span) -> list[Event]:
    return [event for event in record.named("session.released") if event.get("began_ns", event.ns) in span]


def _ends(record: Record) -> list[Event]:
    """The first end of each session: what the load writes of it after it stopped the sending is no news."""
    first: dict[int, Event] = {}
    for event in record.named("session.ended"):
        first.setdefault(event["session"], event)
    return list(first.values())


def _tail_ms(record: Record, ended: Event) -> float:
    """How long before a session's planned stop the quieter direction was heard last."""
    last = _last_heard(record).get(ended["session"])
    return (ended["stopped_ns"] - last) / 1e6 if last is not None else 0.0


def _last_heard(record: Record) -> Mapping[int, int]:
    """For each session, when the direction that fell silent first was heard last (monotonic ns)."""
    last: Mapping[int, int] = record.remembered("last heard", lambda: _last_heard_by_session(record))
    return last


def _last_heard_by_session(record: Record) -> dict[int, int]:
    import numpy

    numbers, code = record.packets.flows()
    last = numpy.zeros(len(numbers), dtype=numpy.int64)
    numpy.maximum.at(last, code, record.packets.received_ns)
    found: dict[int, int] = {}
    for number, heard in zip(numbers.tolist(), last.tolist(), strict=True):
        found[number // 2] = min(found.get(number // 2, heard), heard)
    return found


def unplanned_leases(record: Record, span: Span, claim: Claim) -> Evidence:
    """How many sessions set out for another lease in the window that nobody had told to, or ended before their time."""
    moved = {event["session"] for event in _releases(record, span) if event["cause"] != "told"}
    ended = {event["session"] for event in _ends(record) if event["stopped_ns"] in span and not event["planned"]}
    there = silences_by_session(record, span)
    causes = Counter(event["cause"] for event in _releases(record, span) if event["cause"] != "told")
    says = ", ".join(f"{count} × {cause}" for cause, count in causes.most_common(3))

    def hiding(ms: float) -> float:
        """Whoever was silent for so long that, a stop of ours longer, they would have asked for another lease."""
        silent = {session for session, silent_ms in there.items() if silent_ms + ms >= PATIENCE_MS}
        return float(len(moved | ended | silent))

    return Evidence(len(there), float(len(moved | ended)), says=says, hiding=hiding)

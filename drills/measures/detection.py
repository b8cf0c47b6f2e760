"""Time to detect: from each fault's start to the first sign of it, from its end to all signs gone (pure).

Signs are those of ``drills/measures/signs.py``. A fault that hurt users while the control plane gave no sign is
*silent*; that a probe from outside would have been left waiting is said beside it, but is nobody's word.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drills.measures import generator
from drills.measures.media import every_silence
from drills.measures.signs import NO_ANSWER, STALE_BEATS, Seen, Sign, seen
from drills.record import CONDITION, Event, Record, Span
from drills.weighing import interval_99

if TYPE_CHECKING:
    from drills.verdict import Judgement

CUT_NS = 1_000_000_000  # a user is cut off: operations-facts §7, row 6, allows no gap over 1 s
FAILED_MIN = 3  # fewer set-ups that fail may be anything
STALL_MS = 250.0  # while our own generator stood still for so long, sessions may have suffered by us


@dataclass(frozen=True)
class First:
    """The first sign of one kind."""

    kind: str
    where: str
    says: str
    after_s: float


@dataclass(frozen=True)
class Detection:
    """What was seen of one fault, and by whom; every ``_s`` counts from the fault's start or end."""

    fault: str
    subject: str
    from_s: float  # seconds since the start of the run
    to_s: float
    after_s: float | None  # from the fault's start to the first sign; None where there was none
    kind: str  # of the first sign, as drills/measures/signs.py has them; empty where there was none
    where: str
    says: str
    others: tuple[First, ...]  # the first sign of every other kind: a list may know sooner than whom it concerns
    outside_s: float | None  # until somebody who asked from outside was left waiting
    gone_after_s: float | None  # from the fault's end to all signs gone; None where there was none, or they stayed
    remaining: str  # which sign was still there at the end, and for how long
    hurt: str  # what users met while it lasted; empty where nothing
    unknown: str  # why nothing can be said of it
    silent: bool
    rows: str = field(default="journal.jsonl#event=fault.receipt, gateway.health, relay.health, relays.seen, "
                              "master.seen, log")  # fmt: skip


@dataclass(frozen=True)
class _Fault:
    """A fault's receipt, and the stretches in which it may have hurt, be detected and leave signs."""

    event: Event
    force: Span
    aftermath: Span


def detections(
    record: Record, judgements: Sequence[Judgement] = (), excused: Collection[str] = ()
) -> tuple[Detection, ...]:
    """Every fault of the record, in the order in which they began.

    ``judgements`` are those of users' objectives; ``excused`` names claims whose failures in the fault window may be
    our own or the machine's: what they speak of hurt nobody as far as we know.
    """
    faults = _faults(record)
    if not faults:
        return ()
    eyes = seen(record)
    hurts = [_hurt(record, fault.force, excused) for fault in faults]
    broken = ", ".join(dict.fromkeys(one.objective for one in judgements
                                     if one.verdict == "broken" and one.window == "fault"))  # fmt: skip
    if broken and not any(hurts):  # somebody was, and nothing says by which of them
        hurts = [f"{broken} broken"] * len(faults)
    return tuple(_detection(record, fault, eyes, hurt) for fault, hurt in zip(faults, hurts, strict=True))


def _faults(record: Record) -> list[_Fault]:
    # a named condition is there from the first moment on, wanted, and has nobody to notice it
    receipts = sorted((event for event in record.named("fault.receipt") if event["fault"] != CONDITION),
                      key=lambda event: int(event["asked_ns"]))  # fmt: skip
    grace_ns = int(STALE_BEATS * float(record.provenance["heartbeat_s"]) * 1e9)
    windows = record.windows.values()
    end_ns = max((span.to_ns for span in windows), default=record.events[-1].ns)
    found = []
    for event in receipts:
        to_ns = int(event["to_ns"])
        after = [int(other["asked_ns"]) for other in receipts if other["asked_ns"] >= to_ns]
        until_ns = min([end_ns, *after])
        # what is over in an instant (a restart) is still news a little later
        force = Span(int(event["asked_ns"]), min(until_ns, max(to_ns, int(event["asked_ns"]) + grace_ns)))
        found.append(_Fault(event, force, Span(force.from_ns, max(until_ns, force.to_ns))))
    return found


def _detection(record: Record, fault: _Fault, eyes: Seen, hurt: str) -> Detection:
    event = fault.event
    mine = [sign for sign in eyes.signs if sign.from_ns in fault.aftermath]
    in_time = [sign for sign in mine if sign.from_ns in fault.force]
    first = next((sign for sign in in_time if sign.kind != NO_ANSWER), None)
    waiting = next((sign for sign in in_time if sign.kind == NO_ANSWER), None)
    unknown = _unknown(event, eyes, fault.force) if first is None else ""
    gone_after_s, remaining = _gone(mine, int(event["to_ns"]), fault.aftermath.to_ns)
    from_ns = int(event.get("from_ns") or event["asked_ns"])
    kind, where, says = (first.kind, first.where, first.says) if first else ("", "", "")
    return Detection(
        str(event["fault"]), str(event["subject"]), round(record.seconds_at(from_ns), 3),
        round(record.seconds_at(event["to_ns"]), 3), _after_s(first, from_ns), kind, where, says,
        _others(in_time, first, from_ns), _after_s(waiting, from_ns), gone_after_s, remaining, hurt, unknown,
        bool(hurt) and first is None and not unknown,
    )  # fmt: skip


def _others(signs: Sequence[Sign], first: Sign | None, from_ns: int) -> tuple[First, ...]:
    """The first sign of each kind but the very first's, and but that of being left waiting."""
    found: dict[str, First] = {}
    for sign in signs:
        if first is not None and sign.kind not in (first.kind, NO_ANSWER):
            after_s = round(max(0, sign.from_ns - from_ns) / 1e9, 3)
            found.setdefault(sign.kind, First(sign.kind, sign.where, sign.says, after_s))
    return tuple(found.values())


def _after_s(sign: Sign | None, from_ns: int) -> float | None:
    """A sign may come before the fault is proven to be on: then at once."""
    return round(max(0, sign.from_ns - from_ns) / 1e9, 3) if sign else None


def _unknown(event: Event, eyes: Seen, force: Span) -> str:
    if not event["landed"]:
        return "it was not seen to land"
    blind = eyes.blind(force)
    return f"nobody looked at {', '.join(blind)} while it lasted" if blind else ""


def _gone(signs: list[Sign], to_ns: int, until_ns: int) -> tuple[float | None, str]:
    """How long after the fault's end the last sign went; or which of them stayed to the end."""
    if not signs:
        return None, ""
    staying = next((sign for sign in signs if not sign.to_ns or sign.to_ns > until_ns), None)
    if staying:
        return None, f"{staying.where}: {staying.says}, still {(until_ns - to_ns) / 1e9:.1f} s after its end"
    return round(max(0, max(sign.to_ns for sign in signs) - to_ns) / 1e9, 3), ""


# -- users ------------------------------------------------------------------------------------------------------------


def _hurt(record: Record, force: Span, excused: Collection[str]) -> str:
    """What users met while a fault was in force, in words; empty where nothing that is not ours."""
    parts = [] if "session_setup_success_ratio" in excused else [_failing_setups(record, force)]
    if "session_drop_ratio" not in excused and generator.longest_stall_ms(record, force) < STALL_MS:
        parts += [_dropped(record, force), _silent(record, force)]
    return ", ".join(part for part in parts if part)


def _failing_setups(record: Record, force: Span) -> str:
    """Set-ups that failed, beyond what failed in calm and beyond luck."""
    setups = record.named("session.setup")
    calm = record.windows.get("calm", Span(0, 0))
    before = [not event["ok"] for event in setups if event["intended_ns"] in calm]
    mine = [not event["ok"] for event in setups if event["intended_ns"] in force]
    usual = sum(before) / len(before) if before else 0.0
    if sum(mine) < FAILED_MIN or interval_99(sum(mine), len(mine))[0] <= usual:
        return ""
    return f"{sum(mine)} of {len(mine)} set-ups failed"


def _dropped(record: Record, force: Span) -> str:
    lost = {event["session"] for event in record.named("session.released")
            if event["cause"] != "told" and event.get("began_ns", event.ns) in force}  # fmt: skip
    lost |= {event["session"] for event in record.named("session.ended")
             if not event["planned"] and event["stopped_ns"] in force}  # fmt: skip
    return f"{len(lost)} sessions were dropped" if lost else ""


def _silent(record: Record, force: Span) -> str:
    import numpy

    session, from_ns, to_ns = every_silence(record.packets)
    long = (to_ns - from_ns >= CUT_NS) & (from_ns < force.to_ns) & (to_ns > force.from_ns)
    count = len(numpy.unique(session[long]))
    return f"{count} sessions were silent for a second" if count else ""

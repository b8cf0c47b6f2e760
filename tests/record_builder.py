"""Records made by hand: a journal and packet columns from a few words, in seconds, without disk or clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy

from drills.faults.base import Arguments
from drills.measures.packets import COLUMNS, FRAME, INPUT, Packets
from drills.record import Event, Record
from drills.scenario.durations import Duration
from drills.scenario.models import (
    Action,
    Generator,
    Injection,
    LengthRange,
    Load,
    ObjectiveSpec,
    Scenario,
    Step,
    TierLimits,
    Windows,
)
from drills.scenario.tiers import IndicatorLimits, Tiers
from drills.steps.hold import HoldArguments

ZERO_NS = 1_000_000_000_000  # second 0 of every record made here
EVERY_S = 0.05  # how often an end sends
A, B = "relay-a", "relay-b"


def ns(at_s: float) -> int:
    """A second of the record as its monotonic clock has it."""
    return ZERO_NS + round(at_s * 1e9)


@dataclass
class RecordBuilder:
    """A record in the making; every number is in seconds since its beginning."""

    heartbeat_s: float = 0.5
    tier: str = "stage"
    workers: int = 1
    events: list[Event] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)

    def event(self, at_s: float, name: str, **fields: Any) -> RecordBuilder:
        """One line of the journal."""
        self.events.append(Event(name, ns(at_s), "2026-11-03T14:00:00.000Z", fields))
        return self

    def windows(self, **spans: tuple[float, float]) -> RecordBuilder:
        """Windows by name: from, to."""
        for name, (from_s, to_s) in spans.items():
            self.event(from_s, "window.opened", window=name).event(to_s, "window.closed", window=name)
        return self

    def witnessed(
        self, until_s: int, *, waited_ms: dict[str, float] | None = None, own_drops: int = 0
    ) -> RecordBuilder:
        """The per-second witnesses; ``own_drops`` grow in the middle, ``waited_ms`` is the same every second."""
        self.event(0.0, "relay.known", service="relay_a", relay_id=A).event(
            0.0, "relay.known", service="relay_b", relay_id=B
        )
        for second in range(until_s + 2):
            self.event(second, "machine.second", waited_ms=waited_ms or {}, wall_minus_monotonic_ns=0)
            for worker in range(self.workers):
                drops = own_drops if second > until_s / 2 and worker == 0 else 0
                self.event(second, "generator.second", worker=worker, own_drops=drops)
        return self

    def gap(self, from_s: float, to_s: float, worker: int = 0) -> RecordBuilder:
        """Our own generator stands still."""
        return self.event(to_s, "generator.gap", worker=worker, from_ns=ns(from_s), to_ns=ns(to_s))

    def packets(self, session: int, direction: int, intended_s: Iterable[float], *, delay_s: Any = 0.005,
                late_s: Any = 0.0, lost: Any = False, shows: Any = -1,
                sequence: Any = None) -> RecordBuilder:  # fmt: skip
        """Packets of one end; ``delay_s``, ``late_s``, ``lost`` and ``shows`` are one value or one a packet."""
        intended = numpy.array([ns(at_s) for at_s in intended_s], dtype=numpy.int64)
        count = len(intended)
        sent = intended + (numpy.broadcast_to(late_s, count) * 1e9).astype(numpy.int64)
        received = sent + (numpy.broadcast_to(delay_s, count) * 1e9).astype(numpy.int64)
        heard = ~numpy.broadcast_to(lost, count)
        self.blocks.append({
            "session": numpy.full(count, session), "direction": numpy.full(count, direction),
            "sequence": numpy.arange(1, count + 1) if sequence is None else numpy.array(sequence),
            "intended_ns": intended, "sent_ns": sent, "received_ns": numpy.where(heard, received, 0),
            "shows": numpy.broadcast_to(shows, count).copy(), "copies": heard.astype(numpy.int64),
        })  # fmt: skip
        return self

    def session(self, number: int, from_s: float, to_s: float, *, quiet: tuple[float, float] | None = None,
                delay_s: float = 0.005, lost_every: int = 0, silent_until_end_from_s: float | None = None,
                kind: str = "visit", ended: bool = True) -> RecordBuilder:  # fmt: skip
        """One session from set-up to planned end; in ``quiet`` every packet is held back and comes in a burst."""
        self.setup(from_s, number, kind=kind)
        times = numpy.arange(from_s, to_s, EVERY_S)
        delays = numpy.full(len(times), delay_s)
        lost = numpy.zeros(len(times), dtype=bool)
        if lost_every:
            lost = (numpy.arange(len(times)) + 7 * number) % lost_every == 1
        if quiet:
            held = (times >= quiet[0]) & (times < quiet[1])
            delays[held] = quiet[1] - times[held] + delay_s
        if silent_until_end_from_s is not None:
            lost = lost | (times >= silent_until_end_from_s)
        inputs, frames = times, times + EVERY_S / 2
        shows = numpy.arange(1, len(times) + 1) - 1
        self.packets(number, INPUT, inputs, delay_s=delays, lost=lost)
        self.packets(number, FRAME, frames[frames < to_s], delay_s=delays[frames < to_s], lost=lost[frames < to_s],
                     shows=(shows + 1)[frames < to_s])  # fmt: skip
        return self.ended(to_s, number, kind=kind) if ended else self

    def setup(self, at_s: float, number: int, *, ok: bool = True, kind: str = "visit", pair: str = "",
              took_s: float = 0.0, began_s: float | None = None) -> RecordBuilder:  # fmt: skip
        """A set-up that came to its end."""
        began_s = at_s if began_s is None else began_s
        return self.event(
            began_s + took_s, "session.setup", session=number, kind=kind, pair=pair or f"{kind}{number}",
            intended_ns=ns(at_s), began_ns=ns(began_s), ended_ns=ns(began_s + took_s), ok=ok,
            step="" if ok else "offer", reason="" if ok else "not received within 2 s",
        )  # fmt: skip

    def ended(
        self, at_s: float, number: int, *, planned: bool = True, reason: str = "", kind: str = "visit"
    ) -> RecordBuilder:
        """A session's end."""
        return self.event(at_s, "session.ended", session=number, kind=kind, planned=planned, reason=reason,
                          planned_ns=ns(at_s), stopped_ns=ns(at_s))  # fmt: skip

    def bound(self, at_s: float, end: str, *, until_s: float | None = None, logged_in: bool = False) -> RecordBuilder:
        """An end that binds, and hangs up later; with ``logged_in`` its token was refused first."""
        if logged_in:
            self.event(at_s - 0.1, "signal.refused", end=end, reason="Invalid Token")
        self.event(at_s, "signal.bound", end=end, lost_ns=0, bound_ns=ns(at_s), tries=1, logged_in=logged_in)
        return self if until_s is None else self.event(until_s, "signal.released", end=end)

    def signal_lost(
        self, at_s: float, end: str, *, again_s: float | None = None, logged_in: bool = False
    ) -> RecordBuilder:
        """An end that loses its socket, and may be bound again."""
        self.event(at_s, "signal.lost", end=end, lost_ns=ns(at_s), cause="closed by the gateway")
        if again_s is None:
            return self
        return self.event(again_s, "signal.rebound", end=end, lost_ns=ns(at_s), bound_ns=ns(again_s), tries=1,
                          logged_in=logged_in)  # fmt: skip

    def handshakes(self, at_s: float, count: int, bad: int, outcome: str = "reject") -> RecordBuilder:
        """PRESENTs, some of them refused."""
        for number in range(count):
            refused = number < bad
            self.event(at_s, "handshake", sent_ns=ns(at_s), outcome=outcome if refused else "ack",
                       reason="wrong_relay" if refused and outcome == "reject" else "")  # fmt: skip
        return self

    def lease(self, at_s: float, relay_id: str, session: int | None = None, took_s: float = 0.004) -> RecordBuilder:
        """A lease that was asked for at ``at_s``."""
        return self.event(at_s + took_s, "lease.given", session=session, relay_id=relay_id, cause="sample",
                          asked_ns=ns(at_s), given_ns=ns(at_s + took_s))  # fmt: skip

    def look(self, at_s: float, state: str | None, age_ms: float = 0.0, took_s: float = 0.003) -> RecordBuilder:
        """A look at the master's list; with state None the relay is not in it."""
        relays = [{"relay_id": B, "state": "Active", "age_ms": 1}]
        relays += [{"relay_id": A, "state": state, "age_ms": age_ms}] if state else []
        return self.event(at_s + took_s, "relays.seen", asked_ns=ns(at_s), relays=relays)

    def fault(self, fault: str, subject: str, from_s: float, to_s: float, *, landed: bool = True, mended: bool = True,
              injected: bool = True, **detail: Any) -> RecordBuilder:  # fmt: skip
        """A fault with its two events."""
        facts = {"fault": fault, "subject": subject, "landed": landed,
                 "measured_on": "seen on", "measured_off": "seen off",
                 "asked_ns": ns(from_s), "from_ns": ns(from_s + 0.01), **detail}  # fmt: skip
        if injected:
            self.event(from_s + 0.05, "fault.injected", **facts, mended=False, to_ns=0)
        return self.event(to_s + 0.02, "fault.receipt", **facts, mended=mended, to_ns=ns(to_s))

    def drained(
        self, *, state: Callable[[float], str | None] = lambda at_s: "Draining",
        lease: Callable[[float], str] = lambda at_s: B, landed: bool = True, cut_landed: bool = True,
        cut_mended: bool = True, waited: bool = True, registered_s: float | None = 17.8, said: bool = True,
        first_registered: bool = True, back_s: float | None = 20.8, unmet_s: float | None = None,
        looks: Callable[[float], bool] = lambda at_s: True, before: Callable[[int], str] = lambda n: (A, B)[n % 2],
    ) -> RecordBuilder:  # fmt: skip
        """The story of relay_drain: drained at 10 s, cut 14 to 17.5 s, registered again, restarted at 20 s."""
        if first_registered:
            self.event(0.5, "master.registered", relay_id=A)
        for number in range(100):
            self.lease(1 + number / 20, before(number))
        self.fault("drain", "relay_a", 10.0, 21.0, landed=landed, relay_id=A)
        for tenth in range(101, 200):
            at_s = tenth / 10
            self.lease(at_s + 0.02, lease(at_s))
        for tenth in range(100, 200):
            at_s = tenth / 10 + 0.06
            if looks(at_s):
                self.look(at_s, state(at_s), age_ms=at_s % self.heartbeat_s * 1000)
        self.fault("down", "relay_a_to_master", 14.0, 17.5, landed=cut_landed, mended=cut_mended)
        if registered_s is not None:
            self.event(registered_s, "master.registered", relay_id=A)
        if said:
            self.event(17.8, "relay.reregistered", relay_id=A)
        if waited:
            self.event(18.5, "step.done", step="await_reregistration")
        self.fault("restart", "relay_a", 20.0, 20.3)
        if back_s is not None:
            self.event(back_s, "relay.back", service="relay_a", relay_id="relay-a2", forwarded_ns=ns(back_s))
        if unmet_s is not None:
            self.event(unmet_s, "step.unmet", step="await_back", service="relay_a", reason="not ready")
        return self

    def over(self, at_s: float = 40.0, *, finished: int | None = None, rows: int | None = None) -> RecordBuilder:
        """The end of a run that ended well."""
        total = sum(len(block["session"]) for block in self.blocks)
        for worker in range(self.workers if finished is None else finished):
            mine = (total if rows is None else rows) if worker == 0 else 0
            self.event(at_s, "generator.finished", worker=worker, rows=mine)
        return self.event(at_s + 0.1, "run.ended")

    def record(self) -> Record:
        """The record as it would be read from disk."""
        kinds = {"session": numpy.int32, "direction": numpy.int8, "copies": numpy.int8}
        columns = {name: numpy.concatenate([block[name] for block in self.blocks] or [numpy.zeros(0)])
                   .astype(kinds.get(name, numpy.int64)) for name in COLUMNS}  # fmt: skip
        provenance = {"drill": "made_by_hand", "run": "r", "target": "reference", "stage": "processes",
                      "tier": self.tier,
                      "heartbeat_s": self.heartbeat_s, "load": {"evidence_factor": 1}}  # fmt: skip
        made = Record(Path("nowhere"), tuple(sorted(self.events, key=lambda event: event.ns)), provenance)
        made.__dict__["packets"] = Packets(columns, len(self.blocks), ())
        return made


def sound(sessions: int = 200, *, until_s: float = 40.0, **session: Any) -> RecordBuilder:
    """Three windows, witnesses, and sessions of a second all over the fault window (10 to 30 s)."""
    builder = (
        RecordBuilder().windows(calm=(0.0, 10.0), fault=(10.0, 30.0), recovery=(30.0, 40.0)).witnessed(int(until_s))
    )
    for number in range(1, sessions + 1):
        from_s = 10.1 + 18.5 * number / sessions
        builder.session(number, from_s, from_s + 1.0, **session)
    return builder


def scenario_of(
    *objectives: ObjectiveSpec, fault: tuple[Step, ...] = (), workers: int = 1, visits: int = 0
) -> Scenario:
    """A scenario that promises these; the fault window lasts as long as `hold` says where nothing is injected."""
    hold = (Action("hold", HoldArguments(lasts=Duration(20.0))),)
    length = LengthRange(shortest=Duration(6.0), longest=Duration(7.0))
    load = Load(
        resident=1, resident_length=length, visits_per_window=visits, visit_length=Duration(1.2), workers=workers,
        renew_every=Duration(2.0), direct_path="closed",
    )  # fmt: skip
    gap, late = TierLimits(dev=40.0, stage=35.0, prod=30.0), TierLimits(dev=15.0, stage=15.0, prod=15.0)
    return Scenario(
        "made_by_hand", Path("made_by_hand.yaml"), "", "claim", "nobody", ("daily",), (), load,
        Generator(gap_ms_max=gap, lateness_ms_p99_max=late, why="because of this"),
        Windows(calm=Duration(10.0), recovery=Duration(10.0)), fault or hold, objectives, {},
    )  # fmt: skip


def injection(fault: str, subject: str, lasts_s: float | None = None, *steps: Step) -> Injection:
    """A fault of a story."""
    return Injection(fault, subject, Arguments(), Duration(lasts_s) if lasts_s else None, steps)


def promise(claim: str, limit: Any, samples_min: int = 1, windows: tuple[str, ...] = ("fault",)) -> ObjectiveSpec:
    """One objective."""
    return ObjectiveSpec(claim=claim, windows=windows, limit=limit, samples_min=samples_min, why="because of this")


def tiers_of(**stage_limits: float) -> Tiers:
    """Limits of the stage tier; dev is twice as lax and prod twice as strict."""
    rows = {name: IndicatorLimits(limits={"dev": 2 * limit, "stage": limit, "prod": limit / 2}, why="because of this")
            for name, limit in stage_limits.items()}  # fmt: skip
    return Tiers(evidence={"dev": 1, "stage": 1, "prod": 2}, indicators=rows)

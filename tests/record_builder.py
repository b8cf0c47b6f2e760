"""Records made by hand: a journal and packet columns from a few words, in seconds, without disk or clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy

from drills.faults.base import Arguments
from drills.measures.candidate import Thresholds
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

    def twice(self, packets: int) -> RecordBuilder:
        """The first packets of every block came two times."""
        for block in self.blocks:
            block["copies"][:packets] *= 2
        return self

    def rebound(self, number: int, at_s: float, back_s: float, until_s: float = 29.0) -> RecordBuilder:
        """A session whose client has a new port from a moment on and is not heard, nor hears, until it is back."""
        times = numpy.arange(at_s - 1.5, until_s, EVERY_S)
        lost = (times > at_s) & (times < back_s)
        return self.packets(number, INPUT, times, lost=lost).packets(number, FRAME, times, lost=lost)

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
              took_s: float = 0.0, began_s: float | None = None, login_ms: float | None = None,
              path: str = "relay") -> RecordBuilder:  # fmt: skip
        """A set-up that came to its end."""
        began_s = at_s if began_s is None else began_s
        return self.event(
            began_s + took_s, "session.setup", session=number, kind=kind, pair=pair or f"{kind}{number}",
            intended_ns=ns(at_s), began_ns=ns(began_s), ended_ns=ns(began_s + took_s), ok=ok,
            step="" if ok else "offer", reason="" if ok else "not received within 2 s", login_ms=login_ms,
            path=path if ok else "",
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

    def handshakes(
        self, at_s: float, count: int, bad: int, outcome: str = "reject", relay_id: str = A
    ) -> RecordBuilder:
        """PRESENTs, some of them refused."""
        for number in range(count):
            refused = number < bad
            self.event(at_s, "handshake", sent_ns=ns(at_s), outcome=outcome if refused else "ack", relay_id=relay_id,
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

    def relay_look(self, at_s: float, service: str, *, ready: bool) -> RecordBuilder:
        """A look at a relay's own page."""
        return self.event(
            at_s + 0.002, "relay.health", service=service, relay_id=service, asked_ns=ns(at_s), ready=ready
        )  # fmt: skip

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

    def seen(self, at_s: float, ages_ms: dict[str, float] | None, *, ready: bool | None = None, key: str = "k1",
             state: str = "Active", status: str = "ok") -> RecordBuilder:  # fmt: skip
        """A look at the master; with ages None it did not answer. ``ready`` is the truth where it is not said."""
        if ages_ms is None:
            return self.event(at_s, "master.silent", asked_ns=ns(at_s), reason="connection refused")
        relays = [{"relay_id": relay_id, "state": state, "age_ms": age} for relay_id, age in ages_ms.items()]
        return self.event(
            at_s + 0.004, "master.seen", asked_ns=ns(at_s), status=status, before=relays, after=relays,
            ready=bool(ages_ms) if ready is None else ready, relays_assignable=len(relays), uptime_s=at_s,
            key_id=key, public_key=f"{key} in hex",
        )  # fmt: skip

    def restarted(
        self, *, back_s: float | None = 12.6, relays_s: dict[str, float] | None = None, key: str = "k1",
        lies: Callable[[float, bool], bool] = lambda at_s, truth: truth, waited: bool = True, landed: bool = True,
        accepted_s: float | None = 13.2, outcome: str = "accepted", says_ready: bool = True,
        looks: Callable[[float], bool] = lambda at_s: True,
    ) -> RecordBuilder:  # fmt: skip
        """The story of master_restart: asked to go at 12 s, started again at 12.2 s, whole and lending again."""
        times = {A: 12.8, B: 13.0} if relays_s is None else relays_s
        for tenth in range(200):
            at_s = tenth / 10 + 10.03
            before, after = at_s < 12.0, back_s is not None and at_s >= back_s
            listed = {name: 100.0 for name, from_s in times.items() if before or at_s >= from_s}
            if looks(at_s):
                self.seen(at_s, listed if before or after else None, ready=lies(at_s, bool(listed)),
                          key=key if after else "k1")  # fmt: skip
                self.event(at_s + 0.003, "relays.seen", asked_ns=ns(at_s), relays=[
                    {"relay_id": name, "state": "Active", "age_ms": 100.0} for name in listed
                ])  # fmt: skip
        self.fault("restart", "master", 12.0, 12.25, landed=landed, mending_ns=ns(12.2))
        if accepted_s is not None:
            self.event(accepted_s, "lease.tried", asked_ns=ns(accepted_s - 0.02), service="relay_a", outcome=outcome,
                       ready_before=says_ready, ready_after=says_ready)  # fmt: skip
        if accepted_s is not None and outcome == "accepted":
            self.event(accepted_s, "lease.accepted", began_ns=ns(12.25), accepted_ns=ns(accepted_s), service="relay_a")
        elif waited:
            self.event(20.25, "step.unmet", step="await_fresh_lease", began_ns=ns(12.25), reason=outcome)
        if waited and (back_s is None or any(at_s > 22.0 for at_s in times.values())):
            self.event(22.0, "step.unmet", step="await_master_whole", reason="not listed, or silent: relay_b")
        return self

    def unreachable(self, noticed_s: dict[str, float | None], *, looks: bool = True) -> RecordBuilder:
        """The master stands still from 12 to 16 s; when each relay says that it is not ready, or that it never does."""
        self.fault("pause", "master", 12.0, 16.0, mending_ns=ns(15.99))
        for tenth in range(200 if looks else 0):
            at_s = tenth / 10 + 10.05
            for service, from_s in noticed_s.items():
                ready = from_s is None or not from_s <= at_s < 16.5
                self.event(at_s, "relay.health", service=service, relay_id=service, ready=ready)
        return self

    def rolled_back(
        self, *, written_s: float = 0.0, setups_failed: int = 0, handshakes_failed: int = 0, slow_logins: int = 0,
        visits: int = 200, judged_s: float = 23.0, looked_s: float | None = 26.5, runs: Mapping[str, str] | None = None,
        logged_in: Mapping[str, str] | None = None, restored: bool = False, landed: bool = True, mended: bool = True,
        band_ms: float = 80.0, after_ms: float = 90.0, after: int = 120, thresholds: Mapping[str, float] | None = None,
        digest: str = "",
    ) -> RecordBuilder:  # fmt: skip
        """The story of rollback: gateway upgraded at 11 s, relay_a at 12 s, judged, rolled back at 24 to 26 s."""
        limits = Thresholds.of(thresholds or {"setup_success_ratio_min": 0.98, "handshake_failure_ratio_max": 0.02,
                                              "login_ms_p95_max": 500.0})  # fmt: skip
        self.event(written_s, "thresholds.written", digest=limits.digest, **asdict(limits))
        services = ("gateway", "master", "relay_a", "relay_b")
        for name in services:
            self.event(0.2, "service.ready", service=name, version="known")
        for number in range(120):
            self.setup(0.5 + number / 15, 5000 + number, took_s=band_ms / 1000, login_ms=40.0)
        self.event(10.2, "drill_account.made", account="before", ok=True, asked_ns=ns(10.1))
        self.event(11.5, "drill_account.made", account="during", ok=True, asked_ns=ns(11.4))
        parts = {"seconds_back": {"stopped_s": 0.4}, "ready_s": 0.5, "landed": landed, "mended": mended}
        self.fault("upgrade", "gateway", 10.5, 26.0, kind="gateway", mending_ns=ns(25.1), restored=restored,
                   refused="migration 2 is missing" if restored else "", **parts)  # type: ignore[arg-type]  # fmt: skip
        self.fault("upgrade", "relay_a", 12.0, 25.0, kind="relay", mending_ns=ns(24.5), candidate_relay_id=A,
                   restored=False, **parts)  # type: ignore[arg-type]  # fmt: skip
        for number in range(visits):
            self.setup(12.6 + number / 20, 6000 + number, ok=number >= setups_failed, took_s=0.1,
                       login_ms=900.0 if number < slow_logins else 40.0)  # fmt: skip
        self.handshakes(14.0, 2 * visits, handshakes_failed)
        self.event(judged_s, "candidate.judged", digest=digest or limits.digest, accepted=True)
        if looked_s is not None:
            self.event(looked_s, "releases.running", versions={**dict.fromkeys(services, "known"), **(runs or {})})
            for number, (name, outcome) in enumerate((logged_in or {"before": "ok", "during": "ok"}).items()):
                self.event(looked_s + 0.1 * (number + 1), "drill_account.logged_in", account=name, outcome=outcome,
                           reason="" if outcome == "ok" else "401", asked_ns=ns(looked_s + 0.1 * number))  # fmt: skip
        for number in range(after):
            self.setup(30.1 + number / 20, 7000 + number, took_s=after_ms / 1000, login_ms=40.0)
        return self

    def relay_lost(
        self, *, named_s: float = 1.4, asked_until_s: float = 16.0, sessions: int = 6, served_after_s: float = 5.2,
        heard: bool = True, again: int = 0, planned: bool = True, landed: bool = True, until_s: float = 29.0,
        share: int = 2,
    ) -> RecordBuilder:  # fmt: skip
        """The story of relay_loss: relay_a dies at 12 s, leases name it for ``named_s``, its sessions move."""
        died_s = 12.0
        for number in range(100):
            self.lease(1 + number / 20, A if number % share == 0 else B)
        for tenth in range(122, round(10 * asked_until_s)):
            at_s = tenth / 10
            self.lease(at_s, A if at_s < died_s + named_s and tenth % 2 else B)
        if named_s:
            self.lease(died_s + named_s, A)
        self.fault("kill", "relay_a", died_s, 28.0, landed=landed, relay_id=A, mending_ns=ns(28.0))
        for number in range(901, 901 + sessions):
            self._displaced(number, died_s, served_after_s, heard, again, planned, until_s)
        return self

    def _displaced(self, number: int, died_s: float, served_after_s: float, heard: bool, again: int, planned: bool,
                   until_s: float) -> None:  # fmt: skip
        """A session that was on the relay, heard nothing, was given other leases, and went on or did not."""
        self.setup(10.5, number, kind="resident").lease(10.4, A, number)
        served_s = died_s + served_after_s
        for nth in range(again):
            self.lease(died_s + 5.0 + nth / 10, A, number)
        self.lease(served_s - 0.1, B, number)
        self.event(served_s, "session.released", session=number, cause="silence", left=A, ok=True, relay_id=B,
                   began_ns=ns(died_s + 5.0), reason="")  # fmt: skip
        times = numpy.arange(10.6, until_s, EVERY_S)
        lost = (times > died_s) & ((times < served_s) | (not heard))
        for direction in (INPUT, FRAME):
            self.packets(number, direction, times, lost=lost)
        self.ended(until_s, number, planned=planned, reason="" if planned else "too many new leases", kind="resident")

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

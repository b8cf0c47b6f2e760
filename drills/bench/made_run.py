"""A run that never was, for benchmarks: ``python -m drills.bench.made_run`` FOLDER SAMPLES.

Written by the product's own writers: the journal, and one ``Samples`` a worker with its Parquet parts. It has the shape
of `calm`: 24 residents all the time, some 180 visits a window, a witness of everything every second; what the number of
samples decides is how long it lasts. It is judged as held.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from drills.catalogue import Catalogue
from drills.load.samples import FRAME, INPUT, Samples
from drills.record import Journal

(CALM,) = Catalogue().named(["calm"])
ZERO_NS = 1_000_000_000_000
AT = "2026-11-03T14:00:00.000Z"
RESIDENTS, VISITS = 24, 540
WORKERS = CALM.load.workers
PER_S = 60
PACKETS_A_S = 2 * PER_S  # of one session, both ways
RESIDENTS_SHARE = 2 / 3  # of all samples, as in a real run of calm
LEAD_S = 2.0  # from the first event to the calm window
FLUSH_NS = 3_500_000_000
WINDOWS = {"calm": (0.0, 1 / 3), "fault": (1 / 3, 2 / 3), "recovery": (2 / 3, 1.0)}
RELAYS = {"relay_a": "relay-a", "relay_b": "relay-b"}


@dataclass(frozen=True)
class MadeSession:
    """One session: when its media begins and ends, in s."""

    number: int
    kind: str
    from_s: float
    to_s: float

    @property
    def worker(self) -> int:
        """Whose it is."""
        return self.number % WORKERS


Events = Iterator[tuple[float, str, dict[str, Any]]]


def _nothing(made: MadeRun) -> Events:
    """The story of a run in which nothing happens."""
    return iter(())


@dataclass(frozen=True)
class Tale:
    """What a made run is about: its scenario, what happens, and how the control plane bears it."""

    scenario: Path
    events: Callable[[MadeRun], Events] = _nothing
    relays_at: Callable[[MadeRun, float], dict[str, str]] | None = None  # the state of each relay id at a second
    relay_for: Callable[[MadeRun, float], str] | None = None  # the relay of whoever asks at a second
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the provenance, beside the usual ones
    at: str = AT  # wall clock of all of it
    way_ms: float = 0.5  # how long a packet is on its way, on average, beyond 0.3 ms
    generator_gap_ms: float = 0.0  # for how long our own generator stands still once, in the middle
    seed: int = 0


@dataclass(frozen=True)
class MadeRun:
    """Its shape: everything follows from the number of samples."""

    samples: int
    residents: int = RESIDENTS
    visits: int = VISITS
    per_s: int = PER_S

    @cached_property
    def length_s(self) -> float:
        """How long the three windows are together."""
        return self.samples * RESIDENTS_SHARE / self.residents / (2 * self.per_s)

    def window(self, name: str) -> tuple[float, float]:
        """From when to when a window is open, in s."""
        opens, closes = WINDOWS[name]
        return LEAD_S + self.length_s * opens, LEAD_S + self.length_s * closes - 1e-6

    @cached_property
    def sessions(self) -> tuple[MadeSession, ...]:
        """Residents from before the first window to its end, visits evenly over all of it."""
        visit_s = self.samples * (1 - RESIDENTS_SHARE) / self.visits / (2 * self.per_s)
        end_s = LEAD_S + self.length_s
        stay = [MadeSession(number, "resident", LEAD_S - 0.5 + number / 100, end_s - 0.1)
                for number in range(1, self.residents + 1)]  # fmt: skip
        room_s = self.length_s - visit_s - 0.1
        begins = [LEAD_S + room_s * number / self.visits for number in range(self.visits)]
        come = [MadeSession(self.residents + 1 + number, "visit", from_s, from_s + visit_s)
                for number, from_s in enumerate(begins)]  # fmt: skip
        return (*stay, *come)


def ns(at_s: float) -> int:
    """A second of the run on its monotonic clock."""
    return ZERO_NS + round(at_s * 1e9)


def write_run(folder: Path, samples: int, tale: Tale | None = None, made: MadeRun | None = None) -> None:
    """The whole folder; without a tale that of calm."""
    tale, made = tale or Tale(CALM.path), made or MadeRun(samples)
    (folder / "samples").mkdir(parents=True)
    shutil.copyfile(tale.scenario, folder / "scenario.yaml")
    facts = {"drill": tale.scenario.stem, "run": folder.name, "started_at": tale.at, "target": "reference",
             "stage": "processes", "tier": "stage", "pace": "real", "heartbeat_s": 5.0, "seed": 1,
             "command": "made for a benchmark", "load": {"evidence_factor": 1}, **tale.facts}  # fmt: skip
    (folder / "provenance.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")
    rows = [_write_samples(folder / "samples", made, worker, tale) for worker in range(WORKERS)]
    journal = Journal(folder / "journal.jsonl")
    for at_s, name, fields in sorted(_events(made, rows, tale), key=lambda event: event[0]):
        journal.write(name, **{"at": tale.at, "ns": ns(at_s), **fields})
    journal.close()


def _write_samples(folder: Path, made: MadeRun, worker: int, tale: Tale) -> int:
    """Every packet of one worker in the order in which they were due, sent a little late and read a little later."""
    chance = random.Random(worker + 1000 * tale.seed)
    samples = Samples(folder, f"worker-{worker}")
    packets = sorted(packet for one in made.sessions if one.worker == worker for packet in _packets(one, made.per_s))
    flushed_ns = packets[0][0]
    for due_ns, session, direction, sequence in packets:
        sent_ns = due_ns + int(chance.expovariate(1 / 300_000))
        shows = sequence if direction == FRAME else -1
        row = samples.add(session, direction, sequence, due_ns, sent_ns, shows)
        samples.received(row, sent_ns + 300_000 + int(chance.expovariate(1 / (tale.way_ms * 1e6))))
        if due_ns - flushed_ns > FLUSH_NS:
            samples.flush(due_ns)
            flushed_ns = due_ns
    while samples.pending:
        samples.flush(packets[-1][0] + 1)
    return samples.rows


def _packets(session: MadeSession, per_s: int) -> Iterator[tuple[int, int, int, int]]:
    """Due (ns), session, direction, sequence; frames half a beat after the input that they show."""
    for number in range(int((session.to_s - session.from_s) * per_s)):
        due_ns = ns(session.from_s + number / per_s)
        yield due_ns, session.number, INPUT, number + 1
        yield due_ns + 10**9 // per_s // 2, session.number, FRAME, number + 1


def _events(made: MadeRun, rows: list[int], tale: Tale) -> Events:
    end_s = LEAD_S + made.length_s
    yield 0.0, "run.started", {"drill": tale.scenario.stem, "target": "reference", "tier": "stage"}
    for service, relay_id in RELAYS.items():
        yield 0.1, "relay.known", {"service": service, "relay_id": relay_id}
    for window in WINDOWS:
        opens_s, closes_s = made.window(window)
        yield opens_s, "window.opened", {"window": window}
        yield closes_s, "window.closed", {"window": window}
    yield from _witnessed(made, end_s, tale)
    for session in made.sessions:
        yield from _session(session, made, tale)
    yield from tale.events(made)
    if tale.generator_gap_ms:
        middle_s = LEAD_S + made.length_s / 2
        yield middle_s, "generator.gap", {"worker": 0, "from_ns": ns(middle_s - tale.generator_gap_ms / 1e3),
                                          "to_ns": ns(middle_s)}  # fmt: skip
    for worker in range(WORKERS):
        yield end_s + 1.5, "generator.finished", {"worker": worker, "rows": rows[worker], "skipped": 0, "late": 0}
    yield end_s + 2.0, "run.ended", {}


def _witnessed(made: MadeRun, end_s: float, tale: Tale) -> Events:
    names = ("gateway", "master", "toxiproxy", *RELAYS)
    for second in range(int(end_s) + 2):
        yield second, "machine.second", {
            "busy_share": 0.4, "waited_ms": dict.fromkeys(names, 5.0), "stalled_ms": dict.fromkeys(names, 2.0),
            "cpu_ticks": dict.fromkeys(names, 10), "socket_drops": {}, "wall_minus_monotonic_ns": 0,
        }  # fmt: skip
        for worker in range(WORKERS):
            yield second, "generator.second", {"worker": worker, "gap_ms": 2.0, "skipped": 0, "late": 0, "own_drops": 0}
        yield second, "gateway.health", {"auth": {"login_attempts": 2 * second, "login_success": 2 * second}}
        for tenth in range(10):
            at_s = second + tenth / 10 + 0.01
            states = tale.relays_at(made, at_s) if tale.relays_at else dict.fromkeys(RELAYS.values(), "Active")
            beat_ms = at_s % float(tale.facts.get("heartbeat_s", 5.0)) * 1000
            relays = [{"relay_id": relay_id, "state": state, "age_ms": beat_ms, "load_pct": 10.0}
                      for relay_id, state in states.items()]  # fmt: skip
            yield at_s, "relays.seen", {"asked_ns": ns(at_s - 0.002), "relays": relays}


def _session(session: MadeSession, made: MadeRun, tale: Tale) -> Events:
    whose = {"session": session.number, "kind": session.kind}
    asked_s = session.from_s - 0.05
    elsewhere = tale.relay_for(made, asked_s) if tale.relay_for else ""
    relay_id = elsewhere or list(RELAYS.values())[session.number % len(RELAYS)]
    if session.kind == "visit":
        yield asked_s, "visit.due", {"worker": session.worker, "intended_ns": ns(asked_s)}
    yield asked_s, "session.asked", {**whose, "intended_ns": ns(asked_s)}
    yield asked_s + 0.01, "signal.bound", {"end": f"{session.number}c", "lost_ns": 0, "bound_ns": ns(asked_s + 0.01),
                                           "tries": 1, "logged_in": False}  # fmt: skip
    yield asked_s + 0.02, "lease.given", {"session": session.number, "relay_id": relay_id, "cause": "login",
                                          "asked_ns": ns(asked_s + 0.01), "given_ns": ns(asked_s + 0.02)}  # fmt: skip
    for _ in range(2):
        yield asked_s + 0.03, "handshake", {"session": session.number, "cause": "login", "outcome": "ack", "reason": "",
                                            "sent_ns": ns(asked_s + 0.025), "relay_id": relay_id}  # fmt: skip
    yield session.from_s, "session.setup", {
        **whose, "intended_ns": ns(asked_s), "began_ns": ns(asked_s), "ended_ns": ns(session.from_s), "ok": True,
        "step": "", "reason": "", "log_in": True, "relay_id": relay_id,
    }  # fmt: skip
    yield session.to_s, "signal.released", {"end": f"{session.number}c"}
    yield session.to_s, "session.ended", {**whose, "planned": True, "reason": "", "planned_ns": ns(session.to_s),
                                          "stopped_ns": ns(session.to_s)}  # fmt: skip


if __name__ == "__main__":
    write_run(Path(sys.argv[1]), int(sys.argv[2]))

"""What the runs of a made year are about: calm days, drains that hold and one that does not, restarts of the master.

Each tale writes the events that the real drill would have written, at times of its own; what comes of them is for the
real judge to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drills.bench.made_run import Events, MadeRun, Tale, ns
from drills.catalogue import SCENARIOS

BEAT_S = 0.5  # the reference's heartbeat at fast pace
A, B, NEW = "relay-a", "relay-b", "relay-a2"
# of the fault window: the drain, the cut under it, the registration, the restart, all well again
DRAINED_S, CUT_S, HEALED_S, REGISTERED_S, RESTARTED_S = 0.3, 3.9, 7.1, 7.4, 9.0
MASTER_GONE_S, MASTER_BACK_S = 2.0, 2.4


def calm(way_ms: float, **more: Any) -> Tale:
    """Nothing happens."""
    return Tale(SCENARIOS / "calm.yaml", way_ms=way_ms, **more)


def relay_drain(way_ms: float, back_s: float, *, forgets: bool = False, **more: Any) -> Tale:
    """A relay is drained, cut off, restarted and back after ``back_s``; where it forgets, its drain is gone then."""

    def relays_at(made: MadeRun, at_s: float) -> dict[str, str]:
        since_s = at_s - made.window("fault")[0]
        if since_s >= RESTARTED_S + back_s:
            return {NEW: "Active", B: "Active"}
        drained = since_s >= DRAINED_S and not (forgets and since_s >= REGISTERED_S)
        return {A: "Draining" if drained else "Active", B: "Active"}

    def relay_for(made: MadeRun, at_s: float) -> str:
        since_s = at_s - made.window("fault")[0]
        return B if DRAINED_S - 0.2 <= since_s < RESTARTED_S + back_s + 0.2 else ""

    return Tale(
        SCENARIOS / "relay_drain.yaml", lambda made: _drain(made, back_s), relays_at, relay_for, way_ms=way_ms, **more
    )


def _drain(made: MadeRun, back_s: float) -> Events:
    from_s = made.window("fault")[0]
    end_s = from_s + RESTARTED_S + back_s
    yield 0.5, "master.registered", {"relay_id": A}
    for number in range(60):
        yield from _lease(made.window("calm")[0] + number * 0.1, (A, B)[number % 2])
    for number in range(90):
        yield from _lease(from_s + DRAINED_S + 0.1 + number * 0.09, B)
    seen = "the master lists it as Draining"
    yield from _fault("drain", "relay_a", "relay_a Draining", seen, from_s + DRAINED_S, end_s, relay_id=A)
    yield from _fault("down", "relay_a_to_master", "relay_a_to_master down", "canary: refused", from_s + CUT_S,
                      from_s + HEALED_S)  # fmt: skip
    at_s = from_s + REGISTERED_S
    yield at_s, "master.registered", {"relay_id": A}
    yield at_s, "relay.reregistered", {"service": "relay_a", "relay_id": A}
    yield at_s + 0.1, "step.done", {"step": "await_reregistration"}
    yield at_s + 1.2, "relay.emptied", {"service": "relay_a", "relay_id": A, "left": 0}
    yield from _fault("restart", "relay_a", "relay_a restarted", "pid 100 ended with 0", from_s + RESTARTED_S,
                      from_s + RESTARTED_S + 0.1)  # fmt: skip
    yield end_s - 0.05, "relay.back", {"service": "relay_a", "relay_id": NEW, "forwarded_ns": ns(end_s - 0.05)}
    yield end_s - 0.04, "step.done", {"step": "await_back"}


def master_restart(way_ms: float, back_s: float, **more: Any) -> Tale:
    """The master is restarted, healthy after ``back_s``, and lists its relays a beat later."""

    def relays_at(made: MadeRun, at_s: float) -> dict[str, str]:
        since_s = at_s - made.window("fault")[0]
        gone = MASTER_GONE_S <= since_s < MASTER_BACK_S + back_s + BEAT_S
        return {} if gone else dict.fromkeys((A, B), "Active")

    return Tale(
        SCENARIOS / "master_restart.yaml", lambda made: _restart(made, back_s), relays_at, way_ms=way_ms, **more
    )


def _restart(made: MadeRun, back_s: float) -> Events:
    from_s, to_s = made.window("fault")
    gone_s, mending_s = from_s + MASTER_GONE_S, from_s + MASTER_BACK_S
    healthy_s, listed_s = mending_s + back_s, mending_s + back_s + BEAT_S
    for tenth in range(int((to_s - from_s) * 10)):
        at_s = from_s + tenth / 10 + 0.03
        before, after = at_s < gone_s, at_s >= healthy_s
        if before or after:
            yield from _looked(at_s, (A, B) if before or at_s >= listed_s else ())
        else:
            yield at_s, "master.silent", {"asked_ns": ns(at_s), "reason": "connection refused"}
    yield from _fault("restart", "master", "master restarted", "pid 100 ended with 0", gone_s, mending_s + 0.05,
                      mending_ns=ns(mending_s))  # fmt: skip
    accepted_s = listed_s + 0.15
    yield accepted_s, "lease.tried", {"asked_ns": ns(accepted_s - 0.02), "service": "relay_a", "outcome": "accepted",
                                      "ready_before": True, "ready_after": True}  # fmt: skip
    yield accepted_s, "lease.accepted", {"began_ns": ns(mending_s), "accepted_ns": ns(accepted_s), "service": "relay_a"}
    yield accepted_s + 0.2, "master.whole", {}


def _looked(at_s: float, listed: tuple[str, ...]) -> Events:
    relays = [{"relay_id": relay_id, "state": "Active", "age_ms": 100.0} for relay_id in listed]
    yield at_s + 0.004, "master.seen", {
        "asked_ns": ns(at_s), "status": "ok", "before": relays, "after": relays, "ready": bool(relays),
        "relays_assignable": len(relays), "uptime_s": at_s, "key_id": "k1", "public_key": "k1 in hex",
    }  # fmt: skip


def _lease(at_s: float, relay_id: str) -> Events:
    yield at_s + 0.004, "lease.given", {"session": None, "relay_id": relay_id, "cause": "sample", "asked_ns": ns(at_s),
                                        "given_ns": ns(at_s + 0.004)}  # fmt: skip


def _fault(fault: str, subject: str, asked: str, seen: str, from_s: float, to_s: float, **detail: Any) -> Iterator[Any]:
    """A fault with its two events."""
    facts = {"fault": fault, "subject": subject, "asked": asked, "landed": True, "measured_on": seen,
             "asked_ns": ns(from_s), "from_ns": ns(from_s + 0.01), **detail}  # fmt: skip
    yield from_s + 0.05, "fault.injected", {**facts, "mended": False, "measured_off": "nothing yet", "to_ns": 0}
    yield to_s + 0.02, "fault.receipt", {"mending_ns": ns(to_s - 0.005), **facts, "mended": True,
                                         "measured_off": "as before", "to_ns": ns(to_s)}  # fmt: skip

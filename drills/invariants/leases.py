"""no_lease_to_draining_or_banned: an operator's word keeps newcomers from a relay.

What counts is what the master itself says: its own list of relays, looked at five times a heartbeat. A relay was held
back for certain when two looks before the lease was asked for, and the next one after it was given, all say so, close
together and answered; a lease given at any other moment is no evidence.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from drills.invariants.base import Checked, holds, unknown, violated
from drills.record import Event, Record

HELD_BACK = frozenset({"Draining", "Banned"})
LOOKS_BEFORE = 2
BLIND_BEATS_MAX = 1.0  # from the first of these looks to the last; five times the interval between two


def check(record: Record) -> Checked:
    """No lease names a relay that the master lists as Draining or Banned, before and after."""
    looks = record.named("relays.seen")
    leases = {(event["session"], event["asked_ns"]): event for event in record.named("lease.given")}  # each once
    states = [{relay["relay_id"]: str(relay["state"]) for relay in look["relays"]} for look in looks]
    certain, wrong = 0, []
    for lease in leases.values():
        around = _around(record, looks, lease)
        held = [states[index].get(lease["relay_id"], "") for index in around]
        anybody = around and any(
            all(states[index].get(one) in HELD_BACK for index in around) for one in states[around[0]]
        )
        certain += bool(anybody)
        if held and all(state in HELD_BACK for state in held):
            wrong.append(_witness(record, lease, held[-1]))
    if wrong:
        return violated(certain, f"{len(wrong)} of {certain} leases name a relay that was held back", wrong)
    if not certain:
        return unknown("no lease was given while a relay was for certain Draining or Banned")
    return holds(certain, f"{certain} leases were given while a relay was Draining or Banned, none names it")


def _around(record: Record, looks: list[Event], lease: Event) -> range:
    """The looks that say for certain how a relay stood when the lease was given; none where nobody knows."""
    before = bisect_right(looks, lease["asked_ns"], key=lambda look: look.ns)  # answered before it was asked for
    after = bisect_left(looks, lease["given_ns"], key=lambda look: int(look["asked_ns"]))
    if before < LOOKS_BEFORE or after >= len(looks):
        return range(0)
    blind_ns = looks[after].ns - looks[before - LOOKS_BEFORE]["asked_ns"]
    heartbeat_s = float(record.provenance["heartbeat_s"])
    # looks of a master that is slow to answer lie further apart; how it stood between them is then not certain
    return range(before - LOOKS_BEFORE, after + 1) if blind_ns <= BLIND_BEATS_MAX * heartbeat_s * 1e9 else range(0)


def _witness(record: Record, lease: Event, state: str) -> str:
    who = "a sample" if lease["session"] is None else f"session {lease['session']}"
    return f"{record.seconds_at(lease['asked_ns']):.2f} s: {who} was given {lease['relay_id']}, listed as {state}"

"""What became of a drain: who was sent there, whether it held, whether it survived, when the relay was back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from drills.measures.evidence import Evidence
from drills.objectives import Claim
from drills.record import Event, Record, Span

DRAINING = "Draining"


def _drain(record: Record) -> Event | None:
    """The receipt of the drain as it was when it had landed."""
    return next((event for event in record.named("fault.injected") if event["fault"] == "drain"), None)


def _in_force(record: Record, drain: Event) -> Span:
    """From the proof that the drain had landed until it was mended, or its relay was stopped by us."""
    ends = [event["to_ns"] for event in record.named("fault.receipt") if event["fault"] == "drain"]
    ends += [event["asked_ns"] for event in record.named("fault.injected", "fault.receipt")
             if event["fault"] in ("restart", "stop", "kill") and event["subject"] == drain["subject"]]  # fmt: skip
    return Span(drain.ns, min(ends, default=record.events[-1].ns))


def _no_drain() -> Evidence:
    return Evidence(0, None, missing="no drain was injected")


def leases_on_the_drained(record: Record, span: Span, claim: Claim) -> Evidence:
    """Leases asked for while the drain was in force that name the drained relay."""
    drain = _drain(record)
    if drain is None:
        return _no_drain()
    force = _in_force(record, drain)
    leases = [event for event in record.named("lease.given") if event["asked_ns"] in force]
    wrong = [event for event in leases if event["relay_id"] == drain["relay_id"]]
    others = len({event["relay_id"] for event in leases} | {drain["relay_id"]})
    luck = (1 - 1 / others) ** len(leases) if others > 1 else 0.0
    says = f"{len(leases)} leases; were the drain ignored, all would miss {drain['subject']} with probability {luck:.0e}"
    if wrong:
        after = (wrong[0]["asked_ns"] - drain.ns) / 1e9
        kinds = Counter("a session's" if event["session"] is not None else "a sample" for event in wrong)
        says = f"{len(wrong)} of {len(leases)} leases name {drain['subject']} ({', '.join(kinds)}), " \
               f"the first asked for {after:.1f} s after the drain"  # fmt: skip
    return Evidence(len(leases), float(len(wrong)), hits=len(wrong), says=says)


def _sightings(record: Record, relay_id: str, span: Span) -> Iterator[tuple[Event, str, int]]:
    """(event, state, age in ms) for each look at the master's list that has the relay."""
    for event in record.named("relays.seen"):
        if event["asked_ns"] in span:
            for relay in event["relays"]:
                if relay["relay_id"] == relay_id:
                    yield event, relay["state"], relay["age_ms"]


def heartbeats_held(record: Record, span: Span, claim: Claim) -> Evidence:
    """Heartbeats of the drained relay, up to the first cut of its path, through which it was listed as Draining.

    A heartbeat is seen where the age in the master's list falls.
    """
    drain = _drain(record)
    if drain is None:
        return _no_drain()
    force = _in_force(record, drain)
    cuts = [event["asked_ns"] for event in record.named("fault.injected") if event["fault"] in ("down", "black_hole")]
    before_cut = Span(force.from_ns, min([force.to_ns, *(cut for cut in cuts if cut > force.from_ns)]))
    beats, looks, age_before = 0, 0, -1
    for event, state, age_ms in _sightings(record, drain["relay_id"], before_cut):
        looks += 1
        if state != DRAINING:
            after = (event["asked_ns"] - drain.ns) / 1e9
            return Evidence(looks, float(beats), says=f"listed as {state} {after:.1f} s after the drain, "
                                                      f"after {beats} heartbeats", past=True)  # fmt: skip
        beats += age_before > age_ms
        age_before = age_ms
    return Evidence(looks, float(beats), says=f"Draining in all {looks} looks, over {beats} heartbeats")


def _reregistered(record: Record, drain: Event) -> list[Event]:
    """The drained relay's further registrations as the master's log has them, after its path was first cut."""
    cut = next((event["asked_ns"] for event in record.named("fault.injected") if event["fault"] in ("down", "black_hole")
                and event.ns > drain.ns), None)  # fmt: skip
    if cut is None:
        return []
    return [event for event in record.named("master.registered")
            if event["relay_id"] == drain["relay_id"] and event.ns > cut]  # fmt: skip


def reregistrations(record: Record, span: Span, claim: Claim) -> Evidence:
    """How often the drained relay registered again after its path to the master had been cut."""
    drain = _drain(record)
    if drain is None:
        return _no_drain()
    cut = next((event for event in record.named("fault.receipt") if event["fault"] in ("down", "black_hole")), None)
    if cut is None:
        return Evidence(0, None, missing="the relay's path to the master was not cut and mended")
    seen = _reregistered(record, drain)
    said = [event for event in record.named("relay.reregistered") if event["relay_id"] == drain["relay_id"]]
    after = (seen[0].ns - cut["to_ns"]) / 1e9 if seen else 0.0
    says = f"{after:.1f} s after its path was mended; the relay says so {len(said)} times" if seen else \
           "neither seen by the master nor " + ("said" if not said else "only said") + " by the relay"  # fmt: skip
    return Evidence(1, float(len(seen)), says=says)


def sightings_after_reregistration(record: Record, span: Span, claim: Claim) -> Evidence:
    """Looks at the master's list, after the relay had registered again, in which it was not Draining."""
    drain = _drain(record)
    if drain is None:
        return _no_drain()
    seen = _reregistered(record, drain)
    if not seen:
        return Evidence(0, None, missing="the relay was not seen to register again")
    force = _in_force(record, drain)
    looks = list(_sightings(record, drain["relay_id"], Span(seen[0].ns, force.to_ns)))
    wrong = [(event, state) for event, state, _ in looks if state != DRAINING]
    says = f"Draining in all {len(looks)} looks after registering again"
    if wrong:
        after = (wrong[0][0]["asked_ns"] - seen[0].ns) / 1e9
        states = Counter(state for _, state in wrong)
        says = f"listed as {', '.join(states)} in {len(wrong)} of {len(looks)} looks, first {after:.2f} s after " \
               "registering again"  # fmt: skip
    return Evidence(len(looks), float(len(wrong)), hits=len(wrong), says=says)


def seconds_until_back(record: Record, span: Span, claim: Claim) -> Evidence:
    """From the moment the restart was asked for to the first packets forwarded both ways under the new id."""
    restart = next((event for event in record.named("fault.receipt") if event["fault"] == "restart"), None)
    if restart is None:
        stopped = next((event["reason"] for event in record.named("story.stopped")), "no restart was made")
        return Evidence(0, None, missing=stopped)
    back = next((event for event in record.named("relay.back") if event["service"] == restart["subject"]), None)
    if back is not None:
        seconds = (back["forwarded_ns"] - restart["asked_ns"]) / 1e9
        return Evidence(1, seconds, says="ready, named by a lease and forwarding both ways under its new id")
    unmet = next((event for event in record.named("step.unmet") if event["step"] == "await_back"), None)
    if unmet is None:
        return Evidence(0, None, missing="the drill ended before the relay could be back")
    waited = (unmet.ns - restart["asked_ns"]) / 1e9
    return Evidence(1, waited, says=f"{unmet['reason']} when we stopped waiting", past=True)

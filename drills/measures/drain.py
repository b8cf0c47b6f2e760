"""What became of a drain: who was sent there, whether it held, whether it survived, when the relay was back.

What must never happen and was seen is broken however little else is known; what was not seen counts for nothing: a
relay that vanished from the list, a list that nobody looked at, a cut that did not land.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from drills.measures.evidence import Evidence
from drills.objectives import Claim
from drills.record import Event, Record, Span

DRAINING = "Draining"
CUTS = ("down", "black_hole")
STOPS = ("restart", "stop", "kill", "crash")
MENDING_NS = 3_000_000_000  # the longest that an activate can be under way (its time-out in drills/faults/drain.py)
LUCK_MAX = 0.01  # how likely, at most, leases that ignored the drain would all have missed the relay by chance
BLIND_BEATS_MAX = 2.0  # without a look for longer than this, nobody knows what the relay was listed as
REGISTERED_NS = 200_000_000  # the log is read this late at most; an age that falls so near a registration is no beat
AGE_SLACK_MS = 50.0


@dataclass(frozen=True)
class Drain:
    """A drain that was injected, and from when to when it was certainly in force."""

    event: Event  # the receipt as it was when the drain had landed
    force: Span
    unproven: str  # why it is not known to have landed, empty where it is

    @property
    def relay_id(self) -> str:
        """The id under which the relay was drained."""
        return str(self.event["relay_id"])

    @property
    def subject(self) -> str:
        """The service that was drained."""
        return str(self.event["subject"])

    def seconds_after(self, ns: int) -> float:
        """How long after the drain something was."""
        return (ns - self.event.ns) / 1e9


def first_drain(record: Record) -> Drain | None:
    """The first drain: from the proof that it had landed until we began to end it, or to stop its relay."""
    event = next((event for event in record.named("fault.injected") if event["fault"] == "drain"), None)
    if event is None:
        return None
    faults = [one for one in record.named("fault.injected", "fault.receipt") if one["subject"] == event["subject"]]
    ends = [_mending_ns(record, one) for one in faults if one["fault"] == "drain" and one["to_ns"]]
    ends += [one["asked_ns"] for one in faults if one["fault"] in STOPS and one["asked_ns"] > event.ns]
    end = max(event.ns, min(ends, default=record.events[-1].ns))
    unproven = "" if event["landed"] else f"the drain was not seen to land: {event['measured_on']}"
    return Drain(event, Span(event.ns, end), unproven)


def _mending_ns(record: Record, receipt: Event) -> int:
    """When, at the earliest, we began to end a drain: from then on a lease may rightly name its relay."""
    if "mending_ns" in receipt.fields:
        return int(receipt["mending_ns"])
    story = [event.ns for event in record.named("step.done", "fault.receipt") if event.ns < receipt["to_ns"]]
    # whatever the story did under the drain was over by then
    return max([int(receipt["to_ns"]) - MENDING_NS, *story])


def _no_drain() -> Evidence:
    return Evidence(0, None, missing="no drain was injected")


def leases_on_the_drained(record: Record, span: Span, claim: Claim) -> Evidence:
    """Leases asked for and given while the drain was in force that name the drained relay.

    None proves something only if leases that ignored the drain would hardly all have missed it: the relay's share of
    the leases before the drain says how likely that is.
    """
    drain = first_drain(record)
    if drain is None:
        return _no_drain()
    if drain.unproven:
        return Evidence(0, None, missing=drain.unproven)
    leases = {(event["session"], event["asked_ns"]): event for event in record.named("lease.given")}  # each once
    mine = [event for event in leases.values()
            if event["asked_ns"] in drain.force and event["given_ns"] <= drain.force.to_ns]  # fmt: skip
    wrong = [event for event in mine if event["relay_id"] == drain.relay_id]
    if wrong:
        kinds = Counter("a session's" if event["session"] is not None else "a sample" for event in wrong)
        says = f"{len(wrong)} of {len(mine)} leases name {drain.subject} ({', '.join(kinds)}), " \
               f"the first asked for {drain.seconds_after(wrong[0]['asked_ns']):.1f} s after the drain"  # fmt: skip
        return Evidence(len(mine), float(len(wrong)), hits=len(wrong), says=says)
    before = [event for event in leases.values() if event["given_ns"] < drain.event["asked_ns"]]
    named = sum(event["relay_id"] == drain.relay_id for event in before)
    luck = (1 - named / len(before)) ** len(mine) if before else 1.0
    if mine and luck > LUCK_MAX:
        words = f"{named} of {len(before)} leases named {drain.subject} before the drain: that none of {len(mine)} " \
                "did afterwards may be luck"  # fmt: skip
        return Evidence(len(mine), None, missing=words)
    says = f"{len(mine)} leases; were the drain ignored, all would miss {drain.subject} with probability {luck:.0e}"
    return Evidence(len(mine), 0.0, hits=0, says=says)


@dataclass(frozen=True)
class _Look:
    """One look at the master's list; ``state`` is empty where the relay was not in it."""

    asked_ns: int
    answered_ns: int
    state: str
    age_ms: float


def looks_at(record: Record, relay_id: str, span: Span) -> list[_Look]:
    """The looks that were asked for and answered within a stretch of time."""
    found = []
    for event in record.named("relays.seen"):
        if event["asked_ns"] in span and event.ns <= span.to_ns:
            mine = next((relay for relay in event["relays"] if relay["relay_id"] == relay_id), None)
            state, age_ms = (mine["state"], mine["age_ms"]) if mine else ("", -1.0)
            found.append(_Look(event["asked_ns"], event.ns, state, age_ms))
    return found


def _unseen(record: Record, looks: list[_Look], span: Span) -> str:
    """What keeps the looks from showing that a relay was Draining all the time, or empty."""
    absent = sum(not look.state for look in looks)
    if absent:
        return f"the master did not list the relay at all in {absent} of {len(looks)} looks"
    moments = [span.from_ns, *(look.asked_ns for look in looks), span.to_ns]
    blind_s = max(after - before for before, after in pairwise(moments)) / 1e9
    if looks and blind_s > BLIND_BEATS_MAX * float(record.provenance["heartbeat_s"]):
        return f"nobody saw the master's list for {blind_s:.1f} s"
    return ""


def heartbeats_held(record: Record, span: Span, claim: Claim) -> Evidence:
    """Heartbeats of the drained relay, up to the next fault, through which it was listed as Draining."""
    drain = first_drain(record)
    if drain is None:
        return _no_drain()
    others = [event["asked_ns"] for event in record.named("fault.injected", "fault.receipt")
              if event["fault"] != "drain" and event["asked_ns"] > drain.force.from_ns]  # fmt: skip
    undisturbed = Span(drain.force.from_ns, min([drain.force.to_ns, *others]))
    looks = looks_at(record, drain.relay_id, undisturbed)
    beats = _beats(record, drain.relay_id, looks)
    wrong = next((look for look in looks if look.state not in (DRAINING, "")), None)
    if wrong and not drain.unproven:
        before = sum(ns < wrong.asked_ns for ns in beats)
        says = f"listed as {wrong.state} {drain.seconds_after(wrong.asked_ns):.1f} s after the drain, " \
               f"after {before} heartbeats"  # fmt: skip
        return Evidence(len(looks), float(before), says=says, past=True)
    if unseen := drain.unproven or _unseen(record, looks, undisturbed):
        return Evidence(len(looks), None, missing=unseen)
    says = f"Draining in all {len(looks)} looks, over {len(beats)} heartbeats"
    return Evidence(len(looks), float(len(beats)), says=says)


def _beats(record: Record, relay_id: str, looks: list[_Look]) -> list[int]:
    """When the age in the master's list fell because of a heartbeat (ns), not by registering or after a blind spell."""
    unreachable = [event.ns for event in record.named("master.unreachable")]
    registered = [event.ns for event in record.named("master.registered") if event["relay_id"] == relay_id]
    found = []
    for before, look in pairwise(looks):
        fell = before.state and look.state and look.age_ms < before.age_ms
        young = look.age_ms <= (look.answered_ns - before.asked_ns) / 1e6 + AGE_SLACK_MS
        blind = any(before.asked_ns < ns < look.answered_ns for ns in unreachable)
        new = any(before.asked_ns - REGISTERED_NS < ns < look.answered_ns + REGISTERED_NS for ns in registered)
        if fell and young and not blind and not new:
            found.append(look.asked_ns)
    return found


def _cut(record: Record, drain: Drain) -> Event | None:
    """The receipt of the first cut of the drained relay's own path to the master, while it was drained."""
    for event in record.named("fault.receipt"):
        own = event["fault"] in CUTS and event["subject"].startswith(f"{drain.subject}_")
        if own and event["asked_ns"] > drain.event.ns:
            return event
    return None


def _reregistered(record: Record, drain: Drain, cut: Event) -> list[Event]:
    """The drained relay's further registrations as the master's log has them, after its path was cut."""
    return [event for event in record.named("master.registered")
            if event["relay_id"] == drain.relay_id and event.ns > cut["asked_ns"]]  # fmt: skip


def reregistrations(record: Record, span: Span, claim: Claim) -> Evidence:
    """How often the drained relay registered again after its path to the master had been cut."""
    drain = first_drain(record)
    if drain is None:
        return _no_drain()
    cut = _cut(record, drain)
    if cut is None:
        return Evidence(0, None, missing="the relay's path to the master was not cut and mended")
    seen = _reregistered(record, drain, cut)
    said = [event for event in record.named("relay.reregistered") if event["relay_id"] == drain.relay_id
            and event.ns > cut["asked_ns"]]  # fmt: skip
    if seen:
        after = (seen[0].ns - cut["to_ns"]) / 1e9
        says = f"{after:.1f} s after its path was mended; the relay says so {len(said)} times"
        return Evidence(1, float(len(seen)), says=says)
    if unknown := _why_it_may_not_be_known(record, drain, cut, said):
        return Evidence(0, None, missing=unknown)
    return Evidence(1, 0.0, says="neither seen by the master nor said by the relay while it was waited for", past=True)


def _why_it_may_not_be_known(record: Record, drain: Drain, cut: Event, said: list[Event]) -> str:
    """Why a registration that was not seen may have been made, or need not have been; empty where it was due."""
    if not cut["landed"] or not cut["mended"]:
        return f"the relay's path was not seen to be cut and mended: {cut['measured_on']}; {cut['measured_off']}"
    if said:
        return "the relay says that it registered again, the master's log does not"
    waits = [event for event in record.named("step.done") if event["step"] == "await_reregistration"]
    if not any(event.ns > cut["to_ns"] for event in waits):
        return "nobody waited for the relay to register again"
    if not any(event["relay_id"] == drain.relay_id for event in record.named("master.registered")):
        return "the master's log tells of no registration of this relay, not even its first"
    return ""


def sightings_after_reregistration(record: Record, span: Span, claim: Claim) -> Evidence:
    """Looks at the master's list, after the relay had registered again, in which it was not Draining."""
    drain = first_drain(record)
    if drain is None:
        return _no_drain()
    if drain.unproven:
        return Evidence(0, None, missing=drain.unproven)
    cut = _cut(record, drain)
    seen = _reregistered(record, drain, cut) if cut else []
    if not seen:
        return Evidence(0, None, missing="the relay was not seen to register again")
    afterwards = Span(seen[0].ns, max(seen[0].ns, drain.force.to_ns))
    looks = looks_at(record, drain.relay_id, afterwards)
    wrong = [look for look in looks if look.state not in (DRAINING, "")]
    if wrong:
        after = (wrong[0].asked_ns - seen[0].ns) / 1e9
        states = Counter(look.state for look in wrong)
        says = f"listed as {', '.join(states)} in {len(wrong)} of {len(looks)} looks, first {after:.2f} s after " \
               "registering again"  # fmt: skip
        return Evidence(len(looks), float(len(wrong)), hits=len(wrong), says=says)
    if unseen := _unseen(record, looks, afterwards):
        return Evidence(len(looks), None, missing=unseen)
    return Evidence(len(looks), 0.0, hits=0, says=f"Draining in all {len(looks)} looks after registering again")


def seconds_until_back(record: Record, span: Span, claim: Claim) -> Evidence:
    """From when a restart was asked for to the first packets forwarded both ways under the new id; the slowest."""
    restarts = [event for event in record.named("fault.receipt") if event["fault"] in ("restart", "crash")]
    if not restarts:
        stopped = next((event["reason"] for event in record.named("story.stopped")), "no restart was made")
        return Evidence(0, None, missing=stopped)
    each = [_back(record, restart) for restart in restarts]
    return next((one for one in each if one.missing), max(each, key=lambda one: (one.past, one.figure or 0.0)))


def _back(record: Record, restart: Event) -> Evidence:
    asked_ns = restart["asked_ns"]
    mine = [event for event in record.named("relay.back", "step.unmet")
            if event.ns > asked_ns and event["service"] == restart["subject"]]  # fmt: skip
    back = next((event for event in mine if event.name == "relay.back"), None)
    unmet = next((event for event in mine if event.get("step") == "await_back"), None)
    if unmet is not None and (back is None or unmet.ns < back.ns):
        if not restart["landed"]:
            return Evidence(0, None, missing=f"the relay was not seen to stop: {restart['measured_on']}")
        words = f"{unmet['reason']} when we stopped waiting"
        return Evidence(1, (unmet.ns - asked_ns) / 1e9, says=words, past=True)
    if back is None:
        return Evidence(0, None, missing="the drill ended before the relay could be back")
    seconds = (back["forwarded_ns"] - asked_ns) / 1e9
    return Evidence(1, seconds, says="ready, named by a lease and forwarding both ways under its new id")

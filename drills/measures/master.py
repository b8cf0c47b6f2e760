"""What became of the master: when it was back, when its relays were, whether /ready told the truth, which key it had.

An outage is whatever kept relays from their master: the master's own process, or the paths to it. Times are counted
from when it was brought back, or from the master's first healthy answer, so that no claim pays for another's delay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from drills.measures.drain import CUTS, DRAINING, first_drain, looks_at
from drills.measures.evidence import Evidence
from drills.objectives import Claim
from drills.record import Event, Record, Span

TAKEN = ("restart", "stop", "kill", "crash", "pause", "rotate_key")
PATH = "_to_master"
FRESH_BEATS = 3.0  # a relay silent for longer than that may be dead (operations-facts §4.2: 15 to 20 s)
DOUBT_BEATS = 0.5  # an age this near to it proves nothing: beats are made and heard with some delay
ASSIGNABLE = ("New", "Probation", "Active", "Degraded")  # contract-master-relay §2.8


@dataclass(frozen=True)
class Outage:
    """All that kept relays from their master, taken together."""

    asked_ns: int  # when the first of it was begun
    force_ns: int  # from when on all of it was in force
    mending_ns: int  # when the last of it was begun to be mended
    unproven: str  # why it is not known to have been, empty where it is


def outage_of(record: Record) -> Outage | None:
    """The master's outage, None where there was none, or none that ended."""
    mine = [event for event in record.named("fault.receipt") if _concerns_the_master(event)]
    if not mine:
        return None
    unseen = [event for event in mine if not event["landed"]]
    unproven = f"{unseen[0]['fault']} on {unseen[0]['subject']} was not seen to land" if unseen else ""
    return Outage(
        min(event["asked_ns"] for event in mine), max(event["from_ns"] for event in mine),
        max(event.get("mending_ns") or event["to_ns"] for event in mine), unproven,
    )  # fmt: skip


def _concerns_the_master(event: Event) -> bool:
    own = event["subject"] == "master" and event["fault"] in TAKEN
    return own or (event["fault"] in CUTS and str(event["subject"]).endswith(PATH))


NO_OUTAGE = Evidence(0, None, missing="the master was not taken away and brought back")


def _back(record: Record, outage: Outage) -> Event | None:
    """The first look, begun after the outage was mended, that found the master healthy."""
    looks = (event for event in record.named("master.seen") if event["asked_ns"] >= outage.mending_ns)
    return next((event for event in looks if event["status"] == "ok"), None)


def _unmet(record: Record, step: str, after_ns: int) -> Event | None:
    """A step that waited in vain, after that moment."""
    found = (event for event in record.named("step.unmet") if event["step"] == step and event.ns > after_ns)
    return next(found, None)


def seconds_until_healthy(record: Record, span: Span, claim: Claim) -> Evidence:
    """From when the master was begun to be brought back to the first look that found it healthy."""
    outage = outage_of(record)
    if outage is None:
        return NO_OUTAGE
    if outage.unproven:
        return Evidence(0, None, missing=outage.unproven)
    back = _back(record, outage)
    unmet = _unmet(record, "await_master_whole", outage.mending_ns)
    if back is not None and (unmet is None or back.ns < unmet.ns):
        return Evidence(1, (back.ns - outage.mending_ns) / 1e9, says="until /health said ok")
    if unmet is not None:
        return Evidence(1, (unmet.ns - outage.mending_ns) / 1e9, says=unmet["reason"], past=True)
    return Evidence(0, None, missing="the drill ended before the master could be back")


def seconds_until_relays(record: Record, span: Span, claim: Claim) -> Evidence:
    """From the master's first healthy answer to the first look that finds all relays of the baseline listed and fresh.

    The baseline are the relays that it listed, heard from lately, in the last look before the outage.
    """
    outage = outage_of(record)
    if outage is None:
        return NO_OUTAGE
    beat_ms = float(record.provenance["heartbeat_s"]) * 1000
    baseline = _baseline(record, outage, beat_ms)
    back = _back(record, outage)
    if not baseline or back is None or outage.unproven:
        unseen = "the master was not seen to be back" if baseline else "nobody saw its relays before"
        return Evidence(0, None, missing=outage.unproven or unseen)
    for event in record.named("relays.seen", "master.seen"):
        if event["asked_ns"] >= back["asked_ns"] and baseline <= _fresh(_last_list(event), FRESH_BEATS * beat_ms):
            says = f"{len(baseline)} relays listed, each heard from within {FRESH_BEATS:g} heartbeats"
            return Evidence(len(baseline), max(0.0, (event.ns - back.ns) / 1e9), says=says)
    unmet = _unmet(record, "await_master_whole", back.ns)
    if unmet is None:
        return Evidence(0, None, missing="the drill ended before the relays could be back")
    return Evidence(len(baseline), (unmet.ns - back.ns) / 1e9, says=unmet["reason"], past=True)


def _baseline(record: Record, outage: Outage, beat_ms: float) -> set[str]:
    before = [event for event in record.named("relays.seen") if event.ns < outage.asked_ns]
    return _fresh(before[-1]["relays"], FRESH_BEATS * beat_ms) if before else set()


def _last_list(event: Event) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = event["relays"] if event.name == "relays.seen" else event["after"]
    return found


def _fresh(relays: Iterable[dict[str, Any]], age_ms_max: float) -> set[str]:
    return {relay["relay_id"] for relay in relays if relay["age_ms"] <= age_ms_max}


def untruthful_looks(record: Record, span: Span, claim: Claim) -> Evidence:
    """Looks in which /ready said 200 and no relay could be assigned, or 503, twice running, though one could.

    A relay that can be assigned is listed in a state that gets leases and was heard from within 3 heartbeats. The list
    is read before and after /ready; both must contradict it, and not by a hair.
    """
    outage = outage_of(record)
    if outage is None:
        return NO_OUTAGE
    beat_ms = float(record.provenance["heartbeat_s"]) * 1000
    looks = [event for event in record.named("master.seen") if event["asked_ns"] in span and
             event["asked_ns"] >= outage.asked_ns]  # fmt: skip
    boasts = [look["ready"] and not _assignable(look, FRESH_BEATS + DOUBT_BEATS, beat_ms, any) for look in looks]
    denials = [not look["ready"] and _assignable(look, FRESH_BEATS - DOUBT_BEATS, beat_ms, all) for look in looks]
    boasted, denied = sum(boasts), sum(before and after for before, after in pairwise(denials))
    if not any(look["asked_ns"] >= outage.mending_ns for look in looks):
        return Evidence(0, None, missing="nobody saw the master after it was brought back")
    parts = [f"200 without a relay in {boasted}" if boasted else "", f"503 with one in {denied}" if denied else ""]
    says = f"{len(looks)} looks" + "".join(f", {part}" for part in parts if part)
    return Evidence(len(looks), float(boasted + denied), says=says)


def _assignable(look: Event, beats: float, beat_ms: float, how: Any) -> bool:
    """Whether a relay could be assigned by any or all of the lists read around /ready."""
    lists = (look["before"], look["after"])
    return bool(how(any(relay["state"] in ASSIGNABLE and relay["age_ms"] <= beats * beat_ms for relay in relays)
                    for relays in lists))  # fmt: skip


def key_changes(record: Record, span: Span, claim: Claim) -> Evidence:
    """How often the key, or its id, was another than in the look before, up to the end of the window."""
    outage = outage_of(record)
    if outage is None:
        return NO_OUTAGE
    looks = [event for event in record.named("master.seen") if event.ns < span.to_ns]
    after = [look for look in looks if look["asked_ns"] >= outage.mending_ns]
    if not after or looks[0].ns >= outage.asked_ns:
        return Evidence(0, None, missing="the key was not seen both before and after the outage")
    changes = [(before, after) for before, after in pairwise(looks) if after["asked_ns"] in span and
               (before["key_id"], before["public_key"]) != (after["key_id"], after["public_key"])]  # fmt: skip
    says = "; ".join(f"{before['key_id']} became {after['key_id']}" for before, after in changes[:3])
    return Evidence(len(after), float(len(changes)), says=says or f"{after[-1]['key_id']} throughout")


def seconds_until_accepted(record: Record, span: Span, claim: Claim) -> Evidence:
    """How long a fresh lease was waited for until a relay accepted it; the longest wait of the window."""
    waits = [Evidence(1, (event["accepted_ns"] - event["began_ns"]) / 1e9, says=f"accepted by {event['service']}")
             for event in record.named("lease.accepted") if event["began_ns"] in span]  # fmt: skip
    waits += [Evidence(1, (event.ns - event["began_ns"]) / 1e9, says=event["reason"], past=True)
              for event in record.named("step.unmet")
              if event["step"] == "await_fresh_lease" and event["began_ns"] in span]  # fmt: skip
    if not waits:
        return Evidence(0, None, missing="nobody asked for a fresh lease")
    return max(waits, key=lambda one: (one.past, one.figure or 0.0))


def leases_refused_by_ready_relays(record: Record, span: Span, claim: Claim) -> Evidence:
    """Leases that were given, and refused by the relay they name, which said that it was ready before and after."""
    trials = [event for event in record.named("lease.tried") if event["asked_ns"] in span]
    none = [event for event in record.named("lease.none") if event.ns in span and event["why"] in ("try", "fresh")]
    refused = [event for event in trials
               if event["outcome"].count("reject") and event["ready_before"] and event["ready_after"]]  # fmt: skip
    says = f"{len(trials)} leases tried, {len(none)} not given"
    neither = [event for event in trials
               if event["outcome"] != "accepted" and event["ready_before"] and event["ready_after"]]  # fmt: skip
    if neither and not refused:  # the way there may have lost them, and so may whoever calls itself ready
        words = f"{len(neither)} of {len(trials)} leases were neither accepted nor refused by relays that said ready"
        return Evidence(len(trials) + len(none), None, missing=words)
    if refused:
        says += f"; first refused by {refused[0]['service']}: {refused[0]['outcome']}"
    return Evidence(len(trials) + len(none), float(len(refused)) if trials or none else None, says=says)


def sightings_after_the_outage(record: Record, span: Span, claim: Claim) -> Evidence:
    """Looks at the master's list, after the master was back, in which a relay drained before was not Draining."""
    drain, outage = first_drain(record), outage_of(record)
    if drain is None or outage is None:
        return Evidence(0, None, missing="the master was not taken away and brought back under a drain")
    if drain.unproven or outage.unproven:
        return Evidence(0, None, missing=drain.unproven or outage.unproven)
    afterwards = Span(outage.mending_ns, max(outage.mending_ns, drain.force.to_ns))
    looks = [look for look in looks_at(record, drain.relay_id, afterwards) if look.state]
    wrong = [look for look in looks if look.state != DRAINING]
    if wrong:
        after = (wrong[0].asked_ns - outage.mending_ns) / 1e9
        says = f"listed as {wrong[-1].state} in {len(wrong)} of {len(looks)} looks, first after {after:.1f} s"
        return Evidence(len(looks), float(len(wrong)), says=says)
    if not looks:
        return Evidence(0, None, missing=f"{drain.subject} was not listed again while it was drained")
    return Evidence(len(looks), 0.0, says=f"Draining in all {len(looks)} looks that listed it")


def seconds_until_noticed(record: Record, span: Span, claim: Claim) -> Evidence:
    """From when the master was out of reach to the first time each relay said that it was not ready; the slowest."""
    outage = outage_of(record)
    if outage is None:
        return NO_OUTAGE
    if outage.unproven:
        return Evidence(0, None, missing=outage.unproven)
    during = Span(outage.force_ns, max(outage.force_ns, outage.mending_ns))
    relays = sorted({event["service"] for event in record.named("relay.known")})
    each = {name: _noticed(record, name, during) for name in relays}
    unseen = [name for name, one in each.items() if one.missing]
    if unseen or not each:
        return Evidence(0, None, missing=f"nobody looked at {', '.join(unseen) or 'any relay'} meanwhile")
    name, slowest = max(each.items(), key=lambda one: (one[1].past, one[1].figure or 0.0))
    return Evidence(len(each), slowest.figure, says=f"{name}: {slowest.says}", past=slowest.past)


def _noticed(record: Record, service: str, during: Span) -> Evidence:
    looks = [event for event in record.named("relay.health") if event["service"] == service and event.ns in during]
    unready = next((event for event in looks if not event["ready"]), None)
    if unready is not None:
        return Evidence(1, (unready.ns - during.from_ns) / 1e9, says="unready")
    if not looks:
        return Evidence(0, None, missing="never seen")
    seconds = (during.to_ns - during.from_ns) / 1e9
    return Evidence(1, seconds, says=f"ready in all {len(looks)} looks of {seconds:.1f} s", past=True)

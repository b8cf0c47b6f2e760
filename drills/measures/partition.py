"""What faults on TCP paths left behind: relays that were not ready, how long until they were, sockets nobody needs."""

from __future__ import annotations

from itertools import groupby

from drills.measures.drain import CUTS
from drills.measures.evidence import Evidence
from drills.measures.master import PATH
from drills.objectives import Claim
from drills.record import Event, Record, Span


def _looks(record: Record, service: str) -> list[Event]:
    return [event for event in record.named("relay.health") if event["service"] == service]


def looks_not_ready(record: Record, span: Span, claim: Claim) -> Evidence:
    """Looks in the window at which a relay said that it was not ready, and had said so the look before.

    One call to the master that is late may be the machine's doing, and the next one mends it: two looks lie half a
    second apart. A stall of the machine explains as much of a spell as it lasted, and until the next beat but one.
    """
    every = 0
    spells: list[list[Event]] = []
    for service in sorted({event["service"] for event in record.named("relay.known")}):
        looks = [event for event in _looks(record, service) if event["asked_ns"] in span]
        every += len(looks)
        spells += [list(same) for ready, same in groupby(looks, key=lambda event: bool(event["ready"])) if not ready]
    if not every:
        return Evidence(0, None, missing="nobody looked at the relays")
    beats_ns = 2e9 * float(record.provenance["heartbeat_s"])

    def forgiving(ms: float) -> float:
        over_ns = beats_ns + ms * 1e6
        return float(sum(event["asked_ns"] - spell[0]["asked_ns"] > over_ns for spell in spells for event in spell))

    bad = [event for spell in spells for event in spell[1:]]
    says = f"{len(bad)} of {every} looks" + (f", first at {bad[0]['service']}" if bad else "")
    return Evidence(every, float(len(bad)), hits=len(bad), says=says, forgiving=forgiving)


def seconds_until_ready(record: Record, span: Span, claim: Claim) -> Evidence:
    """From when a relay's path to the master was open again to the first look that found it ready; the longest.

    A spell that another one ended too soon to tell says nothing; the last of each relay has the rest of the record.
    """
    cuts = [event for event in record.named("fault.receipt")
            if event["fault"] in CUTS and event["subject"].endswith(PATH) and event["asked_ns"] in span]  # fmt: skip
    if not cuts:
        return Evidence(0, None, missing="no relay was cut off from its master")
    if unproven := [event for event in cuts if not event["landed"] or not event["mended"]]:
        first = unproven[0]
        return Evidence(0, None, missing=f"{first['fault']} on {first['subject']} was not seen to land and be mended")
    spells = [spell for each in sorted({event["subject"] for event in cuts}) for spell in _spells(record, cuts, each)]
    told = [one for one in spells if not one.missing]
    if not told:
        return Evidence(0, None, missing="no relay was looked at after its path was mended")
    slowest = max(told, key=lambda one: (one.past, one.figure or 0.0))
    return Evidence(len(told), slowest.figure, says=f"{slowest.says}, {len(told)} spells", past=slowest.past)


def _spells(record: Record, cuts: list[Event], subject: str) -> list[Evidence]:
    """One relay's spells without its master, each with the time until it was ready again."""
    mine = sorted((event for event in cuts if event["subject"] == subject), key=lambda event: int(event["asked_ns"]))
    looks = _looks(record, subject.removesuffix(PATH))
    ends = [int(event["asked_ns"]) for event in mine[1:]] + [record.events[-1].ns]
    return [_spell(event, looks, end, last=event is mine[-1]) for event, end in zip(mine, ends, strict=True)]


def _spell(cut: Event, looks: list[Event], until_ns: int, *, last: bool) -> Evidence:
    mended_ns = int(cut.get("mending_ns") or cut["to_ns"])
    after = [event for event in looks if mended_ns <= event["asked_ns"] < until_ns]
    ready = next((event for event in after if event["ready"]), None)
    what = f"{cut['fault']} on {cut['subject']}"
    if ready is not None:
        return Evidence(1, (ready["asked_ns"] - mended_ns) / 1e9, says=f"longest after {what}")
    if not last or not after:
        return Evidence(0, None, missing="over too soon")
    return Evidence(1, (until_ns - mended_ns) / 1e9, says=f"not ready again after {what}", past=True)


def sockets_left(record: Record, span: Span, claim: Claim) -> Evidence:
    """Sockets that a service still held, at the end of its time, though nobody was at their other end any more."""
    counts = [event for event in record.named("sockets.held") if event.ns in span]
    if not counts:
        return Evidence(0, None, missing="nobody counted the sockets")
    held, orphans = sum(event["held"] for event in counts), sum(event["orphans"] for event in counts)
    says = f"{held} held, the last one without another end let go after {max(e['waited_s'] for e in counts):.1f} s"
    if orphans:
        says = f"{orphans} of {held} held without another end for {max(e['waited_s'] for e in counts):.1f} s"
    return Evidence(held, float(orphans), hits=orphans, says=says)

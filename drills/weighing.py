"""One objective weighed: evidence against its limit, then doubt against the outcome. Pure arithmetic.

A doubt that voids `broken` does so only if it can explain what was found: with as much taken off as it may have added,
or as many bad samples forgiven as it may have caused, would the promise still be broken? Then it stays broken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum

from drills.doubts import Doubt
from drills.measures.evidence import Evidence
from drills.objectives import ALWAYS, CLAIMS, Claim, DoubtKind, Shape

Z_99 = 2.5758  # two-sided 99 % of the normal distribution

# How long our generator must stand still, at least, before that alone can make one sample of a ratio bad: half of the
# shortest patience of a set-up (a second for the first packet each way), half a second for one try of a PRESENT, half
# of the time in which a packet may still arrive, and less than the silence at its end that makes a session cut.
HARMLESS_STALL_MS = {
    "session_setup_success_ratio": 500.0,
    "handshake_failure_ratio": 500.0,
    "packets_lost_ratio": 500.0,
    "frames_lost_ratio": 500.0,
    # a session looks for another lease after 2 s of silence, or where a RENEW is refused: no stop of ours refuses one
    "leases_kept": 1000.0,
    "session_drop_ratio": 200.0,
    "sessions_lost_with_relay": 500.0,
    # half of the 2 s for which a probe waits for a message (drills/probes/accounts.py)
    "signals_flow_both_ways": 1000.0,
    "newer_socket_reachable": 1000.0,
    # half a second is a tenth of a set-up's patience, and a quarter of the longest wait between two tries to bind
    "setup_outage_s": 500.0,
    "rebind_storm_s": 500.0,
    "media_continuity_ratio": 200.0,
    "signaling_continuity_ratio": 2500.0,  # half of the time in which a lost end must be bound again
}

# Shares of packets, of which so many at the most may have died on our side.
LOSSES = frozenset({"packets_lost_ratio", "frames_lost_ratio"})
# What was not seen is what makes these bad, so that a part of the record that is missing can.
COUNTS_THE_UNSEEN = frozenset({"sessions_lost_with_relay"})


class Outcome(StrEnum):
    """What a judgement or verdict can be."""

    HELD = "held"
    INCONCLUSIVE = "inconclusive"
    BROKEN = "broken"


GRAVITY = {Outcome.HELD: 0, Outcome.INCONCLUSIVE: 1, Outcome.BROKEN: 2}


def interval_99(hits: int, samples: int) -> tuple[float, float]:
    """The 99 % interval of a share (Wilson's score interval)."""
    if samples == 0:
        return 0.0, 1.0
    share, z2 = hits / samples, Z_99**2
    middle = (share + z2 / (2 * samples)) / (1 + z2 / samples)
    half = Z_99 / (1 + z2 / samples) * math.sqrt(share * (1 - share) / samples + z2 / (4 * samples**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def weighed(
    claim: Claim, evidence: Evidence, limit: float, samples_min: int, doubts: list[Doubt]
) -> tuple[Outcome, str]:
    """The outcome of one objective and the words for it: evidence first, then what doubt takes away from it."""
    if evidence.missing:
        return Outcome.INCONCLUSIVE, evidence.missing
    outcome, reason = _undoubted(claim, evidence, limit, samples_min)
    for doubt in doubts:
        if outcome not in doubt.voids or (outcome is Outcome.HELD and _held_anyway(claim, evidence, limit, doubt)):
            continue
        if not (outcome is Outcome.BROKEN and _broken_anyway(claim, evidence, limit, doubt)):
            return Outcome.INCONCLUSIVE, _otherwise(str(doubt), outcome, reason)
    if outcome is Outcome.BROKEN:
        mine = [doubt for doubt in doubts if outcome in doubt.voids]
        if mine and not _broken_by_none_of(claim, evidence, limit, mine):
            words = " and ".join(dict.fromkeys(map(str, mine)))
            return Outcome.INCONCLUSIVE, _otherwise(f"{words}: together they explain it", outcome, reason)
    return outcome, reason


def _otherwise(doubt: str, outcome: Outcome, reason: str) -> str:
    return f"{doubt}; otherwise {outcome}" + (f": {reason}" if reason else "")


def _undoubted(claim: Claim, evidence: Evidence, limit: float, samples_min: int) -> tuple[Outcome, str]:
    if evidence.figure is not None and not math.isfinite(evidence.figure):
        return Outcome.INCONCLUSIVE, f"the figure is {evidence.figure}, which is no measurement"
    enough = evidence.figure is not None and evidence.samples >= samples_min
    if not enough and not _certain_with_few(claim, evidence, limit):
        return Outcome.INCONCLUSIVE, f"{evidence.samples} samples, at least {samples_min} needed"
    outcome, reason = _SHAPES[claim.shape](claim, evidence, limit)
    return outcome, "; ".join(part for part in (reason, evidence.says) if part)


def _certain_with_few(claim: Claim, evidence: Evidence, limit: float) -> bool:
    """A thing that must never happen and did is broken however few looks there were."""
    if evidence.figure is None:
        return False
    return evidence.past or (claim.shape is Shape.COUNT_MAX and evidence.figure > limit)


def _broken_anyway(claim: Claim, evidence: Evidence, limit: float, doubt: Doubt) -> bool:
    """Whether the promise would be broken even if everything that the doubt can explain had not happened."""
    if doubt.kind is DoubtKind.RECORD:  # what is missing does not take back what was seen
        seen = claim.shape is Shape.COUNT_MAX and claim.name not in COUNTS_THE_UNSEEN
        return seen or (claim.shape is Shape.COUNT_MIN and evidence.past)
    if evidence.forgiving and doubt.kind in (DoubtKind.GENERATOR, DoubtKind.STARVED):
        return _still_broken(claim, evidence, limit, doubt.most_ms, 0.0)
    touched = doubt.most_share * evidence.samples  # a gap bears on few packets, and adds no more than its length
    if (
        claim.name.startswith("input_to_present")
        and doubt.most_share < 1
        and _too_many_past(claim, evidence, limit, touched)
    ):
        return True
    if claim.shape is Shape.QUANTILE_MAX and claim.about_time_ms:
        if doubt.kind is DoubtKind.STARVED and claim.name != "silence_ms_p99":
            return False  # a queue behind a starved process grows by more than the process waited
        most = doubt.most_ms / claim.about_time_ms if doubt.kind in (DoubtKind.GENERATOR, DoubtKind.STARVED) else 0.0
        forgiven = doubt.most_failures if doubt.kind is DoubtKind.OWN_LOSS else 0.0
        return (most > 0 or forgiven > 0) and _too_many_past(claim, evidence, limit + most, forgiven)
    # its socket ran over, or it was late
    lost = claim.name in LOSSES and doubt.kind is DoubtKind.STARVED
    if claim.shape is Shape.RATIO_MAX and (doubt.kind is DoubtKind.OWN_LOSS or lost):
        return interval_99(max(0, (evidence.hits or 0) - _whole(doubt.most_failures)), evidence.samples)[0] > limit
    if claim.shape is Shape.RATIO_MIN and doubt.kind is DoubtKind.OWN_LOSS:
        kept = min(evidence.samples, (evidence.hits or 0) + _whole(doubt.most_failures))
        return interval_99(kept, evidence.samples)[1] < limit
    ratio = claim.shape in (Shape.RATIO_MAX, Shape.RATIO_MIN)
    if (ratio or claim.shape is Shape.COUNT_MAX) and doubt.kind in (DoubtKind.GENERATOR, DoubtKind.STARVED):
        return doubt.most_ms < HARMLESS_STALL_MS.get(claim.name, 0.0)
    if claim.shape is Shape.TIME_MAX and doubt.kind in (DoubtKind.GENERATOR, DoubtKind.STARVED):
        made_bad = doubt.kind is DoubtKind.GENERATOR and doubt.most_ms >= HARMLESS_STALL_MS.get(claim.name, math.inf)
        return not made_bad and (evidence.figure or 0.0) - doubt.whole_ms / claim.about_time_ms > limit
    return False


def _broken_by_none_of(claim: Claim, evidence: Evidence, limit: float, doubts: list[Doubt]) -> bool:
    """Whether it stays broken with all doubts taken together: each alone may explain too little of it.

    Two relays' sockets that ran over; a relay that waited for a CPU just after our generator had stood still. Nobody
    waits for both halves of a patience, so that what ``HARMLESS_STALL_MS`` calls harmless is so twice, too.
    """
    by_kind = {kind: [doubt for doubt in doubts if doubt.kind is kind] for kind in DoubtKind}
    lost = sum(doubt.most_failures for doubt in by_kind[DoubtKind.OWN_LOSS])
    most_ms = sum(max((doubt.most_ms for doubt in by_kind[kind]), default=0.0)
                  for kind in (DoubtKind.GENERATOR, DoubtKind.STARVED))  # fmt: skip
    if claim.name in LOSSES:
        lost += sum(doubt.most_failures for doubt in by_kind[DoubtKind.STARVED])
        return interval_99(max(0, (evidence.hits or 0) - _whole(lost)), evidence.samples)[0] > limit
    if evidence.forgiving:
        return _still_broken(claim, evidence, limit, most_ms, lost)
    if claim.shape is Shape.TIME_MAX:  # a set-up goes through one service after another, and waits at each
        ms = max((doubt.whole_ms for doubt in by_kind[DoubtKind.GENERATOR]), default=0.0)
        ms += sum(doubt.whole_ms for doubt in by_kind[DoubtKind.STARVED])
        return (evidence.figure or 0.0) - ms / claim.about_time_ms > limit
    if claim.shape is Shape.QUANTILE_MAX and claim.about_time_ms:
        if _too_many_past(claim, evidence, limit + most_ms / claim.about_time_ms, lost):
            return True
        shares = [doubt.most_share for doubt in by_kind[DoubtKind.GENERATOR]]  # of the packets that a stop bears on
        untouched = claim.name.startswith("input_to_present") and all(share < 1 for share in shares)
        return untouched and _too_many_past(claim, evidence, limit, lost + sum(shares) * evidence.samples)
    return True


def _still_broken(claim: Claim, evidence: Evidence, limit: float, ms: float, failures: float) -> bool:
    """Whether it is broken, beyond luck, with so much taken off every time and so many failures forgiven."""
    assert evidence.forgiving
    figure = evidence.forgiving(ms)
    hits = round(figure * evidence.samples)
    match claim.shape:
        case Shape.RATIO_MAX:
            return interval_99(max(0, hits - _whole(failures)), evidence.samples)[0] > limit
        case Shape.RATIO_MIN:
            return interval_99(min(evidence.samples, hits + _whole(failures)), evidence.samples)[1] < limit
    return figure > limit


def _held_anyway(claim: Claim, evidence: Evidence, limit: float, doubt: Doubt) -> bool:
    """Whether the promise would be held even if all that our generator did not see while it stood still had been bad.

    Packets due then were sent late and watched, and count as late, unless it stood still for so long that some were
    never sent; what else was due then, nobody knows. So all of that is taken for bad, and every silence for longer by
    as much as it stood still at a time: what ended a silence was read late, if anything, and so was what began it, by
    one stop.
    """
    if doubt.kind is not DoubtKind.GENERATOR:
        return False
    if claim.shape is Shape.TIME_MAX:
        return (evidence.figure or 0.0) + doubt.most_ms / claim.about_time_ms <= limit
    if claim.shape is Shape.COUNT_MAX:
        if evidence.hiding_some:
            return evidence.hiding_some(doubt.most_ms, doubt.hidden_share, doubt.hidden_more) <= limit
        return bool(evidence.hiding and evidence.hiding(doubt.most_ms) <= limit)
    harmless_ms = HARMLESS_STALL_MS.get(claim.name, 0.0)
    if claim.shape in (Shape.RATIO_MAX, Shape.RATIO_MIN) and doubt.hidden_ms >= harmless_ms:
        return False
    if evidence.hiding:
        return _meets(claim, evidence.hiding(doubt.hidden_ms), limit)
    in_packets = DoubtKind.OWN_LOSS in claim.doubts
    hidden, samples = _hidden(evidence, doubt, in_packets), max(1, evidence.samples)
    match claim.shape:
        case Shape.QUANTILE_MAX:
            return _past(evidence, limit) + hidden <= (1 - (claim.quantile or 0.5)) * samples
        case Shape.RATIO_MAX:
            return _meets(claim, ((evidence.hits or 0) + hidden) / samples, limit)
        case Shape.RATIO_MIN:
            return _meets(claim, ((evidence.hits or 0) - hidden) / samples, limit)
    return False


def _meets(claim: Claim, figure: float, limit: float) -> bool:
    return figure >= limit if claim.shape is Shape.RATIO_MIN else figure <= limit


def _hidden(evidence: Evidence, doubt: Doubt, in_packets: bool) -> int:
    """How many samples, at the most, a stop of our generator has kept from being taken."""
    share, more = (doubt.unsent_share, doubt.unsent_more) if in_packets else (doubt.hidden_share, doubt.hidden_more)
    return min(evidence.samples, math.ceil(share * evidence.samples) + more)


def excused(doubts: Iterable[Doubt]) -> frozenset[str]:
    """The claims whose failures in the fault window some doubt can explain; a stall too short to do so cannot."""
    return frozenset(
        claim for claim, harmless_ms in HARMLESS_STALL_MS.items() for doubt in doubts
        if doubt.concerns(claim, "fault") and Outcome.BROKEN in doubt.voids
        and doubt.kind in CLAIMS[claim].doubts | ALWAYS and doubt.most_ms >= harmless_ms
    )  # fmt: skip


def _whole(failures: float) -> int:
    return int(min(failures, 1e12))


def _too_many_past(claim: Claim, evidence: Evidence, limit: float, forgiven: float) -> bool:
    """Whether more samples lie past a limit than a percentile allows, beyond luck, even with some forgiven."""
    past = max(0, _past(evidence, limit) - _whole(forgiven))
    return interval_99(past, evidence.samples)[0] > 1 - (claim.quantile or 0.5)


def _past(evidence: Evidence, limit: float) -> int:
    import numpy

    return int((numpy.asarray(evidence.values) > limit).sum())


def failures(claim: Claim, evidence: Evidence, limit: float) -> int | None:
    """How many samples of a share failed, or lie past a percentile's limit; None for what is no share of samples."""
    if evidence.missing or evidence.figure is None:
        return None
    match claim.shape:
        case Shape.RATIO_MAX:
            return evidence.hits
        case Shape.RATIO_MIN:
            return evidence.samples - (evidence.hits or 0)
        case Shape.QUANTILE_MAX:
            return _past(evidence, limit)
    return None


def allowed_share(claim: Claim, limit: float) -> float | None:
    """The share of samples that may fail; None for what is no share of samples."""
    match claim.shape:
        case Shape.RATIO_MAX:
            return limit
        case Shape.RATIO_MIN:
            return round(1 - limit, 9)
        case Shape.QUANTILE_MAX:
            return round(1 - (claim.quantile or 0.5), 9)
    return None


def _ratio_max(claim: Claim, evidence: Evidence, limit: float) -> tuple[Outcome, str]:
    low, high = interval_99(evidence.hits or 0, evidence.samples)
    assert evidence.figure is not None
    if evidence.figure <= limit:
        return Outcome.HELD, ""
    if low > limit:
        return Outcome.BROKEN, f"99 % interval {low:.4f} to {high:.4f} lies past {limit:g}"
    return Outcome.INCONCLUSIVE, f"past {limit:g}, but its 99 % interval {low:.4f} to {high:.4f} is not"


def _ratio_min(claim: Claim, evidence: Evidence, limit: float) -> tuple[Outcome, str]:
    low, high = interval_99(evidence.hits or 0, evidence.samples)
    assert evidence.figure is not None
    if evidence.figure >= limit:
        return Outcome.HELD, ""
    if high < limit:
        return Outcome.BROKEN, f"99 % interval {low:.4f} to {high:.4f} lies below {limit:g}"
    return Outcome.INCONCLUSIVE, f"below {limit:g}, but its 99 % interval {low:.4f} to {high:.4f} is not"


def _quantile_max(claim: Claim, evidence: Evidence, limit: float) -> tuple[Outcome, str]:
    """A percentile past its limit is broken when the share of samples past the limit is, beyond luck."""
    assert evidence.figure is not None
    if evidence.figure <= limit:
        return Outcome.HELD, ""
    words = f"{_past(evidence, limit)} of {evidence.samples} lie past {limit:g} {claim.unit}"
    if _too_many_past(claim, evidence, limit, 0):
        return Outcome.BROKEN, words
    return Outcome.INCONCLUSIVE, f"{words}, which may be luck"


def _count_max(claim: Claim, evidence: Evidence, limit: float) -> tuple[Outcome, str]:
    return (Outcome.HELD if (evidence.figure or 0.0) <= limit else Outcome.BROKEN), ""


def _count_min(claim: Claim, evidence: Evidence, limit: float) -> tuple[Outcome, str]:
    figure = evidence.figure or 0.0
    if evidence.past:
        return Outcome.BROKEN, ""
    if figure >= limit:
        return Outcome.HELD, ""
    return Outcome.INCONCLUSIVE, f"only {figure:g} of {limit:g} {claim.unit} were seen"


def _time_max(claim: Claim, evidence: Evidence, limit: float) -> tuple[Outcome, str]:
    figure = evidence.figure or 0.0
    if evidence.past and figure <= limit:
        return Outcome.INCONCLUSIVE, f"the drill gave up after {figure:.1f} s, {limit:g} s were allowed"
    return (Outcome.HELD if figure <= limit else Outcome.BROKEN), ""


_SHAPES = {
    Shape.RATIO_MAX: _ratio_max,
    Shape.RATIO_MIN: _ratio_min,
    Shape.QUANTILE_MAX: _quantile_max,
    Shape.COUNT_MAX: _count_max,
    Shape.COUNT_MIN: _count_min,
    Shape.TIME_MAX: _time_max,
}

"""Which relay a session gets: score, weight, one uniform draw (contract §2.8).

Handshake, duration, feedback, RTT and loss are constants in Wavry's score and so they are here. Two things are
as intended instead: relays without an ASN are not taken for one network (D-30), and no relay starts out as a
failure (D-29, in ``registry``). Randomness is passed in, so a draw can be repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from drills.reference.master.states import State

REGION_CANDIDATES = 10
PER_ASN = 2
STATE_FACTORS = {State.ACTIVE: 1.0, State.PROBATION: 0.65, State.DEGRADED: 0.4, State.NEW: 0.25}
# (largest age in whole seconds, factor); older than all of them: 0.2
FRESHNESS = ((30, 1.0), (90, 0.9), (180, 0.65), (300, 0.4))
OLDEST_FRESHNESS = 0.2
LOWEST_WEIGHT = 10.0
PROBATION_BONUS = 1.2


@dataclass(frozen=True)
class Candidate:
    """A relay that may be handed out, as selection sees it."""

    relay_id: str
    address: str  # the first endpoint, verbatim
    state: State
    load_pct: float = 0.0
    age_s: float = 0.0  # since last seen, at real pace
    success_rate: float = 1.0
    region: str | None = None
    asn: int | None = None


def score(candidate: Candidate) -> float:
    """0 to 90: what the relay is worth, before the draw."""
    raw = 25 * candidate.success_rate + 15 + 10 + 10 + 15 + 10 + 0.05 * (0.7 * (100 - candidate.load_pct) + 30)
    return raw * freshness(candidate.age_s) * STATE_FACTORS[candidate.state]


def freshness(age_s: float) -> float:
    """The factor for a relay last seen so long ago, in whole seconds."""
    return next((factor for oldest_s, factor in FRESHNESS if int(age_s) <= oldest_s), OLDEST_FRESHNESS)


def weights(candidates: Sequence[Candidate]) -> list[float]:
    """The share of the draw each candidate has, not normalised."""
    scores = [score(candidate) for candidate in candidates]
    lowest = min(scores, default=0.0)
    return [
        (worth - lowest + LOWEST_WEIGHT) * (PROBATION_BONUS if candidate.state is State.PROBATION else 1.0)
        for worth, candidate in zip(scores, candidates, strict=True)
    ]


def choose(candidates: Sequence[Candidate], region: str | None, random: Random) -> Candidate | None:
    """One of the candidates by weight, or None when there is none."""
    if not candidates:
        return None
    if region is not None:
        # shuffled first, so that no relay is left out for ever because ten equally near ones came before it
        candidates = nearest(random.sample(candidates, len(candidates)), region)
    return random.choices(candidates, weights(candidates))[0]


def nearest(candidates: Sequence[Candidate], region: str) -> list[Candidate]:
    """At most 10, the nearest first, at most 2 of any one known ASN."""
    taken: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda each: distance(each.region, region)):
        of_same_asn = sum(1 for other in taken if other.asn == candidate.asn)
        if candidate.asn is None or of_same_asn < PER_ASN:
            taken.append(candidate)
    return taken[:REGION_CANDIDATES]


def distance(relay_region: str | None, region: str) -> int:
    """0 the same region, 1 the same text before the first hyphen, otherwise 5."""
    ours = relay_region or "unknown"
    if ours == region:
        return 0
    return 1 if ours.partition("-")[0] == region.partition("-")[0] else 5

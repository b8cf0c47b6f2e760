"""Objectives × record → judgements: pure, from the disk alone, so that a run can be judged again a year later.

Three outcomes. Doubt never rounds up: too few samples, an unproven fault, a late generator make an objective
inconclusive, and the judgement says which. Doubt voids only what it can explain (design §4): a late generator makes a
silence inconclusive, but a lease that names a draining relay stays broken.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from drills.doubts import Doubt, doubts_of
from drills.errors import Exit
from drills.measures.evidence import Evidence
from drills.objectives import ALWAYS, CLAIMS, Claim, DoubtKind, Shape
from drills.record import Record
from drills.scenario.durations import Duration
from drills.scenario.models import ObjectiveSpec, Scenario
from drills.scenario.parse import least_samples
from drills.scenario.tiers import Tiers

Z_99 = 2.5758  # two-sided 99 % of the normal distribution


class Outcome(StrEnum):
    """What a judgement or verdict can be."""

    HELD = "held"
    INCONCLUSIVE = "inconclusive"
    BROKEN = "broken"


GRAVITY = {Outcome.HELD: 0, Outcome.INCONCLUSIVE: 1, Outcome.BROKEN: 2}
EXITS = {Outcome.HELD: Exit.HELD, Outcome.INCONCLUSIVE: Exit.INCONCLUSIVE, Outcome.BROKEN: Exit.BROKEN}


@dataclass(frozen=True)
class Judgement:
    """One objective's outcome in one window, with its figures."""

    objective: str
    window: str
    verdict: Outcome
    figure: float | None
    limit: float
    unit: str
    samples: int
    samples_min: int
    why: str
    reason: str
    indicator: str = ""


@dataclass(frozen=True)
class Verdict:
    """All judgements of a run; the gravest wins, and nothing checked is inconclusive."""

    drill: str
    run: str
    target: str
    stage: str
    tier: str
    verdict: Outcome
    judgements: tuple[Judgement, ...]
    doubts: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As it stands in verdict.json (design §6)."""
        return asdict(self)

    @property
    def exit_code(self) -> Exit:
        """What a command that ran only this drill exits with."""
        return EXITS[self.verdict]


def interval_99(hits: int, samples: int) -> tuple[float, float]:
    """The 99 % interval of a share (Wilson's score interval)."""
    if samples == 0:
        return 0.0, 1.0
    share, z2 = hits / samples, Z_99**2
    middle = (share + z2 / (2 * samples)) / (1 + z2 / samples)
    half = Z_99 / (1 + z2 / samples) * math.sqrt(share * (1 - share) / samples + z2 / (4 * samples**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def judge(record: Record, scenario: Scenario, tiers: Tiers) -> Verdict:
    """The verdict over a record by the objectives of a scenario."""
    tier = record.provenance["tier"]
    heartbeat_s = float(record.provenance["heartbeat_s"])
    doubts = doubts_of(record, scenario)
    judgements = tuple(
        _judged(record, spec, window, limit_of(spec, tiers, tier, heartbeat_s), doubts)
        for spec in scenario.objectives
        for window in spec.windows
    )
    gravest = max((judgement.verdict for judgement in judgements), key=GRAVITY.__getitem__, default=Outcome.INCONCLUSIVE)
    if gravest is Outcome.BROKEN and any(doubt.kind is DoubtKind.INTERRUPTED for doubt in doubts):
        gravest = Outcome.INCONCLUSIVE  # unreachable while INTERRUPTED voids everything; kept as a promise
    return Verdict(
        record.provenance["drill"], record.provenance["run"], record.provenance["target"], record.provenance["stage"],
        tier, gravest, judgements, tuple(dict.fromkeys(str(doubt) for doubt in doubts)),
    )  # fmt: skip


def limit_of(spec: ObjectiveSpec, tiers: Tiers, tier: str, heartbeat_s: float) -> float:
    """The number an objective is held to: its own, its tier's, or a duration at this target's pace (seconds)."""
    if spec.limit == "tier":
        return tiers.indicators[spec.claim].limits[tier]
    return spec.limit.in_s(heartbeat_s) if isinstance(spec.limit, Duration) else float(spec.limit)


def _judged(record: Record, spec: ObjectiveSpec, window: str, limit: float, doubts: list[Doubt]) -> Judgement:
    claim = CLAIMS[spec.claim]
    span = record.windows.get(window)
    samples_min = spec.samples_min
    if claim.shape in (Shape.RATIO_MAX, Shape.RATIO_MIN):
        samples_min = max(samples_min, least_samples(claim.shape, limit))
    if span is None:
        evidence = Evidence(0, None, missing=f"the run ended before the window {window}")
    else:
        evidence = claim.measure(record, span, claim)
    mine = [doubt for doubt in doubts if doubt.kind in claim.doubts | ALWAYS and doubt.concerns(window)]
    outcome, reason = weighed(claim, evidence, limit, samples_min, mine)
    return Judgement(
        spec.claim, window, outcome, evidence.figure, limit, claim.unit, evidence.samples, samples_min, spec.why, reason,
        claim.indicator,
    )  # fmt: skip


def weighed(
    claim: Claim, evidence: Evidence, limit: float, samples_min: int, doubts: list[Doubt]
) -> tuple[Outcome, str]:
    """The outcome of one objective and the words for it: evidence first, then what doubt takes away from it."""
    if evidence.missing:
        return Outcome.INCONCLUSIVE, evidence.missing
    if evidence.figure is None or evidence.samples < samples_min:
        outcome, reason = Outcome.INCONCLUSIVE, f"{evidence.samples} samples, at least {samples_min} needed"
        if _certain_with_few(claim, evidence, limit):
            outcome, reason = Outcome.BROKEN, evidence.says
    else:
        outcome, reason = _SHAPES[claim.shape](claim, evidence, limit)
        reason = "; ".join(part for part in (reason, evidence.says) if part)
    for doubt in doubts:
        if outcome in doubt.voids:
            return Outcome.INCONCLUSIVE, f"{doubt}; otherwise {outcome}" + (f": {reason}" if reason else "")
    return outcome, reason


def _certain_with_few(claim: Claim, evidence: Evidence, limit: float) -> bool:
    """A thing that must never happen and did is broken however few looks there were."""
    return claim.shape is Shape.COUNT_MAX and (evidence.figure or 0.0) > limit


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
    import numpy

    assert evidence.figure is not None and claim.quantile is not None
    if evidence.figure <= limit:
        return Outcome.HELD, ""
    past = int((numpy.asarray(evidence.values) > limit).sum())
    low, _ = interval_99(past, evidence.samples)
    words = f"{past} of {evidence.samples} lie past {limit:g} {claim.unit}"
    if low > 1 - claim.quantile:
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
    if claim.name == "reregistration_seen":
        return Outcome.BROKEN, "it did not happen while it was waited for"
    return Outcome.INCONCLUSIVE, f"only {figure:g} of {limit:g} {claim.unit} were seen"


def _time_max(claim: Claim, evidence: Evidence, limit: float) -> tuple[Outcome, str]:
    figure = evidence.figure or 0.0
    return (Outcome.HELD if figure <= limit and not evidence.past else Outcome.BROKEN), ""


_SHAPES = {
    Shape.RATIO_MAX: _ratio_max,
    Shape.RATIO_MIN: _ratio_min,
    Shape.QUANTILE_MAX: _quantile_max,
    Shape.COUNT_MAX: _count_max,
    Shape.COUNT_MIN: _count_min,
    Shape.TIME_MAX: _time_max,
}


def write_verdict(folder: Path, verdict: Verdict) -> Path:
    """verdict.json in the run's folder, replaced as a whole."""
    import json

    path = folder / "verdict.json"
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(verdict.to_json(), indent=2) + "\n", encoding="utf-8")
    unfinished.rename(path)
    return path

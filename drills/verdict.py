"""Objectives × record → judgements: pure, from the disk alone, so that a run can be judged again a year later.

Three outcomes. Doubt never rounds up: too few samples, an unproven fault, a late generator make an objective
inconclusive, and the judgement says which. Doubt voids only what it can explain (design §4): a late generator makes a
silence inconclusive, but a lease that names a draining relay stays broken. The weighing itself is in
``drills/weighing.py``.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from drills.doubts import Doubt, doubts_of
from drills.errors import Exit
from drills.invariants.base import Checked, Invariant, Standing
from drills.invariants.table import INVARIANTS
from drills.measures.detection import Detection, detections
from drills.measures.evidence import Evidence
from drills.objectives import ALWAYS, CLAIMS, Claim, DoubtKind, Shape
from drills.record import Record, Span
from drills.scenario.durations import Duration
from drills.scenario.models import ObjectiveSpec, Scenario
from drills.scenario.parse import least_samples
from drills.scenario.tiers import Tiers
from drills.weighing import GRAVITY, Outcome, allowed_share, excused, failures, weighed

__all__ = ["EXITS", "InvariantRow", "Judgement", "Outcome", "Verdict", "judge", "limit_of", "write_verdict"]

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
    silent: bool = False  # users were hurt, and the control plane gave no sign of the fault that did it
    rows: str = ""  # where in the run's folder the figure is made from, so that it can be worked out again
    failed: int | None = None  # of a ratio or a percentile: the samples that used up its error budget
    allowed_share: float | None = None  # and the share of all samples that may


@dataclass(frozen=True)
class InvariantRow:
    """One invariant over the whole record: how it stands, and by what evidence."""

    invariant: str
    promise: str
    outcome: Standing
    looked_at: int
    reason: str
    witnesses: tuple[str, ...]

    @classmethod
    def of(cls, invariant: Invariant, checked: Checked) -> InvariantRow:
        """The row of an invariant that was checked."""
        return cls(
            invariant.name, invariant.promise, checked.outcome, checked.looked_at, checked.reason, checked.witnesses
        )


@dataclass(frozen=True)
class Verdict:
    """All judgements of a run; the gravest wins, and nothing checked is inconclusive.

    A violated invariant is broken like an objective; one that holds or is unknown takes nothing away and adds nothing.
    """

    drill: str
    run: str
    target: str
    stage: str
    tier: str
    verdict: Outcome
    judgements: tuple[Judgement, ...]
    doubts: tuple[str, ...] = ()
    invariants: tuple[InvariantRow, ...] = ()
    detection: tuple[Detection, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As it stands in verdict.json (design §6)."""
        return asdict(self)

    @property
    def exit_code(self) -> Exit:
        """What a command that ran only this drill exits with."""
        return EXITS[self.verdict]


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
    invariants = tuple(InvariantRow.of(one, one.check(record)) for one in INVARIANTS.values())
    found = detections(record, [one for one in judgements if _users(one.objective)], excused(doubts))
    judgements = tuple(_marked(one, found) for one in judgements)
    gravest = max((one.verdict for one in judgements), key=GRAVITY.__getitem__, default=Outcome.INCONCLUSIVE)
    if any(one.outcome is Standing.VIOLATED for one in invariants):
        gravest = Outcome.BROKEN
    return Verdict(
        record.provenance["drill"], record.provenance["run"], record.provenance["target"], record.provenance["stage"],
        tier, gravest, judgements, tuple(dict.fromkeys(str(doubt) for doubt in doubts)), invariants, found,
    )  # fmt: skip


def _users(objective: str) -> bool:
    """Whether an objective is about what users met: those are the ones that our own load can spoil."""
    return DoubtKind.GENERATOR in CLAIMS[objective].doubts


def _marked(judgement: Judgement, found: tuple[Detection, ...]) -> Judgement:
    """A users' objective that was broken by a fault of which there was no sign says so."""
    silent = judgement.verdict is Outcome.BROKEN and judgement.window == "fault" and _users(judgement.objective)
    return replace(judgement, silent=True) if silent and any(one.silent for one in found) else judgement


def limit_of(spec: ObjectiveSpec, tiers: Tiers, tier: str, heartbeat_s: float) -> float:
    """The number an objective is held to: its own, its tier's, or a duration at this target's pace (seconds)."""
    if spec.limit == "tier":
        return tiers.indicators[spec.claim].limits[tier]
    return spec.limit.in_s(heartbeat_s) if isinstance(spec.limit, Duration) else float(spec.limit)


def _judged(record: Record, spec: ObjectiveSpec, window: str, limit: float, doubts: list[Doubt]) -> Judgement:
    claim = CLAIMS[spec.claim]
    span = record.windows.get(window)
    samples_min = spec.samples_min
    floor = record.floor(claim.floor, window) if claim.floor else 0.0
    if claim.shape in (Shape.RATIO_MAX, Shape.RATIO_MIN):
        samples_min = max(samples_min, least_samples(claim.shape, limit))
    if span is None:
        evidence = Evidence(0, None, missing=f"the run ended before the window {window}")
    else:
        evidence = claim.measure(record, span, claim)
    mine = [doubt for doubt in doubts if doubt.kind in claim.doubts | ALWAYS and doubt.concerns(claim.name, window)]
    limit += floor
    outcome, reason = weighed(claim, evidence, limit, samples_min, mine)
    if floor:
        reason = "; ".join(
            part for part in (reason, f"{floor:.4g} {claim.unit} of the limit are the path's own") if part
        )
    figure = evidence.figure if evidence.figure is not None and math.isfinite(evidence.figure) else None
    return Judgement(
        spec.claim, window, outcome, figure, limit, claim.unit, evidence.samples, samples_min, spec.why, reason,
        claim.indicator, rows=rows_of(claim, window, span),
        failed=failures(claim, evidence, limit), allowed_share=allowed_share(claim, limit),
    )  # fmt: skip


def rows_of(claim: Claim, window: str, span: Span | None) -> str:
    """Where a figure's rows are: the file of the run's folder, the window, its column, event or clock."""
    if span is None:
        return ""
    file, _, which = claim.rows.partition("#")
    here = f"window={window}" if file.endswith(".csv") else f"ns={span.from_ns}..{span.to_ns}"
    return f"{file}#" + ", ".join(part for part in (here, which) if part)


def write_verdict(folder: Path, verdict: Verdict) -> Path:
    """verdict.json in the run's folder, replaced as a whole."""
    path = folder / "verdict.json"
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(verdict.to_json(), indent=2) + "\n", encoding="utf-8")
    unfinished.rename(path)
    return path

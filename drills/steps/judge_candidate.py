"""judge_candidate: hold what was seen of a candidate against thresholds that were written before the run began.

The thresholds stand in the scenario, and are written into the record with their digest before the stage is raised: an
operator must not be able to choose them afterwards (operations page, Change Management). The rollback is rehearsed in
any case; this is the decision that an operator would take.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drills.faults.base import Arguments
from drills.measures.candidate import Seen, Thresholds, logins_since_ns, past, since_ns, too_few
from drills.steps.base import Announced, StepKind

if TYPE_CHECKING:
    from drills.scene import Scene


class JudgeCandidateArguments(Arguments):
    """What the candidate must keep to, from its upgrade until now."""

    setup_success_ratio_min: Annotated[float, Field(gt=0, lt=1)]
    handshake_failure_ratio_max: Annotated[float, Field(gt=0, lt=1)]
    login_ms_p95_max: Annotated[float, Field(gt=0, le=60000)]

    @property
    def thresholds(self) -> Thresholds:
        """As the measures know them."""
        return Thresholds.of(self.model_dump())


def _announced(arguments: JudgeCandidateArguments) -> Announced:
    limits = arguments.thresholds
    return Announced("thresholds.written", {"digest": limits.digest, **asdict(limits)})


def _perform(scene: Scene, arguments: JudgeCandidateArguments) -> None:
    limits = arguments.thresholds
    if not scene.upgraded:
        scene.journal.write("candidate.judged", digest=limits.digest, accepted=False, figures={},
                            reasons=["nothing was upgraded"])  # fmt: skip
        return
    from_ns, relay_ids = since_ns(scene.upgraded), {one.relay_id for one in scene.upgraded}
    logins_from_ns = logins_since_ns(scene.upgraded)
    visits = [visit for visit in [*scene.follower.visits] if visit.intended_ns >= from_ns]
    handshakes = [one for one in [*scene.follower.handshakes] if one.relay_id in relay_ids]
    seen = Seen(
        len(visits), sum(visit.ok for visit in visits), len(handshakes), sum(not one.ok for one in handshakes),
        tuple(visit.login_ms for visit in visits if visit.login_ms is not None and visit.intended_ns >= logins_from_ns),
    )  # fmt: skip
    reasons = past(seen, limits) or [words for words in [too_few(seen, limits)] if words]
    scene.journal.write(
        "candidate.judged", digest=limits.digest, accepted=not reasons, figures=seen.figures(), setups=seen.setups,
        handshakes=seen.handshakes, logins=len(seen.logins_ms), reasons=reasons,
    )  # fmt: skip


STEP = StepKind(
    "judge_candidate", JudgeCandidateArguments, _perform,
    "hold what was seen of the candidate against thresholds written before the run", announces=_announced,
)  # fmt: skip

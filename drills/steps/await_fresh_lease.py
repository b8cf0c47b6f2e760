"""await_fresh_lease: wait until a lease that is asked for now is given and worth something at the relay it names.

Acknowledged to both ends and forwarding both ways, by a relay that has not been restarted: a master that is back is of
no use while those who were there before refuse its leases. Not having one in time is evidence, not an error.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drills.faults.base import Arguments
from drills.scenario.durations import Duration
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene

PAUSE_S = 0.05


class AwaitFreshLeaseArguments(Arguments):
    """How long to wait at most, and whether a relay that was restarted counts too."""

    within: Duration
    also_restarted: Annotated[bool, Field(description="a relay that was restarted counts too")] = False


def _perform(scene: Scene, arguments: AwaitFreshLeaseArguments) -> None:
    from drills.probes.acceptance import tried
    from drills.probes.leases import given_leases

    began_ns = scene.now_ns()
    deadline_ns = began_ns + int(arguments.within.in_s(scene.heartbeat_s) * 1e9)
    seen = "no lease was given"
    with contextlib.closing(given_leases(scene.stage, scene.journal, "fresh")) as leases:
        while scene.now_ns() < deadline_ns:
            given = next(leases)
            if given:
                trial = tried(scene, given, "fresh")
                if trial.accepted and (arguments.also_restarted or not trial.restarted):
                    scene.journal.write("lease.accepted", relay_id=trial.relay_id, service=trial.service,
                                        began_ns=began_ns, accepted_ns=scene.now_ns())  # fmt: skip
                    return
                seen = f"{trial.service or trial.relay_id}: {trial.outcome}"
                seen += " by a relay that was restarted" if trial.accepted else ""
            scene.pause(PAUSE_S)
    scene.journal.write("step.unmet", step="await_fresh_lease", began_ns=began_ns, reason=seen)


STEP = StepKind(
    "await_fresh_lease", AwaitFreshLeaseArguments, _perform,
    "wait until a fresh lease is accepted, and forwards both ways, at a relay that was not restarted",
)  # fmt: skip

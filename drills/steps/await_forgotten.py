"""await_forgotten: ask for leases, at a bounded rate, until none has named a dead relay for a while.

Each lease is an event; how long the relay went on being named is for the measures to say. Being named until the very
end of the wait is evidence, not an error.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drills.faults.base import Arguments
from drills.scenario.durations import Duration
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene

EVERY_S = 0.05  # twenty leases a second: dense beside a heartbeat of half a second, and no load worth the name
QUIET_BEATS = 1.0  # for so long no lease may have named it, before it counts as forgotten,
QUIET_LEASES = 40  # and not by luck: one relay in five still chosen would be missed so often once in 7000


class AwaitForgottenArguments(Arguments):
    """Which relay, and how long to wait at most."""

    service: str
    within: Duration


def _perform(scene: Scene, arguments: AwaitForgottenArguments) -> None:
    from drills.probes.leases import given_leases

    began_ns = scene.now_ns()
    relay_id = scene.dead.get(arguments.service, "")
    quiet_ns = int(QUIET_BEATS * scene.heartbeat_s * 1e9)
    until_ns = began_ns + int(arguments.within.in_s(scene.heartbeat_s) * 1e9)
    named_ns, others = began_ns, 0
    with contextlib.closing(given_leases(scene.stage, scene.journal, "forgotten")) as leases:
        while scene.now_ns() < until_ns:
            given = next(leases)
            if given and given.host.relay_id == relay_id:
                named_ns, others = scene.now_ns(), 0
            elif given:
                others += 1
            if others >= QUIET_LEASES and scene.now_ns() - named_ns >= quiet_ns:
                return
            scene.pause(EVERY_S)
    scene.journal.write("step.unmet", step="await_forgotten", service=arguments.service, relay_id=relay_id,
                        reason=f"the last {others} leases named another relay")  # fmt: skip


STEP = StepKind(
    "await_forgotten", AwaitForgottenArguments, _perform,
    "ask for leases until none has named the dead relay for a heartbeat", frozenset({"relay"}),
)  # fmt: skip

"""await_reregistration: wait until a relay that lost its master says that it has registered again.

Both ends' own words count: the relay's and the master's log lines are read by the log watcher, which writes
``relay.reregistered``. Not seeing it is evidence, not an error: the story goes on.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drills.faults.base import Arguments
from drills.scenario.durations import Duration
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene

PAUSE_S = 0.05


class AwaitReregistrationArguments(Arguments):
    """Which relay, and how long to wait at most."""

    service: str
    within: Duration


def _perform(scene: Scene, arguments: AwaitReregistrationArguments) -> None:
    from drills.probes.relays import current_relay_id
    from drills.wavry.errors import WireError

    relay_id = ""
    deadline_ns = scene.now_ns() + int(arguments.within.in_s(scene.heartbeat_s) * 1e9)
    while scene.now_ns() < deadline_ns:
        with contextlib.suppress(WireError):
            relay_id = current_relay_id(scene.stage, arguments.service)
        if relay_id and relay_id in scene.reregistered:
            return
        scene.pause(PAUSE_S)
    scene.journal.write("step.unmet", step="await_reregistration", service=arguments.service, relay_id=relay_id)


STEP = StepKind(
    "await_reregistration", AwaitReregistrationArguments, _perform,
    "wait until the relay has registered with the master again", frozenset({"relay"}),
)  # fmt: skip

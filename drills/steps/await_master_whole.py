"""await_master_whole: wait until the master is healthy and lists every relay on stage, each heard from lately.

A relay is known by the id that its process had before; a master that lists somebody else in its place is not whole.
What is seen on the way is written down look by look. Not being whole in time is evidence, not an error.
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
FRESH_BEATS = 3.0  # a relay silent for longer than that may be dead: operations-facts §4.2 allows 15 to 20 s


class AwaitMasterWholeArguments(Arguments):
    """How long to wait at most."""

    within: Duration


def _perform(scene: Scene, arguments: AwaitMasterWholeArguments) -> None:
    from drills.probes.master import MasterLooks

    began_ns = scene.now_ns()
    deadline_ns = began_ns + int(arguments.within.in_s(scene.heartbeat_s) * 1e9)
    missing = "nobody looked"
    with contextlib.closing(MasterLooks(scene.stage, scene.journal)) as looks:
        while scene.now_ns() < deadline_ns:
            missing = _missing(scene, looks.look())
            if not missing:
                scene.journal.write("master.whole", began_ns=began_ns)
                return
            scene.pause(PAUSE_S)
    scene.journal.write("step.unmet", step="await_master_whole", service="master", reason=missing)


def _missing(scene: Scene, ages_ms: dict[str, int] | None) -> str:
    """What keeps the master from being whole, in words; empty where nothing does."""
    from drills.probes.relays import current_relay_id
    from drills.wavry.errors import WireError

    if ages_ms is None:
        return "the master is not healthy"
    absent = []
    for name in scene.stage.relays():
        try:
            age_ms = ages_ms.get(current_relay_id(scene.stage, name))
        except WireError:
            age_ms = None
        if age_ms is None or age_ms > FRESH_BEATS * scene.heartbeat_s * 1000:
            absent.append(name)
    return f"not listed, or silent: {', '.join(absent)}" if absent else ""


STEP = StepKind(
    "await_master_whole", AwaitMasterWholeArguments, _perform,
    "wait until the master is healthy and lists every relay on stage, each heard from lately",
)  # fmt: skip

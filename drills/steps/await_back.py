"""await_back: wait until a restarted relay serves again.

It counts as back only when its new id was ready, was named by a lease, and forwarded both ways; each of the three is an
event of its own. Not coming back in time is evidence, not an error.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drills.faults.base import Arguments
from drills.scenario.durations import Duration
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.probes.leases import GivenPair
    from drills.scene import Scene

PAUSE_S = 0.05


class AwaitBackArguments(Arguments):
    """Which relay, and how long to wait at most."""

    service: str
    within: Duration


def _perform(scene: Scene, arguments: AwaitBackArguments) -> None:
    from drills.probes.acceptance import ACCEPTED, outcome_of

    service = arguments.service
    deadline_ns = scene.now_ns() + int(arguments.within.in_s(scene.heartbeat_s) * 1e9)
    relay_id = _ready(scene, service, deadline_ns)
    named_ns = 0
    while relay_id and (given := _named(scene, relay_id, deadline_ns)):
        named_ns = named_ns or scene.now_ns()
        if outcome_of(scene, given) == ACCEPTED:
            scene.journal.write("relay.back", service=service, relay_id=relay_id, named_ns=named_ns,
                                forwarded_ns=scene.now_ns())  # fmt: skip
            return
        scene.pause(PAUSE_S)
    missing = "ready" if not relay_id else "forwarding both ways" if named_ns else "named by a lease"
    scene.journal.write("step.unmet", step="await_back", service=service, relay_id=relay_id, reason=f"not {missing}")


def _ready(scene: Scene, service: str, deadline_ns: int) -> str:
    from drills.probes.relays import current_relay_id
    from drills.wavry.errors import WireError
    from drills.wavry.relay import RelayHttp

    with RelayHttp(scene.stage.http(service), timeout_s=1.0) as relay:
        while scene.now_ns() < deadline_ns:
            with contextlib.suppress(WireError):
                if relay.ready().ready:
                    relay_id = current_relay_id(scene.stage, service)
                    scene.journal.write("relay.ready", service=service, relay_id=relay_id)
                    return relay_id
            scene.pause(PAUSE_S)
    return ""


def _named(scene: Scene, relay_id: str, deadline_ns: int) -> GivenPair | None:
    from drills.probes.leases import given_leases

    with contextlib.closing(given_leases(scene.stage, scene.journal, "return")) as leases:
        while scene.now_ns() < deadline_ns:
            given = next(leases)
            if given and given.host.relay_id == relay_id:
                return given
            scene.pause(PAUSE_S)
    return None


STEP = StepKind(
    "await_back", AwaitBackArguments, _perform,
    "wait until the restarted relay is ready, named by a lease and forwards both ways", frozenset({"relay"}),
)  # fmt: skip

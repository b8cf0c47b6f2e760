"""await_gateway: ask the gateway for its health until it says 200, every few milliseconds, past the proxies.

The moment of the first good answer is the event; not coming back in time is evidence, not an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.faults.base import Arguments
from drills.scenario.durations import Duration
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene

PAUSE_S = 0.005  # what "back" is measured to
ANSWER_S = 1.0


class AwaitGatewayArguments(Arguments):
    """Which gateway, and how long to wait at most."""

    service: str
    within: Duration


def _perform(scene: Scene, arguments: AwaitGatewayArguments) -> None:
    from drills.wavry.errors import WireError
    from drills.wavry.gateway import GatewayHttp

    service, looks, witness = arguments.service, 0, "never asked"
    deadline_ns = scene.now_ns() + int(arguments.within.in_s(scene.heartbeat_s) * 1e9)
    with GatewayHttp(scene.stage.http(service), timeout_s=ANSWER_S) as gateway:
        while scene.now_ns() < deadline_ns:
            looks += 1
            try:
                gateway.health()
            except WireError as error:
                witness = str(error)
                scene.pause(PAUSE_S)
                continue
            scene.journal.write("gateway.back", service=service, back_ns=scene.now_ns(), looks=looks, before=witness)
            return
    scene.journal.write("step.unmet", step="await_gateway", service=service, reason=f"not healthy; last: {witness}")


STEP = StepKind(
    "await_gateway", AwaitGatewayArguments, _perform, "wait until the gateway's health is good again",
    frozenset({"gateway"}),
)  # fmt: skip

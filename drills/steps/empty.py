"""empty: wait until no session of ours is left on a relay; those that stay too long are told to go.

Sessions end by themselves, as planned. What is left when the maintenance limit comes near is told to take another
lease, and counted apart. If any remain even so, the next steps must not be made: the story stops, and says how many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.faults.base import Arguments
from drills.scenario.durations import Duration
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene

PAUSE_S = 0.05
TOLD_SHARE = 0.6  # of the limit: afterwards there must be time for those who were told to leave


class EmptyArguments(Arguments):
    """Which relay, and the maintenance limit."""

    service: str
    within: Duration


def _perform(scene: Scene, arguments: EmptyArguments) -> None:
    from drills.probes.relays import current_relay_id
    from drills.scene import StoryStopped
    from drills.wavry.errors import WireError

    try:
        relay_id = current_relay_id(scene.stage, arguments.service)
    except WireError as error:
        raise StoryStopped(f"{arguments.service} does not say who it is, nobody knows who is on it: {error}") from error
    limit_s = arguments.within.in_s(scene.heartbeat_s)
    began_ns = scene.now_ns()
    told = False
    while (left := len(scene.sessions_on(relay_id))) and _since_s(scene, began_ns) < limit_s:
        if not told and _since_s(scene, began_ns) > TOLD_SHARE * limit_s:
            told = True
            scene.journal.write("sessions.told", service=arguments.service, relay_id=relay_id, sessions=left)
            scene.load.leave([relay_id])
        scene.pause(PAUSE_S)
    scene.load.leave([])
    scene.journal.write(
        "relay.emptied", service=arguments.service, relay_id=relay_id, left=left, told=told,
        took_s=round(_since_s(scene, began_ns), 3), relay_says=_active_sessions(scene, arguments.service),
    )  # fmt: skip
    if left:
        raise StoryStopped(
            f"{left} sessions were still on {arguments.service} after {limit_s:g} s; it is not restarted"
        )


def _since_s(scene: Scene, ns: int) -> float:
    return (scene.now_ns() - ns) / 1e9


def _active_sessions(scene: Scene, service: str) -> int | None:
    """The relay's own count, for comparison; None where it does not answer."""
    from drills.wavry.errors import WireError
    from drills.wavry.relay import RelayHttp

    with RelayHttp(scene.stage.http(service), timeout_s=2.0) as relay:
        try:
            return relay.health().active_sessions
        except WireError:
            return None


STEP = StepKind("empty", EmptyArguments, _perform, "wait until no session is left on the relay", frozenset({"relay"}))

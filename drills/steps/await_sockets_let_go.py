"""await_sockets_let_go: wait until a service holds no connection any more at whose other end nobody is.

What it still holds when the time is up is counted: it would hold it for ever (D15 of contract-gateway §10), until it
has no descriptor left to take anybody in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.faults.base import Arguments
from drills.scenario.durations import Duration
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene

EVERY_S = 0.25


class AwaitSocketsLetGoArguments(Arguments):
    """Whose sockets, and how long to wait at most."""

    service: str
    within: Duration


def _perform(scene: Scene, arguments: AwaitSocketsLetGoArguments) -> None:
    from drills.probes.sockets import held_by
    from drills.stage.base import HTTP_PORTS

    port = HTTP_PORTS[scene.stage.services[arguments.service].kind]
    began_ns = scene.now_ns()
    deadline_ns = began_ns + int(arguments.within.in_s(scene.heartbeat_s) * 1e9)
    before = held_by(scene.stage, arguments.service, port)
    while True:
        scene.pause(EVERY_S)
        now = held_by(scene.stage, arguments.service, port)
        orphans = before.orphans & now.orphans  # one that is just being closed is none of them
        if not orphans or scene.now_ns() >= deadline_ns:
            break
        before = now
    scene.journal.write(
        "sockets.held", service=arguments.service, held=len(now.connections), orphans=len(orphans),
        waited_s=round((scene.now_ns() - began_ns) / 1e9, 2), first=sorted(other for _, other in orphans)[:3],
    )  # fmt: skip


STEP = StepKind(
    "await_sockets_let_go", AwaitSocketsLetGoArguments, _perform,
    "wait until a service holds no connection whose other end is gone", frozenset({"gateway"}),
)  # fmt: skip

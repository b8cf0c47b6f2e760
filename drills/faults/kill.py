"""kill / start: the service dies by SIGKILL and is started again when mended.

A relay has an id of its own a process (contract-master-relay §3.2): the receipt names the one that died.
This does not exercise a restart policy; a crash that does is another fault, and needs containers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from drills.faults.base import Arguments, Fault, Receipt
from drills.faults.processes import taken_down

if TYPE_CHECKING:
    from drills.scene import Scene


@contextmanager
def _injected(scene: Scene, service: str, arguments: Arguments) -> Iterator[Receipt]:
    receipt = Receipt("kill", service, f"{service} killed by SIGKILL", detail=_identity(scene, service))
    with taken_down(scene, service, receipt, scene.stage.kill):
        yield receipt


def _identity(scene: Scene, service: str) -> dict[str, Any]:
    """The id of the relay that is about to die, where it is one; the steps that look for it find it in the scene."""
    from drills.errors import CannotRun
    from drills.probes.relays import current_relay_id
    from drills.wavry.errors import WireError

    if scene.stage.services[service].kind != "relay":
        return {}
    try:
        scene.dead[service] = current_relay_id(scene.stage, service)
    except WireError as error:
        raise CannotRun(f"{service} does not tell its id before it is killed: {error}") from error
    return {"relay_id": scene.dead[service]}


FAULT = Fault(
    "kill", "service", frozenset({"gateway", "master", "relay"}), Arguments, _injected, True,
    "the service dies by SIGKILL and is started again at the end",
)  # fmt: skip

"""volume_lost: the service is restarted and its database is not there; mended by putting it back.

What a mistyped mount does: behind an entry script that touches a missing file the service comes up on an empty one
(contract-gateway D33). Proven by the login of an account that was there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Fault, Receipt
from drills.faults.processes import start_noted
from drills.faults.volumes import login, proven_by, witnesses_of

if TYPE_CHECKING:
    from drills.scene import Scene


@contextmanager
def _injected(scene: Scene, service: str, arguments: Arguments) -> Iterator[Receipt]:
    witnesses_of(scene)
    stage, volume = scene.stage, scene.stage.volume(service)

    def restarted(act: str) -> None:
        stage.kill(service)
        volume.act(act, volume.database)
        start_noted(scene, service)

    with proven_by(
        scene, Receipt("volume_lost", service, f"{service} restarted without its database"), login,
        inject=lambda: restarted("set_aside"), heal=lambda: restarted("put_back"),
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault(
    "volume_lost", "service", frozenset({"gateway"}), Arguments, _injected, True,
    "restarted and its database is not there; put back at the end",
)  # fmt: skip

"""volume_destroyed / restore: the service is killed and its database deleted; it comes up on an empty volume.

There is one way back, the restore from a backup: a step of the story does it, and where none has by then the mending
does. Proven by the login of an account that was there.
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
    from drills.scene import StoryStopped
    from drills.steps.restore import restored

    witnesses_of(scene)
    if service not in scene.backups:
        raise StoryStopped(f"there is no backup of {service}, and without one its volume is not destroyed")
    stage, volume = scene.stage, scene.stage.volume(service)

    def inject() -> None:
        scene.restored.discard(service)
        stage.kill(service)
        volume.act("remove", volume.database)
        start_noted(scene, service)

    def heal() -> None:
        if service not in scene.restored:
            restored(scene, service)

    with proven_by(
        scene, Receipt("volume_destroyed", service, f"{service} killed, its database deleted, started again"), login,
        inject=inject, heal=heal,
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault(
    "volume_destroyed", "service", frozenset({"gateway"}), Arguments, _injected, True,
    "killed, its database deleted, started on an empty volume; mended by a restore from the backup",
)  # fmt: skip

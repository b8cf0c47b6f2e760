"""volume_read_only: nothing can be written to a service's volume any more; its database can still be read.

By the modes of the folder and the files in it, which refuse a service what they say as long as it has no special
rights: no capabilities in containers, none on the process stage either (drills/stage/volume.py). Where modes would
refuse nothing the stage does not offer this fault. Proven by a registration.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Fault, Receipt
from drills.faults.volumes import proven_by, witnesses_of, write

if TYPE_CHECKING:
    from drills.scene import Scene


@contextmanager
def _injected(scene: Scene, service: str, arguments: Arguments) -> Iterator[Receipt]:
    witnesses_of(scene)
    volume = scene.stage.volume(service)

    def act(name: str) -> None:
        volume.act(name, volume.database)

    with proven_by(
        scene, Receipt("volume_read_only", service, f"{service}'s volume cannot be written"), write,
        inject=lambda: act("seal"), heal=lambda: act("unseal"),
    ) as receipt:  # fmt: skip
        yield receipt


def _unable(stage: str) -> str:
    from drills.stage.volume import modes_ignored

    return modes_ignored() if stage == "processes" else ""


FAULT = Fault(
    "volume_read_only", "service", frozenset({"gateway"}), Arguments, _injected, True,
    "nothing can be written to its volume", unable=_unable,
)  # fmt: skip

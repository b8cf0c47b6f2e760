"""kill / start: the service dies by SIGKILL and is started again when mended.

This does not exercise a restart policy; a crash that does is another fault, and needs containers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Fault, Receipt
from drills.faults.processes import taken_down

if TYPE_CHECKING:
    from drills.scene import Scene


@contextmanager
def _injected(scene: Scene, service: str, arguments: Arguments) -> Iterator[Receipt]:
    receipt = Receipt("kill", service, f"{service} killed by SIGKILL")
    with taken_down(scene, service, receipt, scene.stage.kill):
        yield receipt


FAULT = Fault(
    "kill", "service", frozenset({"gateway", "master", "relay"}), Arguments, _injected, True,
    "the service dies by SIGKILL and is started again at the end",
)  # fmt: skip

"""stop / start: the service is asked to go (SIGTERM, ten seconds, SIGKILL) and started again when mended."""

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
    receipt = Receipt("stop", service, f"{service} stopped by SIGTERM")
    with taken_down(scene, service, receipt, scene.stage.stop):
        yield receipt


FAULT = Fault(
    "stop", "service", frozenset({"gateway", "master", "relay"}), Arguments, _injected, True,
    "the service is stopped politely and started again at the end",
)  # fmt: skip

"""restart: the service is stopped and started at once; over when the new process runs.

Whether and when it is *back* is not this fault's to say: a step of the drill watches for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Fault, Proof, Receipt, carried_out, eventually
from drills.faults.processes import gone, start_noted

if TYPE_CHECKING:
    from drills.scene import Scene


@contextmanager
def _injected(scene: Scene, service: str, arguments: Arguments) -> Iterator[Receipt]:
    from drills.stage.children import process_state

    before = scene.stage.services[service].child
    receipt = Receipt("restart", service, f"{service} restarted", detail={"pid_before": before.pid if before else None})

    def running() -> Proof:
        child = scene.stage.services[service].child
        alive = child is not None and child is not before and process_state(child.pid) not in ("", "Z")
        return Proof(alive, f"pid {child.pid if child else '?'} runs in place of {receipt.detail['pid_before']}")

    with carried_out(
        scene, receipt,
        inject=lambda: receipt.detail.update(exit_code=scene.stage.stop(service)),
        heal=lambda: start_noted(scene, service),
        proven_on=lambda: gone(scene, service),
        proven_off=lambda: eventually(scene, 2.0, running),
    ):  # fmt: skip
        yield receipt


FAULT = Fault(
    "restart", "service", frozenset({"gateway", "master", "relay"}), Arguments, _injected, False,
    "the service is stopped and started again at once",
)  # fmt: skip

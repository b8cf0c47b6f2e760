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
    before = scene.stage.services[service].running
    receipt = Receipt("restart", service, f"{service} restarted", detail={"pid_before": before.pid if before else None})

    def running() -> Proof:
        now = scene.stage.services[service].running
        alive = now is not None and now is not before and now.exit_code() is None
        return Proof(alive, f"{now} runs in place of {before}")

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

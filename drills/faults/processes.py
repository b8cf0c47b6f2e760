"""What the faults on processes share: proofs (gone, stopped, ready again), and taking a service down for a while."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from drills.errors import CannotRun
from drills.faults.base import Proof, Receipt, carried_out

if TYPE_CHECKING:
    from drills.scene import Scene


def gone(scene: Scene, service: str) -> Proof:
    """Whether the service's process has ended, with its exit code."""
    running = scene.stage.services[service].running
    code = running.exit_code() if running else None
    return Proof(code is not None, f"{running} " + (f"ended with {code}" if code is not None else "is alive"))


def running_again(scene: Scene, service: str, receipt: Receipt) -> Proof:
    """Wait until the service is ready; the process id and how long it took are the proof."""
    began = scene.now_ns()
    try:
        scene.stage.await_ready(service)
    except CannotRun as error:
        return Proof(False, str(error))
    running = scene.stage.services[service].running
    receipt.detail["ready_s"] = round((scene.now_ns() - began) / 1e9, 3)
    return Proof(True, f"{running} ready after {receipt.detail['ready_s']} s")


def state_is(scene: Scene, service: str, stopped: bool) -> Proof:
    """Whether the service stands still, or lives and does not."""
    running = scene.stage.services[service].running
    if running is None or running.exit_code() is not None:
        return Proof(False, f"{running} is gone")
    still, witness = running.standing_still()
    return Proof(still == stopped, witness)


def start_noted(scene: Scene, service: str) -> None:
    """Start the service and write down when."""
    scene.stage.start(service)
    note_started(scene, service)


def note_started(scene: Scene, service: str) -> None:
    """Write down that the service has a new process."""
    running = scene.stage.services[service].running
    scene.journal.write("service.started", service=service, pid=running.pid if running else None)


def taken_down(
    scene: Scene, service: str, receipt: Receipt, end: Callable[[str], int]
) -> AbstractContextManager[Receipt]:
    """The service ended by ``end`` (which returns its exit code), and started again when mended."""
    return carried_out(
        scene, receipt,
        inject=lambda: receipt.detail.update(exit_code=end(service)),
        heal=lambda: start_noted(scene, service),
        proven_on=lambda: gone(scene, service),
        proven_off=lambda: running_again(scene, service, receipt),
    )  # fmt: skip

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
    child = scene.stage.services[service].child
    code = child.process.poll() if child else None
    return Proof(code is not None, f"pid {child.pid if child else '?'} " + (f"ended with {code}" if code is not None
                                                                           else "is alive"))  # fmt: skip


def running_again(scene: Scene, service: str, receipt: Receipt) -> Proof:
    """Wait until the service is ready; the process id and how long it took are the proof."""
    began = scene.now_ns()
    try:
        scene.stage.await_ready(service)
    except CannotRun as error:
        return Proof(False, str(error))
    child = scene.stage.services[service].child
    receipt.detail["ready_s"] = round((scene.now_ns() - began) / 1e9, 3)
    return Proof(True, f"pid {child.pid if child else '?'} ready after {receipt.detail['ready_s']} s")


def state_is(scene: Scene, service: str, stopped: bool) -> Proof:
    """Whether the kernel says that the process is stopped (T) or not."""
    from drills.stage.children import process_state

    child = scene.stage.services[service].child
    state = process_state(child.pid) if child else ""
    return Proof((state == "T") == stopped and state not in ("", "Z"), f"process state {state or 'gone'}")


def start_noted(scene: Scene, service: str) -> None:
    """Start the service and write down when."""
    scene.stage.start(service)
    child = scene.stage.services[service].child
    scene.journal.write("service.started", service=service, pid=child.pid if child else None)


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

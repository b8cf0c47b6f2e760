"""crash: the service's own process dies by SIGKILL and its restart policy starts it again.

Another fault than ``kill``: an engine that is asked to kill a container keeps its restart policy from acting. Needs
containers. Mending is the policy's; where it has not acted in time we start the service, and the receipt says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Fault, Proof, Receipt, carried_out, eventually
from drills.faults.processes import note_started, start_noted

if TYPE_CHECKING:
    from drills.scene import Scene

POLICY_S = 10.0  # an engine waits 0.1 s before the first restart and doubles that for each further one


@contextmanager
def _injected(scene: Scene, service: str, arguments: Arguments) -> Iterator[Receipt]:
    stage, before = scene.stage, scene.stage.services[service].running
    receipt = Receipt("crash", service, f"{service}'s process killed, its restart policy acts",
                      detail={"pid_before": before.pid if before else None})  # fmt: skip

    def gone() -> Proof:
        code = before.exit_code() if before else None
        return Proof(code is not None, f"{before} {'is alive' if code is None else 'is gone'}")

    def taken_over() -> Proof:
        return Proof(stage.adopt(service), f"the policy has started {stage.services[service].running}")

    def heal() -> None:
        began = scene.now_ns()
        if not eventually(scene, POLICY_S, taken_over).seen:
            start_noted(scene, service)
            receipt.detail["policy"] = f"did not act within {POLICY_S:g} s"
            return
        receipt.detail["policy"] = f"acted, seen after {(scene.now_ns() - began) / 1e9:.2f} s"
        note_started(scene, service)

    def running() -> Proof:
        now = stage.services[service].running
        alive = now is not None and now is not before and now.exit_code() is None
        policy = receipt.detail.get("policy", "is unknown")
        times = getattr(now, "restarts", 1) - getattr(before, "restarts", 0)
        if times != 1:  # the new process did not survive its own start
            return Proof(False, f"{now} in place of {before}; the restart policy had to act {times} times")
        return Proof(alive and policy.startswith("acted"), f"{now} in place of {before}; the restart policy {policy}")

    with carried_out(
        scene, receipt, inject=lambda: stage.crash(service), heal=heal,
        proven_on=lambda: eventually(scene, 1.0, gone), proven_off=running,
    ):  # fmt: skip
        yield receipt


FAULT = Fault(
    "crash", "service", frozenset({"gateway", "master", "relay"}), Arguments, _injected, False,
    "the service's process is killed and its restart policy starts it again", frozenset({"containers"}),
)  # fmt: skip

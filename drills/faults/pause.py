"""pause / resume: the service stands still (SIGSTOP, or a container's freezer); the kernel still accepts for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Fault, Receipt, carried_out, eventually
from drills.faults.processes import state_is

if TYPE_CHECKING:
    from drills.scene import Scene


@contextmanager
def _injected(scene: Scene, service: str, arguments: Arguments) -> Iterator[Receipt]:
    running = scene.stage.services[service].running
    with carried_out(
        scene, Receipt("pause", service, f"{service} paused", detail={"pid": running.pid if running else None}),
        inject=lambda: scene.stage.pause(service),
        heal=lambda: scene.stage.resume(service),
        proven_on=lambda: eventually(scene, 1.0, lambda: state_is(scene, service, stopped=True)),
        proven_off=lambda: eventually(scene, 1.0, lambda: state_is(scene, service, stopped=False)),
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault(
    "pause", "service", frozenset({"gateway", "master", "relay"}), Arguments, _injected, True,
    "the service's process stands still, its sockets open",
)  # fmt: skip

"""pause / resume: the service's process is stopped by SIGSTOP; its kernel still accepts what is sent to it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Fault, Receipt, carried_out, eventually
from drills.faults.processes import state_is

if TYPE_CHECKING:
    from drills.scene import Scene


@contextmanager
def _injected(scene: Scene, service: str, arguments: Arguments) -> Iterator[Receipt]:
    child = scene.stage.services[service].child
    assert child is not None  # every service of a raised stage has a process
    with carried_out(
        scene, Receipt("pause", service, f"{service} paused by SIGSTOP", detail={"pid": child.pid}),
        inject=lambda: child.signal(signal.SIGSTOP),
        heal=lambda: child.signal(signal.SIGCONT),
        proven_on=lambda: eventually(scene, 1.0, lambda: state_is(scene, service, stopped=True)),
        proven_off=lambda: eventually(scene, 1.0, lambda: state_is(scene, service, stopped=False)),
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault(
    "pause", "service", frozenset({"gateway", "master", "relay"}), Arguments, _injected, True,
    "the service's process stands still, its sockets open",
)  # fmt: skip

"""down: a TCP path is cut; connections end and new ones are refused (Toxiproxy's disabled proxy)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Fault, Proof, Receipt, carried_out, eventually
from drills.faults.canary import through
from drills.faults.toxic import DUE_S

if TYPE_CHECKING:
    from drills.scene import Scene


@contextmanager
def _injected(scene: Scene, proxy: str, arguments: Arguments) -> Iterator[Receipt]:
    toxiproxy = scene.stage.toxiproxy

    def look(wanted: str) -> Proof:
        canary = through(scene.stage, proxy)
        return Proof(canary.outcome == wanted, f"canary: {canary}")

    with carried_out(
        scene, Receipt("down", proxy, f"{proxy} down", due_s=DUE_S),
        inject=lambda: toxiproxy.set_enabled(proxy, False),
        heal=lambda: toxiproxy.set_enabled(proxy, True),
        proven_on=lambda: eventually(scene, 1.0, lambda: look("refused")),
        proven_off=lambda: eventually(scene, 2.0, lambda: look("ok")),
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault("down", "proxy", frozenset(), Arguments, _injected, True, "the path refuses every connection")

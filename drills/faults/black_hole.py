"""black_hole: a TCP path swallows what goes one way, or all of it; connections open and stay (Toxiproxy's `timeout` 0).

One way is the partition that misleads: with ``downstream`` the server hears everything and its answers go nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drills.faults.base import Fault, Proof, Receipt, eventually
from drills.faults.canary import through
from drills.faults.toxic import Directed, on_path

if TYPE_CHECKING:
    from drills.scene import Scene


@contextmanager
def _injected(scene: Scene, proxy: str, arguments: Directed) -> Iterator[Receipt]:
    def look(wanted: str, patience_s: float) -> Proof:
        canary = through(scene.stage, proxy, patience_s)
        return Proof(canary.outcome == wanted, f"canary: {canary}")

    what = "everything" if arguments.direction == "both" else f"what goes {arguments.direction}"
    with on_path(  # timeout 0: the data is stopped and the connection never closed
        scene, Receipt("black_hole", proxy, f"{proxy} swallows {what}"), "timeout", {"timeout": 0}, arguments.streams,
        proven_on=lambda: eventually(scene, 1.0, lambda: look("silence", 0.3)),
        proven_off=lambda: eventually(scene, 3.0, lambda: look("ok", 1.0)),
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault(
    "black_hole", "proxy", frozenset(), Directed, _injected, True,
    "the path accepts and swallows everything, or one direction of it",
)  # fmt: skip

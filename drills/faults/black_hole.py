"""black_hole: a TCP path swallows everything; connections open and nothing comes through (Toxiproxy's `timeout`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Fault, Proof, Receipt, carried_out, each, eventually
from drills.faults.canary import through

if TYPE_CHECKING:
    from drills.scene import Scene

STREAMS = ("upstream", "downstream")


@contextmanager
def _injected(scene: Scene, proxy: str, arguments: Arguments) -> Iterator[Receipt]:
    toxiproxy = scene.stage.toxiproxy

    def inject() -> None:
        for stream in STREAMS:  # timeout 0: the data is stopped and the connection never closed
            toxiproxy.add_toxic(proxy, f"black_hole_{stream}", "timeout", stream, {"timeout": 0})

    def heal() -> None:
        each(*(partial(toxiproxy.remove_toxic, proxy, f"black_hole_{stream}") for stream in STREAMS))

    def look(wanted: str, patience_s: float) -> Proof:
        canary = through(scene.stage, proxy, patience_s)
        return Proof(canary.outcome == wanted, f"canary: {canary}")

    with carried_out(
        scene, Receipt("black_hole", proxy, f"{proxy} swallows everything"), inject=inject, heal=heal,
        proven_on=lambda: eventually(scene, 1.0, lambda: look("silence", 0.3)),
        proven_off=lambda: eventually(scene, 3.0, lambda: look("ok", 1.0)),
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault(
    "black_hole", "proxy", frozenset(), Arguments, _injected, True, "the path accepts and swallows everything"
)

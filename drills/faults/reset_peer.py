"""reset_peer: connections of a TCP path are reset once something goes over them (Toxiproxy's `reset_peer`).

A connection that was there before gets a FIN instead of a RST: Toxiproxy decides that when a connection begins. Both
end it, and one that nothing goes over stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drills.faults.base import Fault, Proof, Receipt, eventually
from drills.faults.canary import through
from drills.faults.toxic import Directed, on_path

if TYPE_CHECKING:
    from drills.scene import Scene


class ResetPeerArguments(Directed):
    """How long after its first bytes a connection is reset."""

    timeout_ms: Annotated[int, Field(ge=0, le=60000)] = 0


@contextmanager
def _injected(scene: Scene, proxy: str, arguments: ResetPeerArguments) -> Iterator[Receipt]:
    patience_s = 1.0 + arguments.timeout_ms / 1000.0

    def look(wanted: tuple[str, ...]) -> Proof:
        canary = through(scene.stage, proxy, patience_s)
        late_enough = canary.outcome == "ok" or canary.ms >= arguments.timeout_ms
        return Proof(canary.outcome in wanted and late_enough, f"canary: {canary}")

    asked = f"{proxy} resets connections {arguments.timeout_ms} ms after their first bytes {arguments.direction}"
    with on_path(
        scene, Receipt("reset_peer", proxy, asked), "reset_peer", {"timeout": arguments.timeout_ms}, arguments.streams,
        proven_on=lambda: eventually(scene, 1.0, lambda: look(("reset",))),
        proven_off=lambda: eventually(scene, 2.0, lambda: look(("ok",))),
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault(
    "reset_peer", "proxy", frozenset(), ResetPeerArguments, _injected, True,
    "the path resets every connection that something goes over",
)  # fmt: skip

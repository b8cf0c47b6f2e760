"""timeout: a TCP path swallows everything and ends each connection after a while (Toxiproxy's `timeout`)."""

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


class TimeoutArguments(Directed):
    """After how long without a byte getting through a connection is ended."""

    timeout_ms: Annotated[int, Field(ge=50, le=60000)]


@contextmanager
def _injected(scene: Scene, proxy: str, arguments: TimeoutArguments) -> Iterator[Receipt]:
    timeout_ms = arguments.timeout_ms

    def cut_in_time() -> Proof:
        canary = through(scene.stage, proxy, 1.0 + 2 * timeout_ms / 1000.0)
        seen = canary.outcome == "cut" and canary.ms >= timeout_ms / 2  # every byte of ours begins it anew
        return Proof(seen, f"asked {timeout_ms} ms, canary: {canary}")

    def answered() -> Proof:
        canary = through(scene.stage, proxy)
        return Proof(canary.outcome == "ok", f"canary: {canary}")

    with on_path(
        scene, Receipt("timeout", proxy, f"{proxy} swallows and cuts after {timeout_ms} ms {arguments.direction}"),
        "timeout", {"timeout": timeout_ms}, arguments.streams,
        proven_on=lambda: eventually(scene, 1.0, cut_in_time), proven_off=lambda: eventually(scene, 2.0, answered),
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault(
    "timeout", "proxy", frozenset(), TimeoutArguments, _injected, True,
    "the path swallows everything and ends each connection after a while",
)  # fmt: skip

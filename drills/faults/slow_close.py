"""slow_close: the end of a connection is heard late on a TCP path (Toxiproxy's `slow_close`).

Upstream it is the server that goes on holding the sockets of clients that are long gone: half-open, to whoever asks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drills.faults.base import Fault, Proof, Receipt, eventually
from drills.faults.canary import closed_after_ms
from drills.faults.toxic import Directed, on_path

if TYPE_CHECKING:
    from drills.scene import Scene

OFF_SHARE = 0.5  # off again: less than half of the delay that was asked for


class SlowCloseArguments(Directed):
    """How much later than it happened the end of a connection is heard."""

    delay_ms: Annotated[int, Field(ge=100, le=60000)]


@contextmanager
def _injected(scene: Scene, proxy: str, arguments: SlowCloseArguments) -> Iterator[Receipt]:
    delay_ms = arguments.delay_ms

    def measure(on: bool) -> Proof:
        patience_s = 1.0 + (2.0 * delay_ms if on else OFF_SHARE * delay_ms) / 1000.0
        measured = [closed_after_ms(scene.stage, proxy, stream, patience_s) for stream in arguments.streams]
        words = ", ".join(
            f"{stream} closed after {ms:.1f} ms" if ms is not None else f"{stream} not closed within {patience_s:.1f} s"
            for stream, ms in zip(arguments.streams, measured, strict=True)
        )
        seen = all(ms is not None and (ms >= delay_ms - 1.0 if on else ms < OFF_SHARE * delay_ms) for ms in measured)
        return Proof(seen, f"asked {delay_ms if on else 0} ms, canary: {words}")

    with on_path(
        scene, Receipt("slow_close", proxy, f"{proxy} closes {delay_ms} ms late {arguments.direction}"), "slow_close",
        {"delay": delay_ms}, arguments.streams,
        proven_on=lambda: measure(on=True), proven_off=lambda: eventually(scene, 1.0, lambda: measure(on=False)),
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault(
    "slow_close", "proxy", frozenset(), SlowCloseArguments, _injected, True,
    "what one end of a connection closes stays open for the other a while",
)  # fmt: skip

"""latency: everything on a TCP path arrives later, in one direction or both (Toxiproxy's `latency`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from drills.faults.base import Arguments, Fault, Proof, Receipt, carried_out, each
from drills.faults.canary import round_trip_ms

if TYPE_CHECKING:
    from drills.scene import Scene

TRIES = 5
OFF_SHARE = 0.5  # off again: the extra delay is below half of what was asked


class LatencyArguments(Arguments):
    """Delays in ms; Toxiproxy applies a latency to one direction."""

    latency_ms: Annotated[int, Field(ge=1, le=60000)]
    jitter_ms: Annotated[int, Field(ge=0, le=60000)] = 0
    direction: Literal["upstream", "downstream", "both"] = "both"


@contextmanager
def _injected(scene: Scene, proxy: str, arguments: LatencyArguments) -> Iterator[Receipt]:
    streams = ("upstream", "downstream") if arguments.direction == "both" else (arguments.direction,)
    added_ms = arguments.latency_ms * len(streams)
    slack_ms = arguments.jitter_ms * len(streams)
    patience_s = 2.0 + 2 * (added_ms + slack_ms) / 1000.0
    patience_off_s = 2.0 + OFF_SHARE * added_ms / 1000.0  # slower than that is not off, and mending must end
    toxiproxy = scene.stage.toxiproxy
    before = round_trip_ms(scene.stage, proxy, TRIES, patience_s)

    def inject() -> None:
        for stream in streams:
            attributes = {"latency": arguments.latency_ms, "jitter": arguments.jitter_ms}
            toxiproxy.add_toxic(proxy, f"latency_{stream}", "latency", stream, attributes)

    def heal() -> None:
        each(*(partial(toxiproxy.remove_toxic, proxy, f"latency_{stream}") for stream in streams))

    def measure(on: bool) -> Proof:
        now = round_trip_ms(scene.stage, proxy, TRIES, patience_s if on else patience_off_s)
        if now is None or before is None:
            return Proof(False, "canary: no answer")
        extra = now - before
        # a request crosses each direction at least once; a little more where the answer comes in pieces
        seen = extra >= added_ms - slack_ms - 1.0 if on else extra < max(OFF_SHARE * added_ms, 5.0)
        return Proof(seen, f"canary: {now:.1f} ms against {before:.1f} ms before, {extra:+.1f} ms")

    asked = f"{proxy} {arguments.latency_ms} ± {arguments.jitter_ms} ms {arguments.direction}"
    with carried_out(
        scene, Receipt("latency", proxy, asked), inject=inject, heal=heal,
        proven_on=lambda: measure(True), proven_off=lambda: measure(False),
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault("latency", "proxy", frozenset(), LatencyArguments, _injected, True, "the path delays everything")

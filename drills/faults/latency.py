"""latency: everything on a TCP path arrives later, in one direction or both (Toxiproxy's `latency`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drills.faults.base import Fault, Proof, Receipt
from drills.faults.canary import round_trips
from drills.faults.toxic import Directed, on_path

if TYPE_CHECKING:
    from drills.scene import Scene

TRIES = 5
OFF_SHARE = 0.5  # off again: the extra delay is below half of what was asked


class LatencyArguments(Directed):
    """Delays in ms; Toxiproxy applies a latency to one direction."""

    latency_ms: Annotated[int, Field(ge=1, le=60000)]
    jitter_ms: Annotated[int, Field(ge=0, le=60000)] = 0


@contextmanager
def _injected(scene: Scene, proxy: str, arguments: LatencyArguments) -> Iterator[Receipt]:
    added_ms = arguments.latency_ms * len(arguments.streams)
    slack_ms = arguments.jitter_ms * len(arguments.streams)
    patience_s = 2.0 + 2 * (added_ms + slack_ms) / 1000.0
    patience_off_s = 2.0 + OFF_SHARE * added_ms / 1000.0  # slower than that is not off, and mending must end
    before = round_trips(scene.stage, proxy, TRIES, patience_s)

    def measure(on: bool) -> Proof:
        now = round_trips(scene.stage, proxy, TRIES, patience_s if on else patience_off_s)
        if now is None or before is None:
            return Proof(False, "canary: no answer")
        extra, spread_ms = now.ms - before.ms, now.spread_ms + before.spread_ms
        # a request crosses each direction at least once; a little more where the answer comes in pieces, and a little
        # less where the requests before were held up by the machine: no less than they were apart, and never by half
        least = max(OFF_SHARE * added_ms, added_ms - slack_ms - 1.0 - spread_ms)
        seen = extra >= least if on else extra < max(OFF_SHARE * added_ms, 5.0)
        words = f"asked {added_ms if on else 0} ms, measured {extra:.1f} ± {spread_ms:.1f} ms"
        return Proof(seen, f"{words} (canary: {now.ms:.1f} ms against {before.ms:.1f} ms before)")

    asked = f"{proxy} {arguments.latency_ms} ± {arguments.jitter_ms} ms {arguments.direction}"
    attributes = {"latency": arguments.latency_ms, "jitter": arguments.jitter_ms}
    with on_path(
        scene, Receipt("latency", proxy, asked), "latency", attributes, arguments.streams,
        proven_on=lambda: measure(True), proven_off=lambda: measure(False),
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault("latency", "proxy", frozenset(), LatencyArguments, _injected, True, "the path delays everything")

"""bandwidth: a TCP path carries so many KB (1000 bytes) a second in each direction (Toxiproxy's `bandwidth`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drills.faults.base import Fault, Receipt
from drills.faults.bulk_proof import slowed
from drills.faults.canary import Bulk
from drills.faults.toxic import Directed, on_path

if TYPE_CHECKING:
    from drills.scene import Scene


class BandwidthArguments(Directed):
    """KB/s; above 64 a canary of a few KB does not feel it."""

    rate_kb_per_s: Annotated[int, Field(ge=1, le=64)]


@contextmanager
def _injected(scene: Scene, proxy: str, arguments: BandwidthArguments) -> Iterator[Receipt]:
    def expected_ms(flown: Bulk) -> float:
        bytes_ = {"upstream": flown.sent, "downstream": flown.received}
        return sum(bytes_[stream] / arguments.rate_kb_per_s for stream in arguments.streams)  # KB/s are bytes/ms

    proven_on, proven_off = slowed(scene, proxy, expected_ms)
    asked = f"{proxy} carries {arguments.rate_kb_per_s} KB/s {arguments.direction}"
    with on_path(
        scene, Receipt("bandwidth", proxy, asked), "bandwidth", {"rate": arguments.rate_kb_per_s}, arguments.streams,
        proven_on=proven_on, proven_off=proven_off,
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault(
    "bandwidth", "proxy", frozenset(), BandwidthArguments, _injected, True, "the path carries so much a second"
)

"""slicer: a TCP path hands everything on in small pieces, with a rest after each (Toxiproxy's `slicer`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from drills.faults.base import Fault, Receipt
from drills.faults.bulk_proof import TELLING_MS, slowed
from drills.faults.canary import Bulk
from drills.faults.toxic import Directed, on_path

if TYPE_CHECKING:
    from drills.scene import Scene

LEAST_BYTES = 2000  # what the canary gets back at the very least


class SlicerArguments(Directed):
    """The size of pieces in bytes, and how long each is rested after, in µs."""

    average_size: Annotated[int, Field(ge=1, le=10000)]
    size_variation: Annotated[int, Field(ge=0, le=9999)] = 0
    delay_us: Annotated[int, Field(ge=1, le=1_000_000)]

    @model_validator(mode="after")
    def _can_be_told(self) -> Self:
        if self.size_variation >= self.average_size:
            raise ValueError("a size_variation below average_size, or Toxiproxy never stops slicing")
        if LEAST_BYTES / self.average_size * self.delay_us / 1000 < TELLING_MS:
            raise ValueError(f"a delay_us of {TELLING_MS * self.average_size / LEAST_BYTES * 1000:.0f} or more, "
                             "or nobody can tell it from a quiet path")  # fmt: skip
        return self


@contextmanager
def _injected(scene: Scene, proxy: str, arguments: SlicerArguments) -> Iterator[Receipt]:
    def expected_ms(flown: Bulk) -> float:
        # pieces are halved until they are small enough: on average between half of the size and all of it
        bytes_ = {"upstream": flown.sent, "downstream": flown.received}
        pieces = sum(bytes_[stream] / arguments.average_size for stream in arguments.streams)
        return pieces * arguments.delay_us / 1000.0

    proven_on, proven_off = slowed(scene, proxy, expected_ms)
    asked = f"{proxy} in pieces of {arguments.average_size} bytes, {arguments.delay_us} µs apart {arguments.direction}"
    attributes = {"average_size": arguments.average_size, "size_variation": arguments.size_variation,
                  "delay": arguments.delay_us}  # fmt: skip
    with on_path(
        scene, Receipt("slicer", proxy, asked), "slicer", attributes, arguments.streams,
        proven_on=proven_on, proven_off=proven_off,
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault(
    "slicer", "proxy", frozenset(), SlicerArguments, _injected, True, "the path hands everything on in small pieces"
)

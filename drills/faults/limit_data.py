"""limit_data: each connection of a TCP path is cut after so many bytes (Toxiproxy's `limit_data`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drills.faults.base import Fault, Proof, Receipt, eventually
from drills.faults.canary import bulk
from drills.faults.toxic import Directed, on_path

if TYPE_CHECKING:
    from drills.scene import Scene

ANSWER_BYTES = 150  # of each answer the canary gets, at the very least
PATIENCE_S = 2.0


class LimitDataArguments(Directed):
    """After how many bytes a connection is cut, in the direction that they go."""

    bytes: Annotated[int, Field(ge=1, le=10000)]


@contextmanager
def _injected(scene: Scene, proxy: str, arguments: LimitDataArguments) -> Iterator[Receipt]:
    requests = 2 + arguments.bytes // ANSWER_BYTES  # enough to go beyond the limit either way

    def cut() -> Proof:
        flown = bulk(scene.stage, proxy, requests, PATIENCE_S)
        exact = "downstream" not in arguments.streams or flown.received <= arguments.bytes
        seen = flown.outcome in ("cut", "reset") and flown.answers < requests and exact
        return Proof(seen, f"asked {arguments.bytes} bytes, canary: {flown}")

    def whole() -> Proof:
        flown = bulk(scene.stage, proxy, requests, PATIENCE_S)
        return Proof(flown.outcome == "ok", f"canary: {flown}")

    asked = f"{proxy} cuts connections after {arguments.bytes} bytes {arguments.direction}"
    with on_path(
        scene, Receipt("limit_data", proxy, asked), "limit_data", {"bytes": arguments.bytes}, arguments.streams,
        proven_on=lambda: eventually(scene, 1.0, cut), proven_off=lambda: eventually(scene, 2.0, whole),
    ) as receipt:  # fmt: skip
        yield receipt


FAULT = Fault(
    "limit_data", "proxy", frozenset(), LimitDataArguments, _injected, True,
    "the path cuts each connection after so many bytes",
)  # fmt: skip

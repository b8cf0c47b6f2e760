"""udp_latency: what ends and relays say to each other comes late, unevenly, and out of order where asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from drills.faults.base import Arguments
from drills.faults.impaired import Direction, lasting


class LatencyArguments(Arguments):
    """How late packets are, one way."""

    latency_ms: Annotated[float, Field(ge=5, le=5000)]
    jitter_ms: Annotated[float, Field(ge=0, le=5000)] = 0.0
    distribution: Literal["uniform", "normal", "pareto"] = "uniform"
    order: Literal["kept", "free"] = "kept"
    direction: Direction = "both"

    def toxic(self) -> tuple[str, Mapping[str, Any]]:
        """The toxic of that name."""
        return "latency", {"latency": self.latency_ms, "jitter": self.jitter_ms, "distribution": self.distribution,
                           "order": self.order}  # fmt: skip


FAULT = lasting("udp_latency", LatencyArguments, "what ends and relays say to each other comes late, unevenly")

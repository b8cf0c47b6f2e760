"""udp_loss: ends and relays lose some of what they say to each other, one by one or in bursts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from drills.faults.base import Arguments
from drills.faults.impaired import Direction, Share, lasting


class LossArguments(Arguments):
    """How many packets are lost, and how many of them in a row."""

    probability: Share
    burst: Annotated[float, Field(ge=1, le=100, description="how many are lost in a row, in the mean")] = 1.0
    direction: Direction = "both"

    def toxic(self) -> tuple[str, Mapping[str, Any]]:
        """Independent, or by Gilbert-Elliott: spells of mean length 1/r that p/(p + r) of the packets meet."""
        if self.burst == 1:
            return "loss", {"probability": self.probability}
        if self.probability == 1:
            return "blackhole", {}
        r = 1.0 / self.burst
        return "bursty_loss", {"p": r * self.probability / (1.0 - self.probability), "r": r}


FAULT = lasting("udp_loss", LossArguments, "ends and relays lose some of what they say to each other")

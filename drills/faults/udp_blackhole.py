"""udp_blackhole: nothing that ends and relays say to each other comes through, one way or both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.faults.base import Arguments
from drills.faults.impaired import Direction, lasting


class BlackholeArguments(Arguments):
    """Which way is closed."""

    direction: Direction = "both"

    def toxic(self) -> tuple[str, Mapping[str, Any]]:
        """Nothing comes through."""
        return "blackhole", {}


FAULT = lasting("udp_blackhole", BlackholeArguments, "nothing that ends and relays say comes through, one way or both")

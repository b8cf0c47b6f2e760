"""udp_duplicate: some of what ends say to relays comes twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from drills.faults.base import Arguments
from drills.faults.impaired import Share, lasting


class DuplicateArguments(Arguments):
    """How many packets come twice; a relay passes one of them on, so only what comes to it may be doubled."""

    probability: Share
    direction: Literal["upstream"] = "upstream"

    def toxic(self) -> tuple[str, Mapping[str, Any]]:
        """One copy more."""
        return "duplicate", {"probability": self.probability}


FAULT = lasting("udp_duplicate", DuplicateArguments, "some of what ends say to relays comes twice")

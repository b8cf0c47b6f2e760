"""What a proxy counts: what went through it, and what it lost itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Counts:
    """One direction of a proxy."""

    received_packets: int = 0
    received_bytes: int = 0
    sent_packets: int = 0
    sent_bytes: int = 0
    refused_packets: int = 0  # nobody listened at the other side (ICMP); lost, but not by us


@dataclass(slots=True)
class OwnLosses:
    """Packets that the proxy lost without being asked to. Any at all, and what was measured meanwhile is in doubt."""

    receive_buffers: int = 0  # died in a receive buffer of ours (SO_RXQ_OVFL's counter)
    sends: int = 0  # the kernel did not take them
    held: int = 0  # too much was held already
    flows: int = 0  # no socket could be opened for their flow


@dataclass(slots=True)
class Tally:
    """Both directions and the losses."""

    upstream: Counts = field(default_factory=Counts)
    downstream: Counts = field(default_factory=Counts)
    losses: OwnLosses = field(default_factory=OwnLosses)

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return asdict(self)

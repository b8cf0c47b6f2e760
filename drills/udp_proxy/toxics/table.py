"""Every toxic by its name."""

from __future__ import annotations

from typing import Protocol

from drills.udp_proxy.draws import Draws
from drills.udp_proxy.fates import Decide
from drills.udp_proxy.toxics.changes import Corrupt, Duplicate, Rebind
from drills.udp_proxy.toxics.delays import Bandwidth, Latency, Reorder
from drills.udp_proxy.toxics.losses import Blackhole, BurstyLoss, Loss, Mtu


class Attributes(Protocol):
    """A toxic's attributes, which know how to decide."""

    def decider(self, draws: Draws) -> Decide:
        """A decider for one direction of one flow."""


KINDS: dict[str, type[Attributes]] = {
    "latency": Latency,
    "loss": Loss,
    "bursty_loss": BurstyLoss,
    "duplicate": Duplicate,
    "reorder": Reorder,
    "corrupt": Corrupt,
    "bandwidth": Bandwidth,
    "blackhole": Blackhole,
    "rebind": Rebind,
    "mtu": Mtu,
}
UPSTREAM_ONLY = frozenset({"rebind"})  # the source port is the one towards the upstream

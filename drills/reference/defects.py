"""The registry of named defects: what ``DRILLS_DEFECTS`` may name, and what each one breaks.

Every defect is a few lines beside the sound behaviour, reached by ``defects.on("name")`` in the service
it belongs to. All are off by default. An unknown name ends the service at start with exit code 2: a
misspelt defect must never pass for a sound system.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

VARIABLE = "DRILLS_DEFECTS"


@dataclass(frozen=True)
class Defect:
    """One named way for the reference to be wrong."""

    name: str
    service: str  # gateway, master or relay
    wrong: str  # what it does instead of the sound behaviour
    origin: str = ""  # the id in the defect lists of the contracts, where it is taken from one


REGISTRY: dict[str, Defect] = {
    defect.name: defect
    for defect in (
        Defect("relay_forgets_drain", "master", "a re-registering relay comes back Active, its drain lost", "D-03"),
        Defect("heartbeat_forgets_drain", "master", "the third heartbeat of a draining relay makes it Active again"),
        Defect("selection_ignores_drain", "master", "leases go on naming relays whose state is Draining"),
        Defect("drain_cuts_sessions", "relay", "a relay that is drained forgets all its sessions at once"),
        Defect("relay_drops_one_in_fifty", "relay", "every fiftieth FORWARD is not sent on"),
        Defect("relay_goes_deaf", "relay", "for 1.2 s in every 6 s no FORWARD is sent on"),
        Defect("relay_never_reregisters", "relay", "after six failed heartbeats it goes silent instead of registering"),
        Defect("relay_adds_40ms", "relay", "every FORWARD is held for 40 ms before it is sent on"),
        Defect("gateway_loses_one_offer_in_ten", "gateway", "every tenth Offer is not passed on", "D20"),
        Defect(
            "gateway_drops_sockets",
            "gateway",
            "three times a second it closes another bound socket and lets its user bind no more for 10 s",
        ),
        Defect("gateway_forgets_tokens_early", "gateway", "a session token is good for 10 s, not for 24 h"),
        Defect("relay_refuses_one_present_in_ten", "relay", "every tenth valid LEASE_PRESENT gets REJECT 2"),
        Defect("relay_returns_late", "relay", "it registers 16 heartbeats after its start"),
    )
}


@dataclass(frozen=True)
class Defects:
    """The defects one process was started with."""

    names: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, names: Iterable[str]) -> Defects:
        """The named defects; a name that is not in the registry raises ValueError."""
        wanted = frozenset(name for name in (raw.strip() for raw in names) if name)
        unknown = sorted(wanted - REGISTRY.keys())
        if unknown:
            raise ValueError(f"unknown defect {', '.join(unknown)}; known: {', '.join(sorted(REGISTRY))}")
        return cls(wanted)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Defects:
        """What ``DRILLS_DEFECTS`` names (comma-separated), empty when unset."""
        return cls.parse(environment.get(VARIABLE, "").split(","))

    def on(self, name: str) -> bool:
        """Whether this defect is switched on; asking for an unregistered name raises KeyError (our own mistake)."""
        return REGISTRY[name].name in self.names

"""Which IPv4 networks are taken on this machine: by its routes and by the engine's own networks."""

from __future__ import annotations

from ipaddress import IPv4Network

from drills.stage.addresses import networks_routed
from drills.stage.asking import asked


def in_use() -> set[IPv4Network]:
    """Networks that a run's own must not overlap; raises CannotRun where the engine does not tell."""
    with asked("list its networks") as client:
        found = client.api.networks()
    subnets = [part.get("Subnet", "") for one in found for part in (one.get("IPAM") or {}).get("Config") or []]
    return networks_routed() | {IPv4Network(subnet, strict=False) for subnet in subnets if "." in subnet}

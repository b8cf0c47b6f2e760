"""Which address a flow has towards the upstream.

A service with limits for each source address would otherwise count all clients of a proxy as one. The port is always
the flow's own.
"""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network
from typing import Protocol


class Sources(Protocol):
    """How a client's address becomes the address of its flow."""

    def of(self, client_host: str) -> str | None:
        """The address for this client, None where the kernel is to choose."""


class AnySource:
    """The kernel chooses, all clients have the proxy's own address."""

    def of(self, client_host: str) -> str | None:
        """None for everybody."""
        return None


class ClientSource:
    """Each flow has its client's address; works where that is an address of this machine too, as all of 127.0.0.0/8."""

    def of(self, client_host: str) -> str | None:
        """The client's."""
        return client_host


class PoolSource:
    """Client addresses get addresses of a network one after the other, and begin again when all are taken."""

    def __init__(self, network: IPv4Network) -> None:
        self._first = network.network_address + (1 if network.num_addresses > 2 else 0)
        self._size = max(1, network.num_addresses - 2)
        self._places: dict[str, int] = {}

    def of(self, client_host: str) -> str | None:
        """Always the same for the same client address."""
        place = self._places.setdefault(client_host, len(self._places))
        return str(self._first + place % self._size)


def sources(text: str) -> Sources:
    """From the command line: ``any``, ``client`` or an IPv4 network; raises ValueError."""
    if text in ("any", "client"):
        return AnySource() if text == "any" else ClientSource()
    network = ip_network(text)
    if not isinstance(network, IPv4Network):
        raise ValueError("not an IPv4 network")
    return PoolSource(network)

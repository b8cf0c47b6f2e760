"""Which machine an endpoint string names, so that relays on one address can be counted.

Endpoints are stored and handed out verbatim (contract §2.6, §2.8); only here are they taken apart. A wildcard
address (``0.0.0.0``, ``::``) names no machine: every relay in a container with Wavry's default command sends it
(D-07), so relays that do are neither counted together nor taken for one another.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

_NO_MACHINE = frozenset({"", "0.0.0.0", "::"})


def host_of(endpoint: str) -> str:
    """The host part in one spelling: IPv6 without brackets and compressed, IPv4-mapped as IPv4, names lower-case."""
    host = endpoint.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") <= 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host.lower()
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def hosts_of(endpoints: Iterable[str]) -> frozenset[str]:
    """The machines that a list of endpoints names, wildcards left out."""
    return frozenset(host_of(endpoint) for endpoint in endpoints) - _NO_MACHINE


def shared(ours: Iterable[str], theirs: Iterable[str]) -> bool:
    """Whether two lists have an identical endpoint that names a machine."""
    return any(hosts_of([endpoint]) for endpoint in set(ours) & set(theirs))

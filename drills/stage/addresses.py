"""A block of addresses for one run, so that two drills can run side by side.

On the process stage a run owns 127.B.0.0/16, on the container stage a /19 of 198.18.0.0/15 (kept for benchmarking,
RFC 2544), for as long as it holds the lock on that block; the kernel frees the lock with the process. A block whose
addresses are still in use (left by a killed run) is passed over.
"""

from __future__ import annotations

import contextlib
import fcntl
import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import IO

from drills.errors import CannotRun

LOOPBACK_BLOCKS = range(20, 120)
NETWORK_BLOCKS = range(1, 16)  # the first /19 is for a stage that a person raises by hand
BENCHMARKING = IPv4Network("198.18.0.0/15")
NETWORK_BITS = 19
LOCKS = Path("/tmp/wavry-drills-blocks")
# Three digits each: Wavry compares endpoint addresses as text, by prefix (contract-master-relay §2.9), and 127.20.1.1
# would count as every 127.20.1.1xx.
FIRST = {"relay": 101, "toxiproxy": 215, "udp_proxy": 217, "gateway": 220, "master": 230, "locust_master": 240}
LAST = 254


@dataclass(frozen=True)
class Block:
    """The addresses of one run: services at ``.1.x``, what else it needs where the properties say."""

    number: int
    network: IPv4Network
    ends_at: int  # the third byte, from the network's own, at which the addresses of the ends begin

    def address(self, third: int, last: int) -> str:
        """The address with these last two bytes, counted from the first address of the block."""
        return str(self.network.network_address + 256 * third + last)

    def service_addresses(self, kinds: Mapping[str, str]) -> dict[str, str]:
        """An address for each service (name -> kind), no one's text the beginning of another's.

        Kinds that are not in ``FIRST`` have no address of their own. Raises CannotRun where there are more services of
        a kind than addresses for it.
        """
        following = dict(FIRST)
        addresses = {}
        for name, kind in kinds.items():
            if kind in FIRST:
                addresses[name] = self.address(1, following[kind])
                following[kind] += 1
        if len(set(addresses.values())) < len(addresses) or max(following.values()) > LAST + 1:
            raise CannotRun(f"{self.network} has no addresses for so many services: {', '.join(kinds)}")
        return addresses

    @property
    def ends_first(self) -> str:
        """The first of the addresses for the ends of sessions: 256 for each of up to 16 load workers."""
        return self.address(self.ends_at, 0)

    @property
    def host(self) -> str:
        """The address that this machine itself has in a network of containers."""
        return self.address(0, 1)

    @property
    def picks(self) -> str:
        """Where an engine may pick addresses by itself."""
        return f"{self.address(8, 0)}/24"

    @property
    def flows(self) -> str:
        """A network for the UDP proxy's flows, whose addresses are nobody else's."""
        return f"{self.address(9, 0)}/24"

    def __contains__(self, address: str) -> bool:
        return IPv4Address(address) in self.network


def loopback_block(number: int) -> Block:
    """127.``number``.0.0/16."""
    return Block(number, IPv4Network(f"127.{number}.0.0/16"), ends_at=32)


def network_block(number: int) -> Block:
    """The ``number``-th /19 of the benchmarking range."""
    network = IPv4Network((BENCHMARKING.network_address + number * 2 ** (32 - NETWORK_BITS), NETWORK_BITS))
    return Block(number, network, ends_at=15)  # 15 to 30: the 31st has the broadcast address


@contextlib.contextmanager
def claimed() -> Iterator[Block]:
    """A block of loopback addresses that nobody else uses, while the context lasts; CannotRun if there is none."""
    used = {int(address.split(".")[1]) for address in addresses_in_use() if address.startswith("127.")}
    with _claimed("", [loopback_block(number) for number in LOOPBACK_BLOCKS if number not in used]) as block:
        yield block


@contextlib.contextmanager
def claimed_network(used: Collection[IPv4Network]) -> Iterator[Block]:
    """A block for a network of containers that overlaps none of those in use; CannotRun if there is none."""
    blocks = [network_block(number) for number in NETWORK_BLOCKS]
    free = [block for block in blocks if not any(block.network.overlaps(network) for network in used)]
    with _claimed("network-", free) as block:
        yield block


@contextlib.contextmanager
def _claimed(prefix: str, blocks: list[Block]) -> Iterator[Block]:
    try:
        LOCKS.mkdir(exist_ok=True)
    except OSError as error:
        raise CannotRun(f"no folder {LOCKS} for the locks on blocks of addresses: {error.strerror}") from error
    with contextlib.suppress(PermissionError):
        LOCKS.chmod(0o1777)
    for block in blocks:
        lock = _locked(LOCKS / f"{prefix}{block.number}")
        if lock is not None:
            with lock:
                yield block
            return
    raise CannotRun("no block of addresses is free; are other drills running?")


def _locked(path: Path) -> IO[str] | None:
    """The open and locked file, or None where somebody else holds it or owns it."""
    try:
        lock = path.open("a")
    except PermissionError:
        return None
    with contextlib.suppress(PermissionError):
        path.chmod(0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def addresses_in_use() -> set[str]:
    """Local addresses of every IPv4 socket on this machine."""
    found = set()
    for table in ("tcp", "udp"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            found.add(address_of(line.split()[1])[0])
    return found


def networks_routed() -> set[IPv4Network]:
    """Every IPv4 network that this machine has a route to, the default route not among them (/proc/net/route)."""
    found = set()
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        address, mask = (address_of(f"{fields[index]}:0")[0] for index in (1, 7))
        found.add(IPv4Network(f"{address}/{mask}", strict=False))
    return {network for network in found if network.prefixlen}


def address_of(hexed: str) -> tuple[str, int]:
    """Address and port from the form that /proc/net has them in (host byte order, hex)."""
    address, port = hexed.split(":")
    return str(IPv4Address(struct.pack("=I", int(address, 16)))), int(port, 16)

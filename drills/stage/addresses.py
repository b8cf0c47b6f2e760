"""A block of loopback addresses for one run, so that two drills can run side by side.

A run owns 127.B.0.0/16 for one B in ``BLOCKS`` while it holds the lock on that block; the kernel frees the lock with
the process. A block whose addresses are still in use (left by a killed run) is passed over.
"""

from __future__ import annotations

import contextlib
import fcntl
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import IO

from drills.errors import CannotRun

BLOCKS = range(20, 120)
LOCKS = Path("/tmp/wavry-drills-blocks")
# Three digits each: Wavry compares endpoint addresses as text, by prefix (contract-master-relay §2.9), and 127.20.1.1
# would count as every 127.20.1.1xx.
FIRST = {"relay": 101, "toxiproxy": 215, "gateway": 220, "master": 230}
LAST = 254


@dataclass(frozen=True)
class Block:
    """127.``number``.0.0/16."""

    number: int

    @property
    def prefix(self) -> str:
        """The first two bytes, as text."""
        return f"127.{self.number}"

    def service_addresses(self, kinds: Mapping[str, str]) -> dict[str, str]:
        """An address for each service (name -> kind), no one's text the beginning of another's.

        Raises CannotRun where there are more services of a kind than addresses for it.
        """
        following = dict(FIRST)
        addresses = {}
        for name, kind in kinds.items():
            addresses[name] = f"{self.prefix}.1.{following[kind]}"
            following[kind] += 1
        if len(set(addresses.values())) < len(addresses) or max(following.values()) > LAST + 1:
            raise CannotRun(f"{self.prefix}.1.0 has no addresses for so many services: {', '.join(kinds)}")
        return addresses

    def __contains__(self, address: str) -> bool:
        return address.startswith(self.prefix + ".")


@contextlib.contextmanager
def claimed() -> Iterator[Block]:
    """A block that nobody else uses, for as long as the context lasts; raises CannotRun if there is none."""
    try:
        LOCKS.mkdir(exist_ok=True)
    except OSError as error:
        raise CannotRun(f"no folder {LOCKS} for the locks on blocks of addresses: {error.strerror}") from error
    with contextlib.suppress(PermissionError):
        LOCKS.chmod(0o1777)
    used = {int(address.split(".")[1]) for address in addresses_in_use() if address.startswith("127.")}
    for number in BLOCKS:
        lock = _locked(LOCKS / str(number)) if number not in used else None
        if lock is not None:
            with lock:
                yield Block(number)
            return
    raise CannotRun(f"no free block of addresses in 127.{BLOCKS.start}.0.0 to 127.{BLOCKS.stop - 1}.0.0; "
                    "are other drills running?")  # fmt: skip


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


def address_of(hexed: str) -> tuple[str, int]:
    """Address and port from the form that /proc/net has them in (host byte order, hex)."""
    address, port = hexed.split(":")
    return str(IPv4Address(struct.pack("=I", int(address, 16)))), int(port, 16)

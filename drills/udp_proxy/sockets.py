"""UDP sockets as this proxy wants them: large buffers, drops counted, numeric addresses."""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass
from ipaddress import ip_address

RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024
DATAGRAM_BYTES_MAX = 65_535
SO_RCVBUFFORCE = 33  # asm-generic/socket.h; past net.core.rmem_max, for root
SO_MEMINFO = 55  # asm-generic/socket.h
MEMINFO_DROPS, MEMINFO_FIELDS = 8, 9  # the counter that SO_RXQ_OVFL reports, as index (linux/sock_diag.h)
_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<v4>[0-9.]{7,15}|localhost)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True)
class Address:
    """A numeric address and a port. Names are refused: to look one up would keep packets waiting."""

    host: str
    port: int

    @classmethod
    def parsed(cls, text: str) -> Address | None:
        """``127.0.0.1:8475``, ``[::1]:8475`` or ``localhost:8475``; None where it is none of these."""
        match = _ADDRESS.fullmatch(text)
        if match is None or int(match["port"]) > 65535:
            return None
        host = match["v6"] or match["v4"].replace("localhost", "127.0.0.1")
        with contextlib.suppress(ValueError):
            return cls(str(ip_address(host)), int(match["port"]))
        return None

    @property
    def family(self) -> socket.AddressFamily:
        """IPv4 or IPv6."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def udp_socket(family: socket.AddressFamily) -> socket.socket:
    """A socket that never blocks, with as large a receive buffer as the kernel gives."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    with contextlib.suppress(PermissionError):
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    return sock


def dropped(sock: socket.socket) -> int:
    """How many datagrams have died in this socket's receive buffer."""
    fields = memoryview(sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * MEMINFO_FIELDS)).cast("I")
    return fields[MEMINFO_DROPS] if len(fields) > MEMINFO_DROPS else 0

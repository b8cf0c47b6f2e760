"""Where the gateway may listen, and the listening socket (contract §1.4).

A taken port is an error (intended; D17): Wavry goes on at a random port, healthy and not to be found.
"""

from __future__ import annotations

import ipaddress
import socket

from drills.reference.gateway.settings import Settings

BACKLOG = 1024


class RefusedBind(Exception):
    """The gateway may not, or cannot, listen where it was told to."""


def address(settings: Settings) -> tuple[str, int]:
    """The IP and port to listen on, once policy allows it."""
    ip, port = parsed(settings.bind_addr)
    if ip.is_loopback:
        return str(ip), port
    if not settings.public_bind:
        raise RefusedBind("refusing non-loopback bind without WAVRY_ALLOW_PUBLIC_BIND=1")
    if not settings.in_container and not settings.host_prod_bind:
        raise RefusedBind(
            "non-loopback gateway bind outside containers is unsupported for production;"
            " set WAVRY_GATEWAY_ALLOW_HOST_PROD_BIND=1 to do it all the same"
        )
    return str(ip), port


def parsed(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """A literal ``ip:port``; IPv6 in brackets."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        ip = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise RefusedBind("invalid socket address syntax") from None
    if not colon or (ip.version == 6) != bracketed or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise RefusedBind("invalid socket address syntax")
    return ip, int(port)


def listening(ip: str, port: int) -> socket.socket:
    """A listening socket; RefusedBind when the port is taken or the address is not ours."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        # only against TIME_WAIT after a restart; a port somebody listens on stays taken
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((ip, port))
        made.listen(BACKLOG)
    except OSError as problem:
        made.close()
        raise RefusedBind(
            f"cannot listen on {shown(ip, port)}: {problem.strerror} (os error {problem.errno})"
        ) from None
    made.setblocking(False)
    return made


def shown(ip: str, port: int) -> str:
    """``ip:port``, IPv6 in brackets (intended; D37)."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"

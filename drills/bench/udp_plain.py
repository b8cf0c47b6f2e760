"""The do-nothing UDP proxy that the fault proxy is measured beside: ``python -m drills.bench.udp_plain UPSTREAM``.

Of the same kind, Python on one epoll with a socket for each client, and nothing else in it: no toxics, no counters, no
API. Says the address that it listens on and runs until it is ended.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
from collections.abc import Callable
from typing import Any

BATCH = 32
DATAGRAM_BYTES_MAX = 65_535
BUFFER_BYTES = 8 * 1024 * 1024
SO_RCVBUFFORCE = 33


def _socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    with contextlib.suppress(PermissionError):
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    return sock


def main(upstream: str) -> None:
    """Pass everything on, both ways."""
    host, port = upstream.split(":")
    epoll, handlers, sends = select.epoll(), {}, {}
    listener = _socket()
    listener.bind((host, 0))

    def begun(client: Any) -> Callable[[bytes], int]:
        sock = _socket()
        sock.connect((host, int(port)))
        receive, send = sock.recv, listener.sendto

        def back() -> None:
            with contextlib.suppress(OSError):
                for _ in range(BATCH):
                    send(receive(DATAGRAM_BYTES_MAX), client)

        handlers[sock.fileno()] = back
        epoll.register(sock.fileno(), select.EPOLLIN)
        sends[client] = sock.send
        return sock.send

    def there() -> None:
        receive = listener.recvfrom
        with contextlib.suppress(OSError):
            for _ in range(BATCH):
                payload, client = receive(DATAGRAM_BYTES_MAX)
                (sends.get(client) or begun(client))(payload)

    handlers[listener.fileno()] = there
    epoll.register(listener.fileno(), select.EPOLLIN)
    print("{}:{}".format(*listener.getsockname()), flush=True)
    while True:
        for number, _ in epoll.poll(1.0):
            handlers[number]()


if __name__ == "__main__":
    main(sys.argv[1])

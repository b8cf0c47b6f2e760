"""Small servers that misbehave, for the clients' own tests: each listens on loopback and ends with its block."""

from __future__ import annotations

import contextlib
import socket
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha1

Conversation = Callable[[socket.socket], None]
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


@contextlib.contextmanager
def serving(conversation: Conversation) -> Iterator[int]:
    """The port of a server that holds this conversation with everyone who connects, one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                connection, _ = listener.accept()
                connection.settimeout(5.0)
                with connection, contextlib.suppress(OSError):
                    if not ended.is_set():
                        conversation(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            with contextlib.suppress(OSError), socket.create_connection(listener.getsockname(), 1.0):
                pass  # wakes the accept
            thread.join(6.0)


@contextlib.contextmanager
def silence() -> Iterator[int]:
    """The port of a server whose kernel accepts and which says nothing, like a stopped process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextlib.contextmanager
def nobody() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def request_of(connection: socket.socket) -> bytes:
    """One HTTP request, its body included if it has a Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    wanted = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    while len(body) < wanted:
        body += _more(connection)
    return head + b"\r\n\r\n" + body


def _more(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise ConnectionError("the client has gone")
    return received


def answering(status: int, body: str, extra: str = "") -> Conversation:
    """Answers every request of a connection with this."""
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body.encode())}\r\n{extra}\r\n"

    def conversation(connection: socket.socket) -> None:
        while True:
            request_of(connection)
            connection.sendall(head.encode() + body.encode())

    return conversation


def upgraded(connection: socket.socket) -> None:
    """The server's side of a WebSocket upgrade."""
    head = request_of(connection)
    key = next(line.split(b":")[1].strip() for line in head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key"))
    accept = b64encode(sha1(key + WEBSOCKET_GUID).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def frame(text: str) -> bytes:
    """One unmasked text frame, as a server sends it."""
    payload = text.encode()
    if len(payload) < 126:
        return bytes([0x81, len(payload)]) + payload
    return bytes([0x81, 126]) + len(payload).to_bytes(2, "big") + payload

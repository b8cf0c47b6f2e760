"""HTTP as far as it is spoken: whole requests, pieces, and what is too large, too long or no request."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest

from drills.udp_proxy import http_server
from drills.udp_proxy.errors import ApiError
from drills.udp_proxy.http_messages import BODY_BYTES_MAX, request
from drills.udp_proxy.http_server import HttpServer
from drills.udp_proxy.sockets import Address
from tests.udp_proxy.stand import Stand, standing

POST = b"POST /proxies/a%20b/toxics?x=1 HTTP/1.1\r\nHost: x\r\nUser-Agent: us\r\nContent-Length: 4\r\n\r\nbody"


def test_a_request_is_read_when_all_of_it_is_there() -> None:
    """Not before, wherever it is cut."""
    assert [request(POST[:end]) for end in range(len(POST))] == [None] * len(POST)
    asked = request(POST)
    assert asked == ("POST", ["proxies", "a b", "toxics"], b"body", "us")


@pytest.mark.parametrize(
    ("read", "status"),
    [
        (b"x" * 9000, 431),
        (b"nonsense\r\n\r\n", 400),
        (b"GET http://x/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / SMTP\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1), 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
    ],
)
def test_what_is_no_request_of_ours_is_refused_at_once(read: bytes, status: int) -> None:
    """Nothing more is read of it."""
    with pytest.raises(ApiError) as refused:
        request(read)
    assert refused.value.status == status


@pytest.fixture
def served() -> Iterator[tuple[Stand, HttpServer]]:
    """A stand whose API can be reached."""
    with standing() as stand:
        server = HttpServer(Address("127.0.0.1", 0), stand.api, stand.loop)
        yield stand, server
        server.close()


def connected(server: HttpServer) -> socket.socket:
    """A connection to the API."""
    sock = socket.create_connection((server.address.host, server.address.port), timeout=5.0)
    sock.setblocking(False)
    return sock


def everything(stand: Stand, sock: socket.socket) -> bytes:
    """What comes until the other side closes."""
    pieces: list[bytes] = []

    def ended() -> bool:
        with contextlib.suppress(BlockingIOError):
            while piece := sock.recv(65_536):
                pieces.append(piece)
            return True
        return False

    with contextlib.suppress(ConnectionResetError):
        stand.until(ended)
    return b"".join(pieces)


def test_a_request_in_pieces_is_answered_once_it_is_whole(served: tuple[Stand, HttpServer]) -> None:
    """While packets go on."""
    stand, server = served
    with contextlib.closing(connected(server)) as sock:
        sock.send(b"GET /version HT")
        stand.passes(b"meanwhile")
        sock.send(b"TP/1.1\r\n\r\n")
        head, _, body = everything(stand, sock).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(body)["program"] == "udp_proxy"


def test_a_refusal_is_answered_as_json(served: tuple[Stand, HttpServer]) -> None:
    """And the connection ends."""
    stand, server = served
    with contextlib.closing(connected(server)) as sock:
        sock.send(b"nonsense\r\n\r\n")
        head, _, body = everything(stand, sock).partition(b"\r\n\r\n")
    assert (head.split(b" ")[1], json.loads(body)["status"]) == (b"400", 400)


def test_whoever_says_nothing_is_shown_out(served: tuple[Stand, HttpServer], monkeypatch: pytest.MonkeyPatch) -> None:
    """And whoever leaves before he asked disturbs nobody."""
    stand, server = served
    connected(server).close()
    monkeypatch.setattr(http_server, "CONNECTION_S_MAX", 0.0)
    with contextlib.closing(connected(server)) as sock:
        assert everything(stand, sock) == b""
    stand.until(lambda: not server._connections)


def test_no_more_connections_than_there_may_be(
    served: tuple[Stand, HttpServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more is closed at once; those that are there go on."""
    stand, server = served
    monkeypatch.setattr(http_server, "CONNECTIONS_MAX", 1)
    with contextlib.closing(connected(server)) as first, contextlib.closing(connected(server)) as second:
        assert everything(stand, second) == b""
        first.send(b"GET /version HTTP/1.1\r\n\r\n")
        assert everything(stand, first).startswith(b"HTTP/1.1 200")

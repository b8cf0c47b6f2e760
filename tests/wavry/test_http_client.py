"""Every call ends in time, with an answer or a WireError, and nothing secret in its words."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from drills.wavry.bounded_socket import BoundedSocket
from drills.wavry.errors import Closed, Garbled, Refused, TimedOut, Unreachable, WireError
from drills.wavry.gateway import Account, GatewayHttp
from drills.wavry.http_client import HttpClient
from drills.wavry.master import MasterHttp, RelayState
from drills.wavry.relay import RelayHttp
from tests.wavry.wire_fakes import answering, nobody, request_of, serving, silence

SHORT_S = 0.2


def _client(port: int) -> HttpClient:
    return HttpClient(f"http://127.0.0.1:{port}", timeout_s=SHORT_S)


def _idle(client: HttpClient) -> BoundedSocket:
    kept: Any = client._idle[0].sock
    assert isinstance(kept, BoundedSocket)
    return kept


def test_a_silent_server_is_given_up_in_time() -> None:
    """A stopped process accepts and never answers: TimedOut, which is Unreachable, after timeout_s."""
    with silence() as port, _client(port) as client:
        began = time.monotonic()
        with pytest.raises(TimedOut):
            client.call("GET", "/health")
        assert SHORT_S <= time.monotonic() - began < SHORT_S + 0.5


def test_a_drip_does_not_extend_the_time() -> None:
    """A byte every 20 ms, as behind a slicer, keeps no call alive beyond timeout_s."""

    def dripping(connection: socket.socket) -> None:
        request_of(connection)
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + b"x" * 200:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)  # the drip is the subject

    with serving(dripping) as port, _client(port) as client:
        began = time.monotonic()
        with pytest.raises(TimedOut):
            client.call("GET", "/health")
        assert time.monotonic() - began < SHORT_S + 0.5


def test_nobody_there_is_unreachable() -> None:
    """A refused connection names the call and the reason."""
    with nobody() as port, _client(port) as client, pytest.raises(Unreachable) as refused:
        client.call("GET", "/health")
    assert refused.value.what == f"GET http://127.0.0.1:{port}/health: Connection refused"


def test_an_address_we_do_not_have_is_unreachable() -> None:
    """192.0.2.1 is kept for documentation; the bind fails before anything is sent."""
    with silence() as port:
        client = HttpClient(f"http://127.0.0.1:{port}", timeout_s=SHORT_S, source_address="192.0.2.1")
        with client, pytest.raises(Unreachable):
            client.call("GET", "/health")


BROKEN: dict[str, tuple[bytes, type[WireError]]] = {
    "nothing": (b"", Closed),
    "half an answer": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxx", Closed),
    "no HTTP": (b"220 mail.example.org\r\n", Garbled),
    "no text": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe", Garbled),
}


@pytest.mark.parametrize(("said", "error"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_a_wire_error(said: bytes, error: type[WireError]) -> None:
    """Whatever the bytes, no exception of a library gets out."""

    def conversation(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(said)

    with serving(conversation) as port, _client(port) as client, pytest.raises(error):
        client.call("GET", "/health")


def test_connections_are_kept_and_a_spent_one_is_replaced() -> None:
    """Two calls share a connection; one that the server has closed meanwhile is not used again."""
    seen: list[tuple[str, int]] = []

    def twice(connection: socket.socket) -> None:
        for _ in range(2):
            request_of(connection)
            seen.append(connection.getpeername())
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with serving(twice) as port, _client(port) as client:
        for _ in range(4):
            assert client.call("GET", "/").text == "ok"
            deadline = time.monotonic() + 1.0
            while len(seen) == 2 and client._idle and _idle(client).quiet() and time.monotonic() < deadline:
                time.sleep(0.005)  # until the server's FIN is here
    assert seen[0] == seen[1] != seen[2] == seen[3]


def test_an_end_has_its_own_address() -> None:
    """source_address is bound before the connect; TCP_NODELAY is set."""
    peers: list[str] = []

    def conversation(connection: socket.socket) -> None:
        request_of(connection)
        peers.append(connection.getpeername()[0])
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with (
        serving(conversation) as port,
        HttpClient(f"http://127.0.0.1:{port}", timeout_s=SHORT_S, source_address="127.9.0.77") as client,
    ):
        client.call("GET", "/")
        raw: socket.socket = _idle(client)._raw
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    assert peers == ["127.9.0.77"]


def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY names a black hole; the call goes past it."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(answering(200, "ok")) as port, _client(port) as client:
        assert client.call("GET", "/").text == "ok"


PASSWORD, TOKEN = "correct horse battery", "0123456789abcdef" * 4
CALLS: dict[str, Callable[[int], object]] = {
    "login": lambda port: _gateway(port).login("a@example.org", PASSWORD),
    "logout": lambda port: _gateway(port).logout(TOKEN),
    "push_offer": lambda port: _gateway(port).push_offer(TOKEN, "someone", "sdp"),
    "admin": lambda port: _master(port).update_state("relay", RelayState.DRAINING),
    "relay": lambda port: _master(port).heartbeat("relay", 0),
}


def _gateway(port: int) -> GatewayHttp:
    return GatewayHttp(f"http://127.0.0.1:{port}", timeout_s=SHORT_S)


def _master(port: int) -> MasterHttp:
    return MasterHttp(f"http://127.0.0.1:{port}", timeout_s=SHORT_S, admin_token=TOKEN, relay_token=TOKEN)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_an_error_never_shows_a_secret(call: Callable[[int], object]) -> None:
    """Even a service that quotes the password or token back is scrubbed."""
    said = f'{{"error":"you said {PASSWORD} and {TOKEN}"}}'
    with serving(answering(400, said, "Connection: close\r\n")) as port, pytest.raises(Refused) as refused:
        call(port)
    shown = f"{refused.value} {refused.value!r} {refused.value.text}"
    assert refused.value.status == 400
    assert "you said" in shown
    secret = PASSWORD if call is CALLS["login"] else TOKEN
    assert secret not in shown


def test_an_account_does_not_show_its_token() -> None:
    """Dataclasses leave secrets out of their repr."""
    account = Account("id", "a@example.org", "a", "2026-01-01T00:00:00Z", TOKEN)
    assert TOKEN not in repr(account) and TOKEN not in str(account)


def test_an_answer_of_another_shape_is_garbled() -> None:
    """200 with JSON that lacks what the contract has, or with none at all."""
    for body in ("{}", "[]", "null", "not JSON", '{"relay_id":1}'):
        with serving(answering(200, body)) as port, RelayHttp(f"http://127.0.0.1:{port}", timeout_s=SHORT_S) as relay:
            for call in (relay.health, relay.metrics):
                with pytest.raises(Garbled):
                    call()


def test_not_ready_is_an_answer() -> None:
    """503 with the object is what /ready says when not ready (contract-master-relay §2.6, §3.6)."""
    said = answering(503, '{"relay_id":"r","ready":false}')
    with serving(said) as port, RelayHttp(f"http://127.0.0.1:{port}", timeout_s=SHORT_S) as relay:
        assert relay.ready().ready is False


@pytest.mark.parametrize("url", ["127.0.0.1:80", "https://127.0.0.1", "http://127.0.0.1/path"])
def test_a_base_url_that_is_none_is_our_own_mistake(url: str) -> None:
    """ValueError, not a WireError."""
    with pytest.raises(ValueError, match="base URL"):
        HttpClient(url, timeout_s=1)

"""A WebSocket's every act ends in time, partial frames are kept, and endings are WireErrors."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from drills.wavry.errors import Closed, Garbled, Refused, TimedOut, Unreachable
from drills.wavry.gateway import Bound, GatewayError, GatewaySocket
from drills.wavry.master import Forwarded, MasterSocket, RelayCredentials
from tests.wavry.wire_fakes import answering, frame, nobody, serving, silence, upgraded

SHORT_S = 0.2


def _connected(port: int) -> GatewaySocket:
    return GatewaySocket.connect(f"ws://127.0.0.1:{port}/ws", timeout_s=SHORT_S)


def test_a_silent_server_is_given_up_in_time() -> None:
    """The upgrade is part of the connect's time."""
    with silence() as port:
        began = time.monotonic()
        with pytest.raises(TimedOut):
            _connected(port)
        assert time.monotonic() - began < SHORT_S + 0.5


def test_nobody_there_is_unreachable() -> None:
    """A refused connection is not a Refused: nobody said no."""
    with nobody() as port, pytest.raises(Unreachable, match="Connection refused"):
        _connected(port)


def test_a_denied_upgrade_is_refused_with_its_status() -> None:
    """403 for the origin, 429 and 503 for the counts (contract-gateway §5.1)."""
    with serving(answering(429, "full")) as port, pytest.raises(Refused) as refused:
        _connected(port)
    assert (refused.value.status, refused.value.text) == (429, "full")


def test_a_redirect_is_not_followed() -> None:
    """Nothing may lead a drill's traffic elsewhere."""
    with serving(answering(302, "", "Location: ws://127.0.0.1:1/\r\n")) as port, pytest.raises(Garbled):
        _connected(port)


def test_receive_waits_no_longer_than_it_is_told() -> None:
    """None after timeout_s; with 0 only what is already there."""

    def quiet(connection: socket.socket) -> None:
        upgraded(connection)
        connection.recv(1)

    with serving(quiet) as port, _connected(port) as client:
        began = time.monotonic()
        assert client.receive(0.1) is None
        assert 0.1 <= time.monotonic() - began < 0.5
        assert client.receive(0) is None
        assert time.monotonic() - began < 0.5


def test_a_frame_in_pieces_is_put_together_over_several_receives() -> None:
    """Running out of time in the middle of a frame loses nothing."""
    whole = frame('{"type":"Error","payload":{"message":"' + "x" * 200 + '"}}')

    def in_pieces(connection: socket.socket) -> None:
        upgraded(connection)
        for piece in (whole[:1], whole[1:3], whole[3:50], whole[50:]):
            connection.sendall(piece)
            connection.recv(100)  # the client's ping asks for the next piece

    with serving(in_pieces) as port, _connected(port) as client:
        for _ in range(3):
            assert client.receive(0.05) is None
            client.socket.ping()
        assert client.receive(1.0) == GatewayError("x" * 200)


def test_two_frames_in_one_segment_are_two_messages() -> None:
    """What was read beyond the first is not lost, not even for receive(0)."""

    def at_once(connection: socket.socket) -> None:
        upgraded(connection)
        connection.sendall(frame('{"type":"Bound"}') * 2)
        connection.recv(1)

    with serving(at_once) as port, _connected(port) as client:
        assert [client.receive(1.0), client.receive(0)] == [Bound(), Bound()]


@pytest.mark.parametrize("ending", [b"", b"\x88\x02\x03\xe8"], ids=["plain end", "Close frame"])
def test_an_ended_connection_is_closed(ending: bytes) -> None:
    """With a Close frame or without one, as the gateway does it (§5.2)."""

    def hanging_up(connection: socket.socket) -> None:
        upgraded(connection)
        connection.sendall(ending)

    with serving(hanging_up) as port, _connected(port) as client, pytest.raises(Closed):
        client.receive(1.0)


@pytest.mark.parametrize("said", [frame("no JSON"), frame('{"type":"Strange"}'), frame("[]"), b"\xf1\x00"])
def test_a_message_nobody_knows_is_garbled(said: bytes) -> None:
    """Not JSON, an unknown type, no object, a frame with reserved bits."""

    def babbling(connection: socket.socket) -> None:
        upgraded(connection)
        connection.sendall(said)
        connection.recv(1)

    with serving(babbling) as port, _connected(port) as client, pytest.raises(Garbled):
        client.receive(1.0)


def test_a_peer_that_does_not_read_cannot_hold_a_send() -> None:
    """Once the buffers are full a send is TimedOut, and the socket is closed: half a frame may have left."""

    over = threading.Event()

    def deaf(connection: socket.socket) -> None:
        upgraded(connection)
        over.wait(5.0)

    with serving(deaf) as port, _connected(port) as client:
        with pytest.raises(TimedOut):
            for _ in range(10_000):
                client.send_offer("someone", "x" * 30_000)
        with pytest.raises(Closed):
            client.send_offer("someone", "sdp")
        with pytest.raises(Closed):
            client.receive(0.1)
        over.set()


def test_closing_can_be_repeated_and_does_not_wait() -> None:
    """Neither service answers a Close frame, so nobody waits for one."""

    def quiet(connection: socket.socket) -> None:
        upgraded(connection)
        while connection.recv(100):
            pass

    with serving(quiet) as port:
        client = _connected(port)
        began = time.monotonic()
        client.close()
        client.close()
        assert time.monotonic() - began < 0.1


def test_the_masters_messages() -> None:
    """A lease without its token in the repr, and signals with and without their optional field."""
    lease = {"type": "RELAY_CREDENTIALS", "relay_id": "r", "token": "v4.public.secret", "addr": "127.0.0.1:4000"}
    lease["session_id"] = "00112233-4455-6677-8899-aabbccddeeff"
    offer = {"type": "OFFER", "target_username": "user_12345678", "sdp": "sdp"}

    def speaking(connection: socket.socket) -> None:
        upgraded(connection)
        connection.sendall(frame(json.dumps(lease)) + frame(json.dumps(offer)) + frame('{"type":"ERROR"}'))
        connection.recv(1)

    with serving(speaking) as port, MasterSocket.connect(f"ws://127.0.0.1:{port}/ws", timeout_s=SHORT_S) as client:
        credentials = client.receive(1.0)
        assert isinstance(credentials, RelayCredentials) and credentials.token == "v4.public.secret"
        assert "secret" not in repr(credentials)
        assert client.receive(1.0) == Forwarded("OFFER", "user_12345678", "sdp", None)
        with pytest.raises(Garbled):
            client.receive(1.0)

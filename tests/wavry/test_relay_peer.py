"""A peer waits a bounded time, hears only its relay, and keeps what came while it waited for an answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from drills.wavry import packets
from drills.wavry.errors import Unreachable
from drills.wavry.packets import Reject
from drills.wavry.relay import Forward, RelayCounters, RelayPeer

SESSION = uuid4()


@pytest.fixture
def relay() -> Iterator[socket.socket]:
    """A socket that plays the relay."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as playing:
        playing.bind(("127.0.0.1", 0))
        yield playing


@pytest.fixture
def peer(relay: socket.socket) -> Iterator[RelayPeer]:
    with RelayPeer(relay.getsockname(), timeout_s=0.1, source_address="127.9.0.78") as peer:
        yield peer


def test_silence_is_none_after_the_time(peer: RelayPeer) -> None:
    """A relay that says nothing is a result, not an error."""
    began = time.monotonic()
    assert peer.renew(SESSION) is None
    assert 0.1 <= time.monotonic() - began < 0.5


def test_the_answer_is_that_of_the_session_and_the_rest_is_kept(relay: socket.socket, peer: RelayPeer) -> None:
    """A FORWARD, another session's answer and noise arrive first."""
    forward = packets.forward(SESSION, 7, b"body")
    for datagram in (b"noise", forward, packets.reject(uuid4(), Reject.EXPIRED), packets.ack(SESSION, 1, 2, 3)):
        relay.sendto(datagram, peer.local_address())
    assert peer.present(SESSION, "client", "token") == packets.Ack(SESSION, 1, 2, 3)
    assert peer.receive(0) == Forward(SESSION, 7, b"body")
    assert peer.receive(0) is None


def test_strangers_are_not_heard(peer: RelayPeer) -> None:
    """Only the relay's own address and port counts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(packets.forward(SESSION, 1, b""), peer.local_address())
        assert peer.receive(0.05) is None


def test_what_is_sent_comes_from_the_peers_own_address(relay: socket.socket, peer: RelayPeer) -> None:
    """source_address is bound at the start."""
    peer.forward(SESSION, 1, b"x")
    relay.settimeout(1.0)
    datagram, sender = relay.recvfrom(2000)
    assert (datagram, sender) == (packets.forward(SESSION, 1, b"x"), peer.local_address())
    assert sender[0] == "127.9.0.78"


def test_an_address_we_do_not_have_is_unreachable(relay: socket.socket) -> None:
    """No OSError gets out."""
    with pytest.raises(Unreachable):
        RelayPeer(relay.getsockname(), timeout_s=0.1, source_address="192.0.2.1")


def test_counters_tell_what_moved() -> None:
    """Only those that differ, by name."""
    before = RelayCounters(*range(23))
    assert replace(before, packets_rx=5, nat_rebind_events=23).since(before) == {
        "packets_rx": 5,
        "nat_rebind_events": 1,
    }

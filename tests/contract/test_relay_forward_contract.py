"""What a relay passes on, and what it drops: contract-master-relay §4.6 and §4.7."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from drills.wavry import packets
from drills.wavry.relay import RelayPeer
from tests.contract.desk import SILENCE_S, Desk
from tests.contract.services import Target


@dataclass
class Pair:
    """Both ends of one session."""

    session: UUID
    client: RelayPeer
    server: RelayPeer


@pytest.fixture
def pair(desk: Desk, peer: RelayPeer, other_peer: RelayPeer) -> Iterator[Pair]:
    session = uuid4()
    desk.presented(peer, session, "client")
    desk.presented(other_peer, session, "server")
    yield Pair(session, peer, other_peer)


def test_a_datagram_arrives_as_it_was_sent_both_ways(desk: Desk, pair: Pair) -> None:
    """§4.2, §4.6: unchanged, flags included; counted with its 20 header bytes; sender and order kept."""
    before = desk.relay.counted()
    there = bytearray(packets.forward(pair.session, 42, b"hello"))
    there[3] = 0x5A  # flags are copied through
    back = packets.forward(pair.session, 7, b"x" * 1000)
    pair.client.send(bytes(there))
    assert pair.server.receive_raw(1.0) == bytes(there)
    pair.server.send(back)
    assert pair.client.receive_raw(1.0) == back
    both = len(there) + len(back)
    desk.relay.expect_moved(before, packets_rx=2, bytes_rx=both, packets_forwarded=2, bytes_forwarded=both)


def test_a_rift_packet_is_numbered_by_its_packet_id(desk: Desk, pair: Pair) -> None:
    """§4.2: a payload starting "RI" is a RIFT packet: its id is the sequence, a bad CRC drops it."""
    header = packets.header_of(packets.FORWARD, pair.session.bytes)
    good = header + packets.rift_transport(1, 42) + b"\xde\xad"
    pair.client.send(good)
    assert pair.server.receive_raw(1.0) == good
    before = desk.relay.counted()
    pair.client.send(good)
    desk.relay.expect_moved(before, dropped_packets=1, replay_dropped_packets=1)
    before = desk.relay.counted()
    broken = bytearray(header + packets.rift_transport(1, 43))
    broken[-1] ^= 1
    pair.client.send(bytes(broken))
    desk.relay.expect_moved(before, dropped_packets=1, invalid_packets=1)


def test_a_payload_without_a_sequence_is_invalid(desk: Desk, pair: Pair) -> None:
    """§4.2, §4.6: seven bytes hold no number."""
    before = desk.relay.counted()
    pair.client.send(packets.header_of(packets.FORWARD, pair.session.bytes) + b"1234567")
    desk.relay.expect_moved(before, dropped_packets=1, invalid_packets=1)


def test_an_unknown_session_is_not_found(desk: Desk, peer: RelayPeer) -> None:
    """§4.6 row 1: silent, counted."""
    before = desk.relay.counted()
    peer.forward(uuid4(), 1)
    desk.relay.expect_moved(before, dropped_packets=1, session_not_found_packets=1)
    assert peer.receive_raw(SILENCE_S) is None


def test_a_session_with_one_end_is_not_active(desk: Desk, peer: RelayPeer) -> None:
    """§4.6 row 2: the other end has not presented yet."""
    session = uuid4()
    desk.presented(peer, session, "client")
    before = desk.relay.counted()
    peer.forward(session, 1)
    desk.relay.expect_moved(before, dropped_packets=1, session_not_active_packets=1)


def test_a_stranger_is_an_unknown_peer(desk: Desk, pair: Pair) -> None:
    """§4.6 row 3, D-15: an address that holds no role is dropped."""
    with desk.relay.peer() as stranger:
        before = desk.relay.counted()
        stranger.forward(pair.session, 1)
        desk.relay.expect_moved(before, dropped_packets=1, unknown_peer_packets=1)
    assert pair.server.receive_raw(SILENCE_S) is None


def test_presenting_from_a_new_address_moves_the_peer(target: Target, desk: Desk, pair: Pair) -> None:
    """§4.7: the way back after a NAT change; the numbering goes on, and the old address is a stranger. D-15: Wavry
    never counts it as a rebind."""
    pair.client.forward(pair.session, 1)
    assert pair.server.receive(1.0) is not None
    with desk.relay.peer() as moved:
        before = desk.relay.counted()
        desk.presented(moved, pair.session, "client")
        counted = {"lease_present_packets": 1, "nat_rebind_events": 1}
        desk.relay.expect_moved(before, **target.expects(sound=counted, wavry={"lease_present_packets": 1}))
        pair.server.forward(pair.session, 1, b"to the new address")
        arrived = moved.receive(1.0)
        assert arrived is not None and arrived.body == b"to the new address"
        moved.forward(pair.session, 2)
        arrived = pair.server.receive(1.0)
        assert arrived is not None and arrived.sequence == 2
        before = desk.relay.counted()
        pair.client.forward(pair.session, 3)
        desk.relay.expect_moved(before, dropped_packets=1, unknown_peer_packets=1)


def test_a_returning_peer_numbers_from_one_again(target: Target, desk: Desk, pair: Pair) -> None:
    """§4.4, D-16: Wavry keeps the old replay window of a peer that presents again from a new address."""
    pair.client.forward(pair.session, 1000)
    assert pair.server.receive(1.0) is not None
    with desk.relay.peer() as returned:
        desk.presented(returned, pair.session, "client")
        returned.forward(pair.session, 1)
        arrived = pair.server.receive(target.expects(sound=1.0, wavry=0.1))
    assert (arrived is not None) == target.expects(sound=True, wavry=False)


# §4.6, the whole example: numbers in order of sending, and whether each passes
WINDOW = (
    *((0, True), (0, False), (1, True), (5, True), (3, True), (3, False), (132, True), (5, False), (4, False)),
    *((133, True), (6, True), (300, True), (172, False), (173, True), (1000, True), (872, False), (873, True)),
)


def test_the_replay_window_is_128_wide_and_takes_each_number_once(desk: Desk, pair: Pair) -> None:
    """§4.6: the 17 steps (observed on the real relay), per direction."""
    before = desk.relay.counted()
    for number, _ in WINDOW:
        pair.client.forward(pair.session, number)
    passed = [number for number, passes in WINDOW if passes]
    seen: list[int] = []
    while len(seen) < len(passed) and (arrived := pair.server.receive(1.0)) is not None:
        seen.append(arrived.sequence)
    assert seen == passed
    dropped = len(WINDOW) - len(passed)
    desk.relay.expect_moved(
        before,
        packets_forwarded=len(passed),
        bytes_forwarded=28 * len(passed),
        dropped_packets=dropped,
        replay_dropped_packets=dropped,
    )
    pair.server.forward(pair.session, 0)
    assert pair.client.receive(1.0) is not None, "the other direction has a window of its own"


def test_more_than_the_hard_limit_does_not_get_through(
    target: Target, desk: Desk, peer: RelayPeer, other_peer: RelayPeer
) -> None:
    """§4.6, D-19: with 1000 kbps granted and 2000 sent, what passes stays near the grant, not the offer: Wavry passes
    a second and drops a second, a sound relay passes evenly; drops count as rate limited."""
    session = uuid4()
    for end, role in ((peer, "client"), (other_peer, "server")):
        desk.presented(end, session, role, slimit=1000, hlimit=1000)
    before = desk.relay.counted()
    sent, lasting_s = 0, target.expects(sound=1.0, wavry=2.0)
    began = time.monotonic()
    while (elapsed_s := time.monotonic() - began) < lasting_s:
        while sent < elapsed_s * 250:  # of 1000 bytes each: 2000 kbps
            sent += 1
            peer.send(packets.forward(session, sent, b"x" * (1000 - 28)))
        other_peer.receive(0.004)
    moved = desk.relay.counted().since(before)
    assert 0.3 * sent <= moved["packets_forwarded"] <= 0.75 * sent
    assert moved["rate_limited_packets"] == moved["dropped_packets"] == moved["packets_rx"] - moved["packets_forwarded"]

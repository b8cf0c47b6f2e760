"""The datagram codec, against the hex vectors of contract-master-relay.md §4.2 and §5.3."""

from __future__ import annotations

from uuid import UUID

import pytest

from drills.wavry import packets
from drills.wavry.packets import Ack, Header, MalformedPacket, Reject

SESSION = UUID("00112233-4455-6677-8899-aabbccddeeff")
SESSION_HEX = "00112233445566778899aabbccddeeff"


def test_a_present_is_role_length_token() -> None:
    """The vector of a LEASE_PRESENT with a 664-byte token."""
    token = "v4.public.eyJ" + "x" * 651
    assert packets.present(SESSION, "server", token).hex() == "57010100" + SESSION_HEX + "010298" + token.encode().hex()


def test_a_present_comes_back_as_it_was_written() -> None:
    """Trailing bytes are ignored."""
    parsed = packets.parse_present(packets.present(SESSION, "client", "token") + b"trailing")
    assert parsed == packets.Present(SESSION, "client", b"token")


def test_an_ack_holds_expiry_and_limits() -> None:
    """The vector of a LEASE_ACK, both ways."""
    vector = bytes.fromhex("57010200" + SESSION_HEX + "0000019b76df3be00000c350000186a0")
    assert packets.ack(SESSION, 1767225900000, 50000, 100000) == vector
    assert packets.ack(SESSION.bytes, 1767225900000, 50000, 100000) == vector
    assert packets.parse_ack(vector) == Ack(SESSION, 1767225900000, 50000, 100000)


def test_a_reject_holds_its_reason() -> None:
    """The vector of a LEASE_REJECT, both ways."""
    vector = bytes.fromhex("57010300" + SESSION_HEX + "0002")
    assert packets.reject(SESSION, Reject.INVALID_SIGNATURE) == vector
    assert packets.parse_reject(vector) is Reject.INVALID_SIGNATURE


def test_a_renew_is_the_header_alone() -> None:
    """The vector of a LEASE_RENEW."""
    assert packets.renew(SESSION).hex() == "57010400" + SESSION_HEX


def test_a_forward_is_sequence_and_body() -> None:
    """The opaque vector: sequence 42, "hello"."""
    datagram = packets.forward(SESSION, 42, b"hello")
    assert datagram.hex() == "57011000" + SESSION_HEX + "000000000000002a68656c6c6f"
    assert packets.parse_header(datagram) == Header(packets.FORWARD, 0, SESSION)
    assert packets.raw_session(datagram) == SESSION.bytes
    assert packets.sequence_of(datagram, packets.HEADER_BYTES) == 42


def test_a_rift_payload_is_numbered_by_its_packet_id() -> None:
    """The RIFT vector of §4.2: alias 1, packet id 42."""
    payload = bytes.fromhex("5249000100000001000000000000002a6759deadbeef")
    assert packets.sequence_of(payload) == 42
    assert packets.rift_transport(1, 42) == payload[:18]


@pytest.mark.parametrize(
    ("written", "vector"),
    [
        (packets.rift_handshake(0, 0), "52490001" + "00" * 24 + "e696"),
        (packets.rift_transport(1, 0), "52490001000000010000000000000000e901"),
        (packets.rift_transport(0x12345678, 999), "524900011234567800000000000003e73d23"),
    ],
)
def test_rift_headers_match_the_vectors(written: bytes, vector: str) -> None:
    """The three header vectors of §5.3."""
    assert written.hex() == vector


def test_the_crc_is_kermit() -> None:
    """The check value of CRC-16/KERMIT."""
    assert packets.crc16_kermit(b"123456789") == 0x2189


def test_a_handshake_form_is_told_by_alias_zero_and_length() -> None:
    """Alias 0 is the handshake form from 30 bytes on, the transport form below (§5.3)."""
    assert packets.sequence_of(packets.rift_handshake(0, 7)) == 7
    assert packets.sequence_of(packets.rift_transport(0, 9) + b"short") == 9


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"1234567",
        b"RI",
        packets.rift_transport(1, 42)[:-1],
        packets.rift_transport(1, 42)[:-1] + b"\x00",
        b"RI\x00\x02" + packets.rift_transport(1, 42)[4:],
        packets.rift_transport(0, 9) + bytes(20),
    ],
)
def test_a_payload_without_a_sequence_is_malformed(payload: bytes) -> None:
    """Too short, a RIFT header cut or damaged, another version, a transport header where a handshake must be."""
    with pytest.raises(MalformedPacket):
        packets.sequence_of(payload)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        packets.renew(SESSION)[:19],
        b"\x58" + packets.renew(SESSION)[1:],
        b"\x57\x02" + packets.renew(SESSION)[2:],
        b"\x57\x01\x05" + packets.renew(SESSION)[3:],
        packets.renew(UUID(int=0)),
        packets.forward(SESSION, 1, bytes(1473)),
    ],
)
def test_a_strange_header_is_malformed(datagram: bytes) -> None:
    """Length, magic, version, type, nil session, and one byte over 1500."""
    with pytest.raises(MalformedPacket):
        packets.parse_header(datagram)


def test_the_largest_datagram_is_1500_bytes() -> None:
    """A payload of 1480 bytes is the most that passes."""
    assert packets.is_well_formed(packets.forward(SESSION, 1, bytes(1472)))


@pytest.mark.parametrize("payload", ["", "0100", "02000141", "01000241", "ff000141"])
def test_a_strange_present_is_malformed(payload: str) -> None:
    """Too short, no such role, a token longer than the datagram (§4.4)."""
    with pytest.raises(MalformedPacket):
        packets.parse_present(packets.header_of(packets.PRESENT, SESSION.bytes) + bytes.fromhex(payload))


def test_an_answer_of_another_type_or_reason_is_malformed() -> None:
    """An ACK is no REJECT, a cut one neither, and reason 7 does not exist."""
    acknowledged = packets.ack(SESSION, 1, 2, 3)
    for datagram in (acknowledged, packets.header_of(packets.REJECT, SESSION.bytes) + b"\x00\x07"):
        with pytest.raises(MalformedPacket):
            packets.parse_reject(datagram)
    with pytest.raises(MalformedPacket):
        packets.parse_ack(acknowledged[:-1])


def test_a_token_that_cannot_fit_is_refused_when_written() -> None:
    """1477 bytes is the most a datagram carries."""
    assert len(packets.present(SESSION, "client", "x" * 1477)) == packets.MAX_DATAGRAM
    with pytest.raises(MalformedPacket):
        packets.present(SESSION, "client", "x" * 1478)

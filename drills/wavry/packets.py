"""The datagrams of Wavry's relay protocol: one codec for the ends, the probes and the reference relay.

All integers are big-endian and every datagram starts with the same 20 bytes (contract-master-relay.md
§4.1). Two shapes of each function exist where it matters: one with a ``UUID`` for reading pleasure, and raw
ones (``raw_session``, ``header_of``, ``sequence_of`` with an offset) for code that sees thousands of
datagrams a second, where making a UUID would cost more than everything else.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from uuid import UUID

PRESENT = 0x01
ACK = 0x02
REJECT = 0x03
RENEW = 0x04
FORWARD = 0x10
TYPES = frozenset({PRESENT, ACK, REJECT, RENEW, FORWARD})

CLIENT = 0
SERVER = 1
ROLE_BYTES = {"client": CLIENT, "server": SERVER}
ROLES = {byte: role for role, byte in ROLE_BYTES.items()}

MAX_DATAGRAM = 1500  # header included (contract §4.1)
HEADER_BYTES = 20
MAX_TOKEN = MAX_DATAGRAM - HEADER_BYTES - 3  # role and length take three bytes

VERSIONED_MAGIC = b"\x57\x01"
NIL_SESSION = bytes(16)

_HEADER = Struct("!2sBB16s")
_PRESENT = Struct("!BH")
_ACK = Struct("!QII")
_REASON = Struct("!H")
_SEQUENCE = Struct("!Q")

RIFT_MAGIC = b"RI"
RIFT_VERSION = 1
_RIFT_START = Struct("!2sHI")  # magic, version, alias (or the top of a session id)
_RIFT_HANDSHAKE = Struct("!2sH16sQ")
_RIFT_TRANSPORT = Struct("!2sHIQ")
_CRC = Struct("!H")
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Reject(IntEnum):
    """Why a relay refused a lease (contract §4.2)."""

    EXPIRED = 1
    INVALID_SIGNATURE = 2
    WRONG_RELAY = 3
    SESSION_FULL = 4
    BANNED = 5
    RATE_LIMITED = 6


class MalformedPacket(ValueError):
    """A datagram or payload that is not what its place says it should be."""


@dataclass(frozen=True)
class Header:
    """The first 20 bytes of a datagram."""

    type: int
    flags: int
    session: UUID


@dataclass(frozen=True)
class Present:
    """A LEASE_PRESENT; the token is bytes, because whether it is text is the receiver's question."""

    session: UUID
    role: str
    token: bytes


@dataclass(frozen=True)
class Ack:
    """A LEASE_ACK; the expiry is that of the relay's session, not of the token (contract §4.2)."""

    session: UUID
    expires_unix_ms: int
    soft_kbps: int
    hard_kbps: int


def header_of(kind: int, session: bytes) -> bytes:
    """The 20 header bytes of one type for a raw session; ends keep the FORWARD one and add to it."""
    return _HEADER.pack(VERSIONED_MAGIC, kind, 0, session)


def present(session: UUID, role: str, token: str) -> bytes:
    """A LEASE_PRESENT; a token over 1477 bytes cannot be carried and raises MalformedPacket."""
    encoded = token.encode()
    if len(encoded) > MAX_TOKEN:
        raise MalformedPacket(f"a token of {len(encoded)} bytes does not fit a datagram; at most {MAX_TOKEN} do")
    return header_of(PRESENT, session.bytes) + _PRESENT.pack(ROLE_BYTES[role], len(encoded)) + encoded


def renew(session: UUID) -> bytes:
    """A LEASE_RENEW: the header alone."""
    return header_of(RENEW, session.bytes)


def forward(session: UUID, sequence: int, body: bytes) -> bytes:
    """A FORWARD with an opaque payload: eight bytes of sequence, then the body."""
    return header_of(FORWARD, session.bytes) + _SEQUENCE.pack(sequence) + body


def ack(session: UUID | bytes, expires_unix_ms: int, soft_kbps: int, hard_kbps: int) -> bytes:
    """A LEASE_ACK."""
    return header_of(ACK, _raw(session)) + _ACK.pack(expires_unix_ms, soft_kbps, hard_kbps)


def reject(session: UUID | bytes, reason: Reject) -> bytes:
    """A LEASE_REJECT."""
    return header_of(REJECT, _raw(session)) + _REASON.pack(reason)


def _raw(session: UUID | bytes) -> bytes:
    return session.bytes if isinstance(session, UUID) else session


def is_well_formed(datagram: bytes) -> bool:
    """Whether length, magic, version, type and session pass the relay's first look (contract §4.3, step 2)."""
    return (
        HEADER_BYTES <= len(datagram) <= MAX_DATAGRAM
        and datagram[:2] == VERSIONED_MAGIC
        and datagram[2] in TYPES
        and datagram[4:20] != NIL_SESSION
    )


def raw_session(datagram: bytes) -> bytes:
    """The 16 session bytes of a well-formed datagram."""
    return datagram[4:20]


def parse_header(datagram: bytes) -> Header:
    """The header; anything `is_well_formed` refuses raises MalformedPacket."""
    if not is_well_formed(datagram):
        raise MalformedPacket(f"not a relay datagram: {len(datagram)} bytes, first {datagram[:4].hex(' ') or 'none'}")
    return Header(datagram[2], datagram[3], UUID(bytes=datagram[4:20]))


def parse_ack(datagram: bytes) -> Ack:
    """A LEASE_ACK, or MalformedPacket."""
    session = _expect(datagram, ACK, _ACK.size)
    return Ack(session, *_ACK.unpack_from(datagram, HEADER_BYTES))


def parse_reject(datagram: bytes) -> Reject:
    """The reason in a LEASE_REJECT; an unknown number raises MalformedPacket."""
    _expect(datagram, REJECT, _REASON.size)
    (number,) = _REASON.unpack_from(datagram, HEADER_BYTES)
    try:
        return Reject(number)
    except ValueError:
        raise MalformedPacket(f"reject reason {number} is not one of 1 to 6") from None


def parse_present(datagram: bytes) -> Present:
    """A LEASE_PRESENT; trailing bytes are ignored and an empty token is let through (contract §4.2, §4.4)."""
    session = _expect(datagram, PRESENT, _PRESENT.size)
    role, length = _PRESENT.unpack_from(datagram, HEADER_BYTES)
    start = HEADER_BYTES + _PRESENT.size
    if role not in ROLES:
        raise MalformedPacket(f"role byte {role} is neither client (0) nor server (1)")
    if start + length > len(datagram):
        raise MalformedPacket(f"a token of {length} bytes is announced, {len(datagram) - start} are there")
    return Present(session, ROLES[role], datagram[start : start + length])


def _expect(datagram: bytes, kind: int, payload_bytes: int) -> UUID:
    """The session of a datagram of this type with at least this much payload."""
    header = parse_header(datagram)
    if header.type != kind:
        raise MalformedPacket(f"type 0x{header.type:02x} where 0x{kind:02x} was expected")
    if len(datagram) < HEADER_BYTES + payload_bytes:
        raise MalformedPacket(f"type 0x{kind:02x} with only {len(datagram) - HEADER_BYTES} payload bytes")
    return header.session


def sequence_of(payload: bytes, offset: int = 0) -> int:
    """The 64-bit sequence of a FORWARD payload that starts at ``offset``, or MalformedPacket (contract §4.2).

    A payload that begins with "RI" is read as a RIFT packet, CRC included; any other as eight bytes of number.
    """
    if payload[offset : offset + 2] == RIFT_MAGIC:
        return rift_packet_id(payload[offset:])
    if len(payload) < offset + 8:
        raise MalformedPacket(f"a FORWARD payload of {len(payload) - offset} bytes has no sequence")
    sequence: int = _SEQUENCE.unpack_from(payload, offset)[0]
    return sequence


def rift_packet_id(packet: bytes) -> int:
    """The packet id of a RIFT packet whose version and header CRC are right, or MalformedPacket (contract §5.3)."""
    if len(packet) < _RIFT_TRANSPORT.size + _CRC.size:
        raise MalformedPacket(f"a RIFT packet of {len(packet)} bytes is shorter than its header")
    _, version, alias = _RIFT_START.unpack_from(packet)
    if version != RIFT_VERSION:
        raise MalformedPacket(f"RIFT version {version} is not {RIFT_VERSION}")
    # alias 0 marks the handshake form, but only where there is room for one
    handshake = alias == 0 and len(packet) >= _RIFT_HANDSHAKE.size + _CRC.size
    form = _RIFT_HANDSHAKE if handshake else _RIFT_TRANSPORT
    (crc,) = _CRC.unpack_from(packet, form.size)
    if crc != crc16_kermit(packet[: form.size]):
        raise MalformedPacket("the CRC of the RIFT header does not match")
    packet_id: int = form.unpack_from(packet)[-1]
    return packet_id


def rift_handshake(session_id: int, packet_id: int) -> bytes:
    """The 30-byte RIFT header of the handshake form; in practice the session id is 0 (contract §5.3)."""
    return _with_crc(_RIFT_HANDSHAKE.pack(RIFT_MAGIC, RIFT_VERSION, session_id.to_bytes(16, "big"), packet_id))


def rift_transport(alias: int, packet_id: int) -> bytes:
    """The 18-byte RIFT header of the transport form; the alias is not 0 (contract §5.3)."""
    return _with_crc(_RIFT_TRANSPORT.pack(RIFT_MAGIC, RIFT_VERSION, alias, packet_id))


def _with_crc(header: bytes) -> bytes:
    return header + _CRC.pack(crc16_kermit(header))


def crc16_kermit(covered: bytes) -> int:
    """CRC-16/KERMIT; it is the mirror image of the CRC that `binascii` computes in C, so both ends are mirrored."""
    crc = binascii.crc_hqx(covered.translate(_MIRRORED), 0)
    return _MIRRORED[crc & 0xFF] << 8 | _MIRRORED[crc >> 8]

"""The lease: a PASETO v4.public token that a master signs and a relay checks, and the key it is signed with.

Only the parts of PASETO that Wavry uses are here, on `cryptography`'s Ed25519: importing `pyseto` costs
140 ms at every start of a relay, and a test checks our tokens against it. A lease carries every time twice:
the library's ``iat``/``nbf``/``exp`` (``exp`` always an hour away) and the ``*_rfc3339`` ones, which are the
effective ones (contract-master-relay.md §2.4).
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

HEADER = "v4.public."
SIGNATURE_BYTES = 64
LIBRARY_LIFETIME = timedelta(seconds=3600)  # whatever the lease's own lifetime (contract §2.4)
DEFAULT_SOFT_KBPS = 50_000
DEFAULT_HARD_KBPS = 100_000
# stands for a time that the token does not claim; it is never in the future, so no check trips over it
UNCLAIMED = datetime(1970, 1, 1, tzinfo=UTC)

_LENGTH = Struct("<Q")
_HEX_KEY = re.compile(r"[0-9a-fA-F]{128}")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


class LeaseRefused(ValueError):
    """A token that is not a lease signed with this key, or whose payload cannot be read as one."""


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 key in Wavry's form: 32 bytes of seed, then 32 of public key (contract §2.3)."""

    seed: bytes = field(repr=False)

    @classmethod
    def from_hex(cls, text: str) -> SigningKey:
        """The key in 128 hex characters; another length, or halves that do not belong together, raise ValueError."""
        if not _HEX_KEY.fullmatch(text):
            raise ValueError(f"a signing key is 128 hex characters (seed and public key), found {len(text)} characters")
        key = cls(bytes.fromhex(text[:64]))
        if key.public_key != bytes.fromhex(text[64:]):
            raise ValueError("the public half of the signing key does not belong to its seed")
        return key

    @classmethod
    def generate(cls) -> SigningKey:
        """A new random key."""
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def public_key(self) -> bytes:
        """The 32 public bytes."""
        return self._private.public_key().public_bytes_raw()

    @property
    def public_hex(self) -> str:
        """The public key as ``/.well-known/wavry-id`` and ``--master-public-key`` write it."""
        return self.public_key.hex()

    @property
    def hex(self) -> str:
        """The 128 characters for ``WAVRY_MASTER_SIGNING_KEY``. A secret: never log it."""
        return self.seed.hex() + self.public_hex

    @property
    def key_id(self) -> str:
        """The id a master derives when none is given."""
        return key_id_of(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of signature; the same message always gives the same ones."""
        return self._private.sign(message)

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def key_id_of(public_key: bytes) -> str:
    """The derived id of a key: "k" and the first eight public bytes in hex (contract §2.3)."""
    return "k" + public_key[:8].hex()


@dataclass(frozen=True)
class LeaseClaims:
    """What a lease grants: who, in which session and role, at which relay, from when to when, how fast.

    The times are those of the ``*_rfc3339`` claims. In decoded claims an absent optional one is "" (relay and
    key id), UNCLAIMED (issued at, not before) or the default limit.
    """

    subject: str
    session: UUID
    role: str
    relay_id: str
    key_id: str
    issued_at: datetime
    not_before: datetime
    expires_at: datetime
    soft_kbps: int = DEFAULT_SOFT_KBPS
    hard_kbps: int = DEFAULT_HARD_KBPS


def mint(claims: LeaseClaims, key: SigningKey, *, library_issued_at: datetime | None = None, footer: str = "") -> str:
    """A signed lease with every claim of contract §2.4, in the order of its vector.

    ``library_issued_at`` (default: the claims' own) gives ``iat`` and ``nbf``, cut to whole seconds as the real
    master does (observed.md, D-20).
    """
    issued = claims.issued_at if library_issued_at is None else library_issued_at
    payload = {
        "iat": _whole_seconds(issued),
        "nbf": _whole_seconds(issued),
        "exp": _whole_seconds(issued + LIBRARY_LIFETIME),
        "sub": claims.subject,
        "wavry_id": claims.subject,
        "sid": str(claims.session),
        "role": claims.role,
        "rid": claims.relay_id,
        "kid": claims.key_id,
        "iat_rfc3339": claims.issued_at.astimezone(UTC).isoformat(),
        "nbf_rfc3339": claims.not_before.astimezone(UTC).isoformat(),
        "exp_rfc3339": claims.expires_at.astimezone(UTC).isoformat(),
        "slimit": claims.soft_kbps,
        "hlimit": claims.hard_kbps,
    }
    return sign_payload(json.dumps(payload, separators=(",", ":")).encode(), key, footer.encode())


def _whole_seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sign_payload(payload: bytes, key: SigningKey, footer: bytes = b"") -> str:
    """A v4.public token for any payload, also for one that no master would write."""
    signature = key.sign(_signed_message(payload, footer))
    token = HEADER + _encoded(payload + signature)
    return f"{token}.{_encoded(footer)}" if footer else token


def verify(token: str, public_key: bytes) -> dict[str, Any]:
    """The payload of a token signed with this key, times unchecked; anything else raises LeaseRefused.

    A footer is covered by the signature and otherwise ignored (contract §4.4).
    """
    body, footer = _taken_apart(token)
    payload, signature = body[:-SIGNATURE_BYTES], body[-SIGNATURE_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, _signed_message(payload, footer))
    except InvalidSignature:
        raise LeaseRefused("the signature was not made with this key") from None
    return _json_object(payload)


def peek(token: str) -> dict[str, Any]:
    """The payload of a token whose signature is *not* checked: for clients, who have no key, and for probes."""
    body, _ = _taken_apart(token)
    return _json_object(body[:-SIGNATURE_BYTES])


def decode(payload: Mapping[str, Any]) -> LeaseClaims:
    """The claims in a payload; ``sub``, ``sid``, ``role`` and ``exp_rfc3339`` are required (contract §4.4).

    A missing or mistyped claim raises LeaseRefused. The role is taken as it is written.
    """
    return LeaseClaims(
        subject=_text(payload, "sub"),
        session=_session(payload),
        role=_text(payload, "role"),
        relay_id=_text(payload, "rid", ""),
        key_id=_text(payload, "kid", ""),
        issued_at=_time(payload, "iat_rfc3339", UNCLAIMED),
        not_before=_time(payload, "nbf_rfc3339", UNCLAIMED),
        expires_at=_time(payload, "exp_rfc3339"),
        soft_kbps=_kbps(payload, "slimit", DEFAULT_SOFT_KBPS),
        hard_kbps=_kbps(payload, "hlimit", DEFAULT_HARD_KBPS),
    )


def parse_rfc3339(text: str) -> datetime:
    """An RFC 3339 time as an aware datetime, digits beyond the microsecond cut; anything else raises ValueError."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("not an RFC 3339 time")
    return datetime.fromisoformat(text.upper())


def _signed_message(payload: bytes, footer: bytes) -> bytes:
    """PASETO's pre-authentication encoding of header, payload, footer and an empty implicit assertion."""
    pieces = (HEADER.encode(), payload, footer, b"")
    return _LENGTH.pack(len(pieces)) + b"".join(_LENGTH.pack(len(piece)) + piece for piece in pieces)


def _taken_apart(token: str) -> tuple[bytes, bytes]:
    """Payload with signature, and footer."""
    parts = token.removeprefix(HEADER).split(".")
    if not token.startswith(HEADER) or len(parts) > 2:
        raise LeaseRefused("not a v4.public token")
    body = _decoded(parts[0])
    if len(body) <= SIGNATURE_BYTES:
        raise LeaseRefused("the token is too short to hold a signature")
    return body, _decoded(parts[1]) if len(parts) == 2 else b""


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """The bytes of unpadded base64url. Python's decoder skips strange letters, so the way back must agree."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise LeaseRefused("the token is not base64url") from None
    if _encoded(raw) != text:
        raise LeaseRefused("the token is not base64url")
    return raw


def _json_object(payload: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(payload)
    except (ValueError, RecursionError):
        raise LeaseRefused("the payload is not JSON") from None
    if not isinstance(parsed, dict):
        raise LeaseRefused("the payload is not a JSON object")
    return parsed


def _text(payload: Mapping[str, Any], name: str, absent: str | None = None) -> str:
    value = payload.get(name)
    if value is None and absent is not None:
        return absent
    if not isinstance(value, str):
        raise LeaseRefused(f"claim {name} is missing or not a string")
    return value


def _session(payload: Mapping[str, Any]) -> UUID:
    try:
        return UUID(_text(payload, "sid"))
    except ValueError:
        raise LeaseRefused("claim sid is not a UUID") from None


def _time(payload: Mapping[str, Any], name: str, absent: datetime | None = None) -> datetime:
    if absent is not None and payload.get(name) is None:
        return absent
    try:
        return parse_rfc3339(_text(payload, name))
    except ValueError:
        raise LeaseRefused(f"claim {name} is missing or not an RFC 3339 time") from None


def _kbps(payload: Mapping[str, Any], name: str, absent: int) -> int:
    value = payload.get(name)
    if value is None:
        return absent
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32:
        raise LeaseRefused(f"claim {name} is not a whole number of kbps")
    return value

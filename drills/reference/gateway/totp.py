"""Time-based one-time codes (RFC 6238: SHA-1, 6 digits, 30 s, one step either way) and their secrets at rest.

At rest a secret is ``enc:v1:`` + base64(24-byte nonce + XChaCha20-Poly1305 ciphertext and tag of the base32 text),
Wavry's own form (contract §3.5). The setup picture is an honest blank: one white pixel, because no drill scans it
and a QR code encoder would be larger than everything else here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import struct
import zlib

from Cryptodome.Cipher import ChaCha20_Poly1305

STEP_S = 30
SECRET_BYTES = 20
SECRET_BYTES_MIN = 16
SEALED = "enc:v1:"
_NONCE_BYTES = 24
_TAG_BYTES = 16


class SecretUnavailable(Exception):
    """A secret cannot be sealed or opened: no key, another key, or a plain row where none is allowed."""


def new_secret() -> str:
    """A fresh secret as 32 characters of base32."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def secret_form(given: str) -> str | None:
    """A given secret without whitespace, or None when it is not unpadded base32 of 16 bytes or more."""
    text = re.sub(r"\s", "", given)
    if not re.fullmatch(r"[A-Z2-7]+", text):
        return None
    try:
        raw = _unpadded(text)
    except binascii.Error:
        return None
    return text if len(raw) >= SECRET_BYTES_MIN else None


def code(secret: str, unix_s: float) -> str:
    """The code of a secret at this time."""
    counter = struct.pack(">Q", int(unix_s) // STEP_S)
    digest = hmac.new(_unpadded(secret), counter, hashlib.sha1).digest()
    (word,) = struct.unpack_from(">I", digest, digest[-1] & 0x0F)
    return f"{(word & 0x7FFFFFFF) % 1_000_000:06d}"


def matches(secret: str, given: str, unix_s: float) -> bool:
    """Whether a code is that of this step or of one beside it."""
    steps = (unix_s - STEP_S, unix_s, unix_s + STEP_S)
    return any(hmac.compare_digest(code(secret, at), given) for at in steps if at >= 0)


class Vault:
    """Seals and opens secrets with the key of ``WAVRY_TOTP_KEY_B64``; a key that is not 32 bytes counts as none."""

    def __init__(self, key_b64: str, plain_allowed: bool = False, *, in_plain: bool = False) -> None:
        self._key = None if in_plain else _key(key_b64)  # a defect: secrets at rest need no key at all
        self._plain_allowed = plain_allowed or in_plain

    def sealed(self, secret: str) -> str:
        """A secret as it is stored."""
        if self._key is None:
            if self._plain_allowed:
                return secret
            raise SecretUnavailable("no key")
        nonce = secrets.token_bytes(_NONCE_BYTES)
        ciphertext, tag = ChaCha20_Poly1305.new(key=self._key, nonce=nonce).encrypt_and_digest(secret.encode())
        return SEALED + base64.b64encode(nonce + ciphertext + tag).decode()

    def opened(self, stored: str) -> str:
        """A stored secret in plain."""
        if not stored.startswith(SEALED):
            if self._plain_allowed:
                return stored
            raise SecretUnavailable("a plain secret")
        if self._key is None:
            raise SecretUnavailable("no key")
        try:
            raw = base64.b64decode(stored.removeprefix(SEALED), validate=True)
            cipher = ChaCha20_Poly1305.new(key=self._key, nonce=raw[:_NONCE_BYTES])
            return cipher.decrypt_and_verify(raw[_NONCE_BYTES:-_TAG_BYTES], raw[-_TAG_BYTES:]).decode()
        except ValueError:
            raise SecretUnavailable("another key, or damaged") from None


def blank_png_base64() -> str:
    """One white pixel as a PNG."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\x00\xff")), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()


def _key(key_b64: str) -> bytes | None:
    try:
        raw = base64.b64decode(key_b64, validate=True)
    except binascii.Error:
        return None
    return raw if len(raw) == 32 else None


def _unpadded(text: str) -> bytes:
    return base64.b32decode(text + "=" * (-len(text) % 8))

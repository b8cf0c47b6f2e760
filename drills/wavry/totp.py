"""A second factor's codes as a user's own device makes them: RFC 6238 with SHA-1, 6 digits, 30 s (contract §3.3)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from struct import Struct

STEP_S = 30
_COUNTER, _WORD = Struct(">Q"), Struct(">I")


def code(secret: str, unix_s: float) -> str:
    """The code of a secret (unpadded base32) at a time; the gateway takes that of one step either way too."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, _COUNTER.pack(int(unix_s) // STEP_S), hashlib.sha1).digest()
    (word,) = _WORD.unpack_from(digest, digest[-1] & 0x0F)
    return f"{(word & 0x7FFFFFFF) % 1_000_000:06d}"

"""The field rules of contract §3.1: what is taken off, and what is accepted. Lengths are in bytes."""

from __future__ import annotations

import re
import unicodedata

NAME = re.compile(r"[A-Za-z0-9_.-]{3,32}")
TOKEN = re.compile(r"[A-Za-z0-9_.-]{32,256}")
PUBLIC_KEY = re.compile(r"[0-9A-Fa-f]{64,128}")
CODE = re.compile(r"[0-9]{6}")
SDP_BYTES_MAX = 32_768
CANDIDATE_BYTES_MAX = 4096

_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def ascii_lower(text: str) -> str:
    """Lower case of the ASCII letters only, so that no other letter changes its length."""
    return text.translate(_ASCII_LOWER)


def email_form(email: str) -> str:
    """An e-mail address as it is stored and looked up."""
    return ascii_lower(email.strip())


def email_ok(email: str) -> bool:
    """Whether a normalised e-mail address is acceptable."""
    local, at, domain = email.partition("@")
    dotted = "." in domain and not domain.startswith(".") and not domain.endswith(".")
    plain = "@" not in domain and not any(character.isspace() for character in email)
    return bool(local and at and dotted and plain) and size(email) <= 254


def display_name_ok(name: str) -> bool:
    """Whether a trimmed display name is acceptable."""
    return 1 <= size(name) <= 64 and not any(unicodedata.category(character) == "Cc" for character in name)


def new_password_ok(password: str) -> bool:
    """Whether a password may be chosen."""
    return 12 <= size(password) <= 128


def password_ok(password: str) -> bool:
    """Whether a password may be tried."""
    return 1 <= size(password) <= 128


def name_ok(name: str) -> bool:
    """Whether this can be a username."""
    return NAME.fullmatch(name) is not None


def token_ok(token: str) -> bool:
    """Whether this has the shape of a session token."""
    return TOKEN.fullmatch(token) is not None


def code_ok(code: str) -> bool:
    """Whether this has the shape of a TOTP code."""
    return CODE.fullmatch(code) is not None


def size(text: str) -> int:
    """The length of a text in bytes."""
    return len(text.encode())

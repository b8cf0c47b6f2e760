"""Keys and leases, against the vectors of contract-master-relay.md §2.3 and §2.4, and against another library."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pyseto
import pytest

from drills.wavry import lease
from drills.wavry.lease import LeaseClaims, LeaseRefused, SigningKey

SEED_HEX = "07" * 32
PUBLIC_HEX = "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
KEY = SigningKey.from_hex(SEED_HEX + PUBLIC_HEX)
TOKEN = (
    "v4.public.eyJpYXQiOiIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsIm5iZiI6IjIwMjYtMDEtMDFUMDA6MDA6MDBaIiwiZXhwIjoiMjAyNi0wMS0wMVQw"
    "MTowMDowMFoiLCJzdWIiOiJ1c2VyX2FsaWNlMTIzIiwid2F2cnlfaWQiOiJ1c2VyX2FsaWNlMTIzIiwic2lkIjoiMDAxMTIyMzMtNDQ1NS02Njc3LT"
    "g4OTktYWFiYmNjZGRlZWZmIiwicm9sZSI6InNlcnZlciIsInJpZCI6IjZmMWQyYzNiLTRhNTktNDY4Ny05YWJjLWRlZjAxMjM0NTY3OCIsImtpZCI6"
    "ImtlYTRhNmM2M2UyOWM1MjBhIiwiaWF0X3JmYzMzMzkiOiIyMDI2LTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwibmJmX3JmYzMzMzkiOiIyMDI1LTEyLT"
    "MxVDIzOjU5OjU1KzAwOjAwIiwiZXhwX3JmYzMzMzkiOiIyMDI2LTAxLTAxVDAwOjE1OjAwKzAwOjAwIiwic2xpbWl0Ijo1MDAwMCwiaGxpbWl0Ijox"
    "MDAwMDB9JeR9iX14hSUFVXhgyksX2AsTJo7o-ylG3h9zXBc_-YbYHMoOI0smWa9jjCCNeA7qIzSSw1JxZVztoEP22zh2DQ"
)
ISSUED = datetime(2026, 1, 1, tzinfo=UTC)
CLAIMS = LeaseClaims(
    subject="user_alice123",
    session=UUID("00112233-4455-6677-8899-aabbccddeeff"),
    role="server",
    relay_id="6f1d2c3b-4a59-4687-9abc-def012345678",
    key_id="kea4a6c63e29c520a",
    issued_at=ISSUED,
    not_before=ISSUED - timedelta(seconds=5),
    expires_at=ISSUED + timedelta(minutes=15),
)


def test_the_key_of_the_contract_has_its_id_and_halves() -> None:
    """The vector of §2.3."""
    assert (KEY.public_hex, KEY.key_id, KEY.hex) == (PUBLIC_HEX, "kea4a6c63e29c520a", SEED_HEX + PUBLIC_HEX)


@pytest.mark.parametrize(
    "text", ["", SEED_HEX, SEED_HEX + "00" * 32, SEED_HEX + PUBLIC_HEX + "\n", "zz" * 64, SEED_HEX + PUBLIC_HEX + "00"]
)
def test_a_key_in_another_form_is_refused(text: str) -> None:
    """A seed alone, halves that do not belong together, a newline, and letters that are not hex (§2.3)."""
    with pytest.raises(ValueError, match="signing key"):
        SigningKey.from_hex(text)


def test_a_refused_key_is_not_quoted() -> None:
    """An error about a key never holds the key."""
    with pytest.raises(ValueError) as refused:
        SigningKey.from_hex(SEED_HEX + "00" * 32)
    assert SEED_HEX not in str(refused.value)


def test_the_seed_is_never_shown() -> None:
    """Neither repr nor str of a key holds its seed."""
    key = SigningKey.generate()
    for text in (repr(key), str(key)):
        assert key.seed.hex() not in text and repr(key.seed) not in text


def test_a_generated_key_survives_its_hex() -> None:
    """What `.hex` gives, `from_hex` takes."""
    key = SigningKey.generate()
    assert SigningKey.from_hex(key.hex) == key


def test_the_token_of_the_contract_is_minted_exactly() -> None:
    """Ed25519 is deterministic, so the vector's claims give the vector's 664 characters (§2.4)."""
    assert lease.mint(CLAIMS, KEY) == TOKEN


def test_a_lease_comes_back_as_it_was_minted() -> None:
    """Verified or only peeked at, the payload decodes to the same claims."""
    assert lease.decode(lease.verify(TOKEN, KEY.public_key)) == CLAIMS
    assert lease.decode(lease.peek(TOKEN)) == CLAIMS


def test_library_times_can_differ_from_the_effective_ones() -> None:
    """`iat`, `nbf` and `exp` follow their own start, cut to whole seconds; the others do not move."""
    ahead = ISSUED + timedelta(seconds=2, milliseconds=700)
    payload = lease.peek(lease.mint(CLAIMS, KEY, library_issued_at=ahead))
    assert (payload["iat"], payload["nbf"], payload["exp"]) == (
        "2026-01-01T00:00:02Z",
        "2026-01-01T00:00:02Z",
        "2026-01-01T01:00:02Z",
    )
    assert payload["iat_rfc3339"] == "2026-01-01T00:00:00+00:00"


def test_a_footer_is_accepted() -> None:
    """A valid token with a footer verifies; the footer is covered by the signature (§4.4)."""
    token = lease.mint(CLAIMS, KEY, footer="anything")
    assert lease.verify(token, KEY.public_key)["sub"] == "user_alice123"
    with pytest.raises(LeaseRefused, match="signature"):
        lease.verify(token.rpartition(".")[0], KEY.public_key)


def test_another_library_agrees_on_the_token() -> None:
    """`pyseto` verifies ours, with and without a footer, and we verify its."""
    public = pyseto.Key.from_asymmetric_key_params(4, x=KEY.public_key)
    secret = pyseto.Key.from_asymmetric_key_params(4, d=KEY.seed)
    for footer in ("", "a footer"):
        assert b"user_alice123" in pyseto.decode(public, lease.mint(CLAIMS, KEY, footer=footer)).payload
        theirs = pyseto.encode(secret, payload=b'{"sub":"x"}', footer=footer.encode()).decode()
        assert lease.verify(theirs, KEY.public_key) == {"sub": "x"}


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("", "v4.public"),
        ("v3.public." + TOKEN[10:], "v4.public"),
        ("v4.local." + TOKEN[10:], "v4.public"),
        (TOKEN + ".Zm9v.Zm9v", "v4.public"),
        ("v4.public.", "short"),
        ("v4.public.AAAA", "short"),
        (TOKEN[:-1] + "!", "base64url"),
        (TOKEN[:40] + "\n" + TOKEN[40:], "base64url"),
        (TOKEN + "==", "base64url"),
        (TOKEN + "é", "base64url"),
        (TOKEN[:40] + ("B" if TOKEN[40] == "A" else "A") + TOKEN[41:], "signature"),
        (lease.mint(CLAIMS, SigningKey(b"\x08" * 32)), "signature"),
        (lease.sign_payload(b"not json", KEY), "JSON"),
        (lease.sign_payload(b"[1]", KEY), "object"),
    ],
)
def test_what_is_not_a_signed_lease_is_refused(token: str, why: str) -> None:
    """Shape, base64, signature, JSON, each with its reason."""
    with pytest.raises(LeaseRefused, match=why):
        lease.verify(token, KEY.public_key)


def test_a_refusal_never_quotes_the_token() -> None:
    """A token is a secret until it expires."""
    with pytest.raises(LeaseRefused) as refused:
        lease.verify(TOKEN, SigningKey(b"\x08" * 32).public_key)
    assert TOKEN[10:30] not in str(refused.value)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("sub", None),
        ("sub", 1),
        ("sid", None),
        ("sid", "not-a-uuid"),
        ("role", None),
        ("rid", 5),
        ("exp_rfc3339", None),
        ("exp_rfc3339", "2026-01-01"),
        ("exp_rfc3339", "2026-13-01T00:00:00Z"),
        ("iat_rfc3339", "yesterday"),
        ("slimit", -1),
        ("slimit", "50000"),
        ("hlimit", 2**32),
        ("hlimit", True),
    ],
)
def test_a_claim_missing_or_mistyped_is_refused(claim: str, value: Any) -> None:
    """Required claims must be there, all must be of their type."""
    with pytest.raises(LeaseRefused, match=claim):
        lease.decode(lease.peek(TOKEN) | {claim: value})


def test_optional_claims_have_stand_ins() -> None:
    """Without the optional claims the times never trip a check and the limits are the defaults (§4.4)."""
    required = {name: lease.peek(TOKEN)[name] for name in ("sub", "sid", "role", "exp_rfc3339")}
    assert lease.decode(required) == dataclasses.replace(
        CLAIMS, relay_id="", key_id="", issued_at=lease.UNCLAIMED, not_before=lease.UNCLAIMED
    )


@pytest.mark.parametrize(
    "text", ["2026-01-01T00:00:00Z", "2026-01-01t00:00:00.000000000z", "2026-01-01 01:00:00.0+01:00"]
)
def test_rfc3339_is_read_in_its_forms(text: str) -> None:
    """Zulu or offset, small letters, up to nine fractional digits."""
    assert lease.parse_rfc3339(text) == ISSUED

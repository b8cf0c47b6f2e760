"""The WebSocket messages a master understands (contract §2.10): one JSON object each, ``type`` inside it.

What cannot be read is ``None`` and gets no answer: no JSON, no object, an unknown type, a field missing or of
the wrong kind. OFFER_RIFT and ANSWER_RIFT are among the unknown types, as they are for Wavry's master.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from drills.reference.master.lender import Denied
from drills.reference.strict_json import Fields, NotJson, WrongShape, compact, decoded

NAME_HEAD = 8  # characters of a token that make the name


@dataclass(frozen=True)
class Bind:
    """BIND: from now on this socket is the one of ``name``."""

    name: str


@dataclass(frozen=True)
class RequestRelay:
    """REQUEST_RELAY: two leases, please."""

    target: str
    region: str | None


@dataclass(frozen=True)
class Forward:
    """OFFER, ANSWER or CANDIDATE; ``rest`` is all but the type and the name."""

    kind: str
    target: str
    rest: dict[str, str | None] = field(repr=False)

    def as_sent_by(self, sender: str) -> str:
        """The message for the target: the name in it is now the sender's."""
        return compact({"type": self.kind, "target_username": sender, **self.rest})


Message = Bind | RequestRelay | Forward


def read(text: str) -> Message | None:
    """The message in a text frame, or None."""
    try:
        fields = decoded(text.encode(), trailing_ignored=False)
        reader = _READERS.get(fields.text("type"))
        return reader(fields) if reader else None
    except (NotJson, WrongShape, UnicodeEncodeError):
        return None


def error(denied: Denied) -> str:
    """ERROR."""
    return compact({"type": "ERROR", "code": denied.code, "message": denied.message})


def credentials(relay_id: str, token: str, address: str, session: object) -> str:
    """RELAY_CREDENTIALS. Holds a secret: never log it."""
    return compact(
        {"type": "RELAY_CREDENTIALS", "relay_id": relay_id, "token": token, "addr": address, "session_id": str(session)}
    )


def _bind(fields: Fields) -> Bind:
    return Bind("user_" + fields.text("token")[:NAME_HEAD])


def _request_relay(fields: Fields) -> RequestRelay:
    return RequestRelay(fields.text("target_username"), fields.optional_text("region"))


def _description(fields: Fields) -> Forward:
    rest = {"sdp": fields.text("sdp"), "public_addr": fields.optional_text("public_addr")}
    return Forward(fields.text("type"), fields.text("target_username"), rest)


def _candidate(fields: Fields) -> Forward:
    return Forward("CANDIDATE", fields.text("target_username"), {"candidate": fields.text("candidate")})


_READERS: dict[str, Callable[[Fields], Message]] = {
    "BIND": _bind,
    "REQUEST_RELAY": _request_relay,
    "OFFER": _description,
    "ANSWER": _description,
    "CANDIDATE": _candidate,
}

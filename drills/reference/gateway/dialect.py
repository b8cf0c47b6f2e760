"""The gateway's WebSocket dialect (contract §5.2): adjacently tagged, mixed-case tags.

Wavry's other programs speak a different, flat one (contract §11); its messages are ``Invalid JSON`` here.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from drills.reference.gateway import rules
from drills.reference.strict_json import Fields, NotJson, WrongShape, compact, decoded

MESSAGE_BYTES_MAX = 65_536
BOUND = '{"type":"Bound"}'


@dataclass(frozen=True)
class Kind:
    """One kind of message that is passed on: its one field, that field's limit, its name in error texts."""

    field: str
    bytes_max: int
    shown: str


FORWARDED = {
    "OFFER_RIFT": Kind("hello_base64", 8192, "OFFER_RIFT"),
    "ANSWER_RIFT": Kind("ack_base64", 8192, "ANSWER_RIFT"),
    "Offer": Kind("sdp", rules.SDP_BYTES_MAX, "OFFER"),
    "Answer": Kind("sdp", rules.SDP_BYTES_MAX, "ANSWER"),
    "Candidate": Kind("candidate", rules.CANDIDATE_BYTES_MAX, "CANDIDATE"),
}
SERVER_ONLY = {"RELAY_CREDENTIALS": ("token", "addr", "session_id"), "Error": ("message",)}


@dataclass(frozen=True)
class Bind:
    """The client says who it is."""

    token: str


@dataclass(frozen=True)
class Forward:
    """Something for another user; the target is in lower case already (intended; D32)."""

    tag: str
    target: str
    content: str

    @property
    def problem(self) -> str | None:
        """Why this cannot be passed on, as the sender is told, or None."""
        kind = FORWARDED[self.tag]
        if rules.name_ok(self.target) and rules.size(self.content) <= kind.bytes_max:
            return None
        return f"Invalid {kind.shown} payload"

    def text_from(self, sender: str) -> str:
        """The message as the target gets it: under the sender's name."""
        return forwarded(self.tag, sender, self.content)


@dataclass(frozen=True)
class RequestRelay:
    """The client wants a relay session with another user."""

    target: str


@dataclass(frozen=True)
class ServerOnly:
    """A message that only the server may send."""

    tag: str


Message = Bind | Forward | RequestRelay | ServerOnly


def message(text: str) -> Message:
    """One client message; NotJson or WrongShape when it is none."""
    fields = decoded(text.encode(), trailing_ignored=False)
    tag = fields.text("type")
    if tag == "Bound" and fields.get("payload") is None:
        return ServerOnly(tag)
    return tagged(tag, fields.nested("payload"))


def tagged(tag: str, payload: Fields) -> Message:
    """A message of this tag with this payload; WrongShape for an unknown tag."""
    if tag == "Bind":
        return Bind(payload.text("token"))
    if tag == "REQUEST_RELAY":
        return RequestRelay(rules.ascii_lower(payload.text("target_username")))
    if tag in FORWARDED:
        target = rules.ascii_lower(payload.text("target_username"))
        return Forward(tag, target, payload.text(FORWARDED[tag].field))
    if tag not in SERVER_ONLY:
        raise WrongShape("unknown or misshapen type")
    for name in SERVER_ONLY[tag]:
        payload.text(name)
    if tag == "RELAY_CREDENTIALS":
        _refuse_other_than_uuid(payload.text("session_id"))
    return ServerOnly(tag)


def _refuse_other_than_uuid(text: str) -> None:
    try:
        uuid.UUID(text)
    except ValueError:
        raise WrongShape("session_id: expected a UUID") from None


def forwarded(tag: str, sender: str, content: str) -> str:
    """A message passed on, with the sender where the target was."""
    return wire(tag, {"target_username": sender, FORWARDED[tag].field: content})


def error(text: str) -> str:
    """An Error message."""
    return wire("Error", {"message": text})


def relay_credentials(token: str, addr: str, session_id: str) -> str:
    """What both ends of a relay session are told."""
    return wire("RELAY_CREDENTIALS", {"token": token, "addr": addr, "session_id": session_id})


def wire(tag: str, payload: dict[str, str]) -> str:
    """A server message as it goes over the wire."""
    return compact({"type": tag, "payload": payload})


__all__ = [
    "BOUND",
    "FORWARDED",
    "MESSAGE_BYTES_MAX",
    "Bind",
    "Forward",
    "Message",
    "NotJson",
    "RequestRelay",
    "ServerOnly",
    "WrongShape",
    "error",
    "forwarded",
    "message",
    "relay_credentials",
]

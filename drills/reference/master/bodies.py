"""The JSON bodies of the HTTP routes, parsed at the door (contract §2.5, §2.6).

A body of the wrong shape raises WrongShape (422) before anybody asks who is calling; unknown fields are ignored.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from uuid import UUID

from drills.reference.master.registry import Registration
from drills.reference.master.states import State
from drills.reference.strict_json import Fields, NotJson, WrongShape

U32_MAX = 2**32 - 1
U8_MAX = 255
F64_MAX = sys.float_info.max
DEFAULT_BITRATE_KBPS = 10_000


@dataclass(frozen=True)
class Heartbeat:
    """``POST /v1/relays/heartbeat``."""

    relay_id: str
    load_pct: float


@dataclass(frozen=True)
class Feedback:
    """``POST /v1/feedback``; issues and signature are read and not kept."""

    session: UUID
    relay_id: str
    quality_score: int


@dataclass(frozen=True)
class StateUpdate:
    """``POST /admin/api/relays/update_state``."""

    relay_id: str
    state: State


def registration(fields: Fields) -> Registration:
    """``POST /v1/relays/register``."""
    _optional_whole(fields, "max_sessions", U32_MAX)
    if "features" in fields:
        _texts(fields, "features")
    bitrate_kbps = _optional_whole(fields, "max_bitrate_kbps", U32_MAX)
    return Registration(
        relay_id=fields.text("relay_id"),
        endpoints=_texts(fields, "endpoints"),
        region=fields.optional_text("region"),
        asn=_optional_whole(fields, "asn", U32_MAX),
        max_bitrate_kbps=DEFAULT_BITRATE_KBPS if bitrate_kbps is None else bitrate_kbps,
    )


def heartbeat(fields: Fields) -> Heartbeat:
    """A beat; whether the load is a percentage is asked later, after the token."""
    return Heartbeat(fields.text("relay_id"), _number(fields, "load_pct"))


def feedback(fields: Fields) -> Feedback:
    """One end's opinion of a session."""
    _texts(fields, "issues")
    fields.text("signature")
    return Feedback(_uuid(fields, "session_id"), fields.text("relay_id"), _whole(fields, "quality_score", U8_MAX))


def state_update(fields: Fields) -> StateUpdate:
    """An operator's word on a relay."""
    name = fields.text("new_state")
    if name not in list(State):
        raise WrongShape(f"new_state: unknown variant, expected one of {', '.join(State)}")
    return StateUpdate(fields.text("relay_id"), State(name))


def revocation(fields: Fields) -> str:
    """``POST /admin/api/sessions/revoke``: the name."""
    return fields.text("wavry_id")


def account(fields: Fields) -> None:
    """``POST /v1/auth/register`` and ``/login``, which are not implemented but still read their bodies."""
    fields.text("wavry_id")
    fields.text("display_name")


def verification(fields: Fields) -> None:
    """``POST /v1/auth/register/verify``, likewise."""
    fields.text("wavry_id")
    fields.text("signature_hex")


def _given(fields: Fields, name: str) -> object:
    if name in fields.repeated:
        raise WrongShape(f"duplicate field `{name}`")
    if name not in fields:
        raise WrongShape(f"missing field `{name}`")
    return fields[name]


def _texts(fields: Fields, name: str) -> tuple[str, ...]:
    value = _given(fields, name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise WrongShape(f"{name}: invalid type, expected a sequence of strings")
    return tuple(value)


def _number(fields: Fields, name: str) -> float:
    value = _given(fields, name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise WrongShape(f"{name}: invalid type, expected f32")
    if abs(value) > F64_MAX:
        raise NotJson(f"{name}: number out of range")
    return float(value)


def _whole(fields: Fields, name: str, most: int) -> int:
    value = _given(fields, name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise WrongShape(f"{name}: invalid type or value, expected 0 to {most}")
    return value


def _optional_whole(fields: Fields, name: str, most: int) -> int | None:
    return None if fields.get(name) is None else _whole(fields, name, most)


def _uuid(fields: Fields, name: str) -> UUID:
    try:
        return UUID(fields.text(name))
    except ValueError:
        raise WrongShape(f"{name}: UUID parsing failed") from None

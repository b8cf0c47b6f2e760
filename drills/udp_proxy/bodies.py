"""What may stand in a request's body: proxies and toxics, every field known, of its type and within its bounds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from drills.udp_proxy.attributes import Refused, parsed, shown
from drills.udp_proxy.errors import bad_body, missing, no_kind, no_stream
from drills.udp_proxy.sockets import Address
from drills.udp_proxy.toxic import STREAMS, Toxic
from drills.udp_proxy.toxics.table import KINDS, UPSTREAM_ONLY, Attributes

NAME_CHARACTERS_MAX = 100
LISTEN_ANYWHERE = "127.0.0.1:0"
PROXY_FIELDS = ("name", "listen", "upstream", "enabled", "canary")


@dataclass(frozen=True)
class Canary:
    """A client whose flow goes by way of the same toxics, and to an upstream of its own: a probe of the path alone."""

    client: Address
    upstream: Address


@dataclass(frozen=True)
class ProxyBody:
    """A proxy as somebody asks for it."""

    name: str
    listen: Address
    upstream: Address
    enabled: bool
    canary: Canary | None = None


@dataclass(frozen=True)
class ToxicBody:
    """A toxic as somebody asks for it."""

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: Attributes


def read(body: bytes) -> Any:
    """The JSON of a body; numbers that JSON does not know are none. Raises ApiError."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise bad_body(f"not JSON: {error}") from None


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def new_proxy(given: Any, where: str = "") -> ProxyBody:
    """For a proxy that is not there yet; ``where`` names its place among several. Raises ApiError."""
    fields = _object(given, PROXY_FIELDS)
    for name in ("name", "upstream"):
        if not fields.get(name):
            raise missing(f"{name}{where}")
    return ProxyBody(
        _name(fields["name"]), _address("listen", fields.get("listen") or LISTEN_ANYWHERE),
        _address("upstream", fields["upstream"]), _flag(fields.get("enabled", True)), _canary(fields.get("canary")),
    )  # fmt: skip


def changed_proxy(given: Any, now: ProxyBody) -> ProxyBody:
    """For one that is there: what is not given stays. A name, if any, must be its own."""
    fields = _object(given, PROXY_FIELDS)
    _same(fields, name=now.name)
    return ProxyBody(
        now.name, _address("listen", fields["listen"]) if "listen" in fields else now.listen,
        _address("upstream", fields["upstream"]) if "upstream" in fields else now.upstream,
        _flag(fields.get("enabled", now.enabled)), _canary(fields["canary"]) if "canary" in fields else now.canary,
    )  # fmt: skip


def new_toxic(given: Any) -> ToxicBody:
    """For a toxic that is not there yet: downstream, all flows, named after type and stream where nothing is said."""
    fields = _object(given, ("name", "type", "stream", "toxicity", "attributes"))
    stream, kind = fields.get("stream", "downstream"), fields.get("type")
    if stream not in STREAMS:
        raise no_stream()
    if not isinstance(kind, str) or kind not in KINDS:
        raise no_kind(", ".join(KINDS))
    if kind in UPSTREAM_ONLY and stream != "upstream":
        raise bad_body(f"stream: found {stream}, expected upstream for {kind}")
    attributes = _attributes(KINDS[kind], fields.get("attributes", {}))
    name = _name(fields.get("name") or f"{kind}_{stream}")
    return ToxicBody(name, kind, stream, _toxicity(fields.get("toxicity", 1.0)), attributes)


def changed_toxic(given: Any, now: Toxic) -> ToxicBody:
    """For one that is there: toxicity and attributes may change, each one left out stays."""
    fields = _object(given, ("name", "type", "stream", "toxicity", "attributes"))
    _same(fields, name=now.name, type=now.type, stream=now.stream)
    attributes = _attributes(KINDS[now.type], fields.get("attributes", {}), now.attributes)
    return ToxicBody(now.name, now.type, now.stream, _toxicity(fields.get("toxicity", now.toxicity)), attributes)


def _object(given: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise bad_body(f"found {shown(given)}, expected an object")
    if unknown := [name for name in given if name not in known]:
        raise bad_body(f"{shown(unknown[0])}: unknown, expected {', '.join(known)}")
    return given


def _same(fields: Mapping[str, Any], **now: str) -> None:
    for name, value in now.items():
        if fields.get(name, value) != value:
            raise bad_body(f"{name}: found {shown(fields[name])}, expected {value}: it cannot be changed")


def _checked(name: str, value: Any, ok: Callable[[Any], bool], expected: str) -> Any:
    if not ok(value):
        raise bad_body(f"{name}: found {shown(value)}, expected {expected}")
    return value


def _name(value: Any) -> str:
    def ok(given: Any) -> bool:
        return isinstance(given, str) and len(given) <= NAME_CHARACTERS_MAX and given.isprintable() and "/" not in given

    return str(_checked("name", value, ok, f"text of at most {NAME_CHARACTERS_MAX} printable characters without /"))


def _flag(value: Any) -> bool:
    return bool(_checked("enabled", value, lambda given: isinstance(given, bool), "true or false"))


def _toxicity(value: Any) -> float:
    def ok(given: Any) -> bool:
        return isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= 1

    return float(_checked("toxicity", value, ok, "a number from 0 to 1"))


def _address(name: str, value: Any) -> Address:
    address = Address.parsed(value) if isinstance(value, str) else None
    if address is None or (name in ("upstream", "client") and not address.port):
        raise bad_body(f"{name}: found {shown(value)}, expected a numeric address and a port, such as 127.0.0.1:9000")
    return address


def _canary(value: Any) -> Canary | None:
    if value is None:
        return None
    fields = _object(value, ("client", "upstream"))
    for name in ("client", "upstream"):
        if name not in fields:
            raise missing(f"canary.{name}")
    return Canary(_address("client", fields["client"]), _address("upstream", fields["upstream"]))


def _attributes(kind: type[Attributes], given: Any, base: Attributes | None = None) -> Attributes:
    try:
        return parsed(kind, given, base)
    except Refused as error:
        raise bad_body(str(error)) from None

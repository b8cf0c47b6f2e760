"""JSON as Wavry's decoder reads it: no NaN, no lone surrogates, and a field given twice is noticed.

``Fields`` answers typed questions and raises ``WrongShape`` (HTTP 422 in bodies, ``Invalid JSON`` on sockets);
text that is no JSON raises ``NotJson``. Details never quote values, because values may be passwords or tokens.
"""

from __future__ import annotations

import json
from typing import NoReturn

I64_MAX = 2**63 - 1


class NotJson(Exception):
    """The text is not JSON."""


class WrongShape(Exception):
    """The JSON lacks a field, has it twice, or gives it another type."""


class Fields(dict[str, object]):
    """One JSON object."""

    repeated: frozenset[str] = frozenset()

    def text(self, name: str) -> str:
        """A required string."""
        value = self._required(name)
        if not isinstance(value, str):
            raise WrongShape(f"{name}: invalid type, expected a string")
        return value

    def optional_text(self, name: str) -> str | None:
        """A string, or None when it is absent or null."""
        return None if self._absent(name) else self.text(name)

    def flag(self, name: str) -> bool:
        """A required boolean."""
        value = self._required(name)
        if not isinstance(value, bool):
            raise WrongShape(f"{name}: invalid type, expected a boolean")
        return value

    def integer(self, name: str) -> int:
        """A required signed 64-bit integer."""
        value = self._required(name)
        if not isinstance(value, int) or isinstance(value, bool) or not -I64_MAX - 1 <= value <= I64_MAX:
            raise WrongShape(f"{name}: invalid type or value, expected i64")
        return value

    def optional_integer(self, name: str) -> int | None:
        """A signed 64-bit integer, or None when it is absent or null."""
        return None if self._absent(name) else self.integer(name)

    def nested(self, name: str) -> Fields:
        """A required object."""
        value = self._required(name)
        if not isinstance(value, Fields):
            raise WrongShape(f"{name}: invalid type, expected an object")
        return value

    def _required(self, name: str) -> object:
        self._refuse_repeated(name)
        if name not in self:
            raise WrongShape(f"missing field `{name}`")
        return self[name]

    def _absent(self, name: str) -> bool:
        self._refuse_repeated(name)
        return self.get(name) is None

    def _refuse_repeated(self, name: str) -> None:
        if name in self.repeated:
            raise WrongShape(f"duplicate field `{name}`")


def decoded(raw: bytes, *, trailing_ignored: bool) -> Fields:
    """The object a text holds. HTTP bodies may go on after the first value (contract §2.1), socket texts may not."""
    try:
        text = raw.decode().lstrip(" \t\r\n")
        value, end = _DECODER.raw_decode(text)
        _encodable(value)
    except (ValueError, RecursionError) as problem:
        raise NotJson(detail(problem)) from None
    if text[end:].strip(" \t\r\n") and not trailing_ignored:
        raise NotJson("trailing characters")
    if not isinstance(value, Fields):
        raise WrongShape("invalid type, expected an object")
    return value


def detail(problem: Exception) -> str:
    """What may be said of a parse error: its kind and place, never the text itself."""
    if isinstance(problem, json.JSONDecodeError):
        return f"{problem.msg} at line {problem.lineno} column {problem.colno}"
    return "invalid unicode code point" if isinstance(problem, UnicodeError) else "expected value"


def compact(value: object) -> str:
    """JSON without spaces, as both HTTP and socket answers carry it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _encodable(value: object) -> None:
    """Lone surrogates pass Python's decoder but are no text; UnicodeEncodeError tells."""
    compact(value).encode()


def _pairs(pairs: list[tuple[str, object]]) -> Fields:
    fields = Fields(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        fields.repeated = frozenset(name for name in names if names.count(name) > 1)
    return fields


def _refused_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_refused_constant)

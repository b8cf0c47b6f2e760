"""Attributes of toxics: declared once as fields, parsed at the door, unknown ones refused.

Toxiproxy drops an attribute that it does not know in silence and takes a missing one for 0; a misspelt toxic would then
be on and do nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any, TypeVar, cast

Kind = TypeVar("Kind")
SHOWN_MAX = 60


@dataclass(frozen=True)
class Number:
    """A number between two bounds, whole where it says so."""

    low: float
    high: float
    whole: bool = False

    def takes(self, value: object) -> bool:
        """Whether the value is such a number; true and false are none."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        # compared before it is converted: a whole number may be too large for a float
        return self.low <= value <= self.high and math.isfinite(value) and (not self.whole or isinstance(value, int))

    def __str__(self) -> str:
        return f"a {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:.12g}"


@dataclass(frozen=True)
class Word:
    """One of a few words."""

    words: tuple[str, ...]

    def takes(self, value: object) -> bool:
        """Whether the value is one of them."""
        return isinstance(value, str) and value in self.words

    def __str__(self) -> str:
        return f"one of {', '.join(self.words)}"


def number(low: float, high: float, default: float | None = None) -> Any:
    """A field that is a number; it must be given where there is no default."""
    return _declared(Number(low, high), default)


def whole(low: int, high: int, default: int | None = None) -> Any:
    """A field that is a whole number; it must be given where there is no default."""
    return _declared(Number(low, high, whole=True), default)


def word(*words: str) -> Any:
    """A field that is one of these words, the first where none is given."""
    return _declared(Word(words), words[0])


def _declared(form: Number | Word, default: float | str | None) -> Any:
    return field(default=cast(Any, MISSING if default is None else default), metadata={"form": form})


class Refused(ValueError):
    """Attributes that are not understood; all problems in one text."""


def parsed(kind: type[Kind], given: object, base: Kind | None = None) -> Kind:
    """The toxic's attributes as its class; those not given are taken from ``base``. Raises Refused."""
    if not isinstance(given, Mapping):
        raise Refused(f"attributes: found {shown(given)}, expected an object")
    fields = {one.name: one for one in dataclasses.fields(cast(Any, kind))}
    known = ", ".join(fields) or "none"
    problems = [f"attributes.{name[:SHOWN_MAX]}: unknown, expected {known}" for name in given if name not in fields]
    for name, one in fields.items():
        form = one.metadata["form"]
        if name in given and not form.takes(given[name]):
            problems.append(f"attributes.{name}: found {shown(given[name])}, expected {form}")
        if name not in given and base is None and one.default is MISSING:
            problems.append(f"attributes.{name}: missing, expected {form}")
    if problems:
        raise Refused("; ".join(problems))
    kept = {} if base is None else dataclasses.asdict(cast(Any, base))
    return kind(**{**kept, **given})


def shown(value: object) -> str:
    """A value in an error's text, cut where it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"

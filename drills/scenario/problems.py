"""What is wrong with a file, one line each: ``file: path: found …, expected …``, in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

SHOWN_MAX = 120
NAMES_MAX, NAMES_ALIKE = 24, 5
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
NOTHING = "this key"

# What pydantic calls a problem, and what was expected in plain words; {…} is filled from pydantic's context.
_WORDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number that is at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number that is at most {le:g}",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "too_short": "a list with at least {min_length} in it",
    "too_long": "a list with at most {max_length} in it",
    "literal_error": "one of {expected}",
}


def one_of(names: Iterable[str], found: Any) -> str:
    """The names that were to be chosen from, all of them where they are few, else those most like the one found."""
    every = [*names]
    if len(every) <= NAMES_MAX:
        return ", ".join(every)
    alike = get_close_matches(str(found)[:SHOWN_MAX], every, n=NAMES_ALIKE, cutoff=0.0)
    return f"{', '.join(alike)} or another of {len(every)}"


def shown(value: Any, depth: int = 3) -> str:
    """A value as a problem shows it: on one line, escaped, cut where it is long.

    Only as much of it as fits is looked at, so that a large value costs no more than a small one.
    """
    if value is None:
        return "nothing"
    if depth == 0 and isinstance(value, list | tuple | dict):
        return "…"
    if isinstance(value, str):
        text = repr(value[: SHOWN_MAX + 1])
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(shown(one, depth - 1) for one in value[:4]) + (", …]" if len(value) > 4 else "]")
    elif isinstance(value, dict):
        first = [f"{shown(key)}: {shown(value[key], depth - 1)}" for key in list(value)[:4]]
        text = "{" + ", ".join(first) + (", …}" if len(value) > 4 else "}")
    else:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"


def joined(path: str, part: str | int) -> str:
    """A path with one more part: ``load.resident``, ``fault[2]``, ``teeth.'two words'``."""
    if isinstance(part, int):
        return f"{path}[{part}]"
    name = part if _PLAIN_KEY.fullmatch(part) else shown(part)
    return f"{path}.{name}" if path else name


@dataclass
class Problems:
    """Problems as they are found, each with its path in the file."""

    file: Path
    lines: list[str] = field(default_factory=list)

    def add(self, path: str, found: Any, expected: str) -> None:
        """One problem: what stands there and what should."""
        self.lines.append(f"{self.file}: {path}: found {shown(found)}, expected {expected}")

    def missing(self, path: str, expected: str = NOTHING) -> None:
        """One problem: nothing stands there."""
        self.lines.append(f"{self.file}: {path}: found nothing, expected {expected}")

    def from_pydantic(self, path: str, kind: type[BaseModel] | None, error: ValidationError, *also: str) -> None:
        """Every problem that pydantic found in a part read as ``kind``, in our words; ``also`` are keys read before."""
        for problem in error.errors(include_url=False):
            if problem["type"] == "too_short" and len(problem["input"]) >= problem.get("ctx", {})["min_length"]:
                continue  # long enough, but for members that are refused on lines of their own
            *before, last = problem["loc"] or ("",)
            owner = path
            for part in before:
                owner = joined(owner, part)
            where = joined(owner, last) if last != "" else owner
            model = _model_at(kind, before)
            if problem["type"] == "extra_forbidden":
                keys = [*also, *_keys(model)] if not before else _keys(model)
                self.add(
                    where, problem["input"], "no such key here" + (f"; the keys are {', '.join(keys)}" if keys else "")
                )
            elif problem["type"] == "missing":
                self.missing(where)
            elif problem["type"] in ("model_type", "model_attributes_type"):
                keys = _keys(_model_at(kind, list(problem["loc"])))
                self.add(where, problem["input"], f"a mapping with the keys {', '.join(keys)}")
            else:
                self.add(where, problem["input"], _expected(problem))


def _expected(problem: Any) -> str:
    """What pydantic expected, in words that do not name pydantic's types."""
    words = _WORDS.get(problem["type"])
    if words:
        return words.format(**problem.get("ctx", {}))
    message = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    return message.removeprefix("expected ")


def _keys(model: type[BaseModel] | None) -> list[str]:
    return [*model.model_fields] if model else []


def _model_at(kind: type[BaseModel] | None, location: list[Any]) -> type[BaseModel] | None:
    """The model that a location inside ``kind`` is read as, None where it is not one."""
    for part in location:
        found = kind.model_fields.get(str(part)) if kind else None
        annotation: Any = found.annotation if found else None
        kind = annotation if hasattr(annotation, "model_fields") else None
    return kind

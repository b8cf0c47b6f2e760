"""The two questions that every reader of a part asks: is this a name I know, and is this what the model says?"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from drills.scenario.durations import Duration
from drills.scenario.problems import Problems, joined

Part = TypeVar("Part", bound=BaseModel)


def known(name: Any, names: Container[str]) -> bool:
    """Whether this is one of the names; anything that is not text is none of them (nor hashable, perhaps)."""
    return isinstance(name, str) and name in names


def read_part(problems: Problems, path: str, kind: type[Part], raw: Any, *also: str) -> Part | None:
    """One part of the file as its model, or None with the problems noted; ``also`` are keys that were read before."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        problems.from_pydantic(path, kind, error, *also)
        return None


def read_length(problems: Problems, path: str, raw: Any) -> Duration | None:
    """A duration, or None with the problem noted."""
    try:
        return Duration.parse(raw)
    except ValueError as error:
        problems.add(path, raw, str(error).removeprefix("expected "))
        return None


def read_sentence(problems: Problems, path: str, raw: Any, *words: str) -> str:
    """One line of text of some length, or one of a few ``words``."""
    text = raw.strip() if isinstance(raw, str) else ""
    if text not in words and (len(text) < 8 or "\n" in text):
        problems.add(path, raw, "a sentence on one line" + "".join(f", or `{word}`" for word in words))
    return text


def read_names(problems: Problems, path: str, raw: Any, allowed: Mapping[str, Any] | tuple[str, ...]) -> list[str]:
    """A list of names, each an allowed one and each once."""
    if not isinstance(raw, list):
        problems.add(path, raw, f"a list with any of {', '.join(allowed)}")
        return []
    names: list[str] = []
    for index, name in enumerate(raw):
        if not known(name, allowed):
            problems.add(joined(path, index), name, f"one of {', '.join(allowed)}")
        elif name in names:
            problems.add(joined(path, index), name, "each name once")
        else:
            names.append(name)
    return names

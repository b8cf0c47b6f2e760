"""What every step is: a name, arguments, and something to do that breaks nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drills.faults.base import Arguments

if TYPE_CHECKING:
    from drills.scene import Scene


@dataclass(frozen=True)
class Announced:
    """An event that is written before the stage is raised."""

    event: str
    fields: Mapping[str, Any]


def nothing(arguments: Any) -> Announced | None:
    """Most steps have nothing to say before their time."""
    return None


@dataclass(frozen=True)
class StepKind:
    """One row of the table of steps."""

    name: str
    arguments: type[Arguments]
    perform: Callable[[Scene, Any], None]
    does: str  # one sentence for the handbook
    kinds: frozenset[str] = frozenset()  # which kinds of service it can name
    announces: Callable[[Any], Announced | None] = nothing

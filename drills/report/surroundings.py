"""On what the month's runs were made: machines, programs and limits in force, told once for all that share them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from drills.report.environment import OTHER_LIMITS, RAISED, TITLES, Group, conditions, groups
from drills.report.runs import Run

SHARED = ("commit", "drills version", "platform", "cpus", "python", "toxiproxy", "ground", "network", "direct path",
          "target", "stage", "pace", "tier", "heartbeat s")  # fmt: skip
GROUPS = (TITLES["programs"], TITLES["tier_limits"], RAISED, OTHER_LIMITS)


@dataclass(frozen=True)
class Surroundings:
    """One environment, and the runs that were made in it."""

    runs: tuple[str, ...]
    groups: tuple[Group, ...]


def surroundings_of(runs: Iterable[Run]) -> tuple[Surroundings, ...]:
    """The environments of some runs, in their order."""
    found: dict[tuple[Group, ...], list[str]] = {}
    for run in runs:
        shared = tuple(pair for pair in conditions(run).pairs if pair[0] in SHARED)
        mine = (Group("conditions", shared), *(group for group in groups(run) if group.title in GROUPS))
        if run.provenance:
            found.setdefault(mine, []).append(run.drill)
    return tuple(Surroundings(tuple(dict.fromkeys(names)), mine) for mine, names in found.items())

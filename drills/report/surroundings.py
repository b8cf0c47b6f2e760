"""On what the month's runs were made: machines, programs and limits in force, each fact once for all runs it is of."""

from __future__ import annotations

from collections.abc import Iterable

from drills.report.environment import OTHER_LIMITS, RAISED, TITLES, Group, conditions, groups
from drills.report.runs import Run

FACTS = ("target", "stage", "tier", "pace", "heartbeat s", "direct path", "condition", "commit", "drills version",
         "platform", "ground", "cpus", "python", "toxiproxy")  # fmt: skip
GROUPS = (TITLES["programs"], TITLES["tier_limits"], RAISED, OTHER_LIMITS)


def surroundings_of(runs: Iterable[Run]) -> tuple[Group, ...]:
    """The facts of all runs that were observed, in groups; where runs differ, each value names its drills."""
    found: dict[str, dict[str, dict[str, list[str]]]] = {}
    observed = [run for run in runs if run.provenance and not run.synthetic]
    for run in observed:
        mine = [Group("conditions", tuple(pair for pair in conditions(run).pairs if pair[0] in FACTS))]
        for group in (*mine, *(group for group in groups(run) if group.title in GROUPS)):
            for name, value in group.pairs:
                found.setdefault(group.title, {}).setdefault(name, {}).setdefault(value, []).append(run.drill)
    return tuple(
        Group(title, tuple((name, _told(values, len(observed))) for name, values in facts.items()))
        for title, facts in found.items()
    )


def _told(values: dict[str, list[str]], runs: int) -> str:
    """One value that is the same for all as it is, several with the drills that they are of."""
    if len(values) == 1 and sum(map(len, values.values())) == runs:
        return next(iter(values))
    return "; ".join(f"{value} ({', '.join(dict.fromkeys(drills))})" for value, drills in values.items())

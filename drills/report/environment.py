"""What a run's provenance says, in plain text and in groups; what a later version adds is shown too."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drills.report.runs import Run

CONDITIONS = (
    "commit", "drills_version", "seed", "pace", "tier", "target", "stage", "heartbeat_s", "suite", "network",
    "direct_path", "platform", "cpus", "python", "toxiproxy",
)  # fmt: skip
ELSEWHERE = ("drill", "run", "started_at", "command", "defects")  # the report says these in other places
TITLES = {
    "programs": "programs", "images": "images", "libraries": "libraries", "tier_limits": "tier's limits",
    "load": "load",
}  # fmt: skip
RAISED = "gateway limits in force, raised because all ends share an address behind Toxiproxy"
OTHER_LIMITS = "other limits in force"


@dataclass(frozen=True)
class Group:
    """Facts that belong together: what each is called, and what it was."""

    title: str
    pairs: tuple[tuple[str, str], ...]


def conditions(run: Run) -> Group:
    """The single facts: commit, seed, pace, platform and so on."""
    facts = {name: value for name, value in run.provenance.items() if not isinstance(value, Mapping)}
    names = [name for name in CONDITIONS if name in facts]
    names += [name for name in facts if name not in (*CONDITIONS, *ELSEWHERE)]
    return Group(
        "conditions", tuple((name.replace("_", " "), _value(facts[name])) for name in names if _said(facts[name]))
    )


def groups(run: Run) -> tuple[Group, ...]:
    """The facts that come in groups: programs with their digests, libraries, limits in force, and any others."""
    found = {name: value for name, value in run.provenance.items() if isinstance(value, Mapping)}
    services, limits = found.pop("services", {}), found.pop("limits_in_force", {})
    names = [name for name in TITLES if name in found] + [name for name in found if name not in TITLES]
    raised = {name: value for name, value in limits.items() if str(name).startswith("gateway.")}
    every = (
        *(_group(TITLES.get(name, name.replace("_", " ")), found[name]) for name in names),
        _group(RAISED, raised),
        _group(OTHER_LIMITS, {name: value for name, value in limits.items() if name not in raised}),
        _group("services", services),
    )
    return tuple(group for group in every if group.pairs)


def _group(title: str, facts: Mapping[str, Any]) -> Group:
    return Group(title, tuple((str(name), _value(value)) for name, value in facts.items()))


def _said(value: object) -> bool:
    return value not in (None, "", [])


def _value(value: object) -> str:
    """A fact in words; a service's command as it would be typed."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name} {_typed(part) if name == 'command' else _value(part)}" for name, part in value.items()
        )
    if isinstance(value, list):
        return "–".join(map(str, value)) if all(isinstance(one, int | float) for one in value) else \
               ", ".join(map(_value, value))  # fmt: skip
    return str(value)


def _typed(command: object) -> str:
    return shlex.join(map(str, command)) if isinstance(command, list) else str(command)

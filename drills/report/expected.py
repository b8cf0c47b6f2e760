"""Which drills there are and which a month should have: from the scenarios of this checkout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Expected:
    """Drill names: of the monthly suite, and all others."""

    monthly: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    problem: str = ""


def expected() -> Expected:
    """As the scenarios say; where one cannot be read it is expected of nobody, and the report says so.

    No more than their suites is asked: whether all else in them is understood is for ``drills check`` to say.
    """
    from drills.catalogue import Catalogue

    suites = {name: _suites(path) for name, path in Catalogue().paths().items()}
    unread = [name for name, found in suites.items() if found is None]
    monthly = tuple(name for name, found in suites.items() if found and "monthly" in found)
    others = tuple(name for name, found in suites.items() if found is not None and name not in monthly)
    words = f"{', '.join(unread)} cannot be read; `drills check` says why" if unread else ""
    return Expected(monthly, others, words)


def _suites(path: Path) -> list[str] | None:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML has it
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except (OSError, ValueError, yaml.YAMLError):
        return None
    found = raw.get("suites") if isinstance(raw, dict) else None
    return [str(one) for one in found] if isinstance(found, list) else None

"""Which drills there are and which a month should have: from the scenarios of this checkout."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """Drill names: of the monthly suite, and all others."""

    monthly: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    problem: str = ""


def expected() -> Expected:
    """As the scenarios say; where they cannot be read, nothing is expected and the report says so."""
    from drills.catalogue import Catalogue

    scenarios, problems = Catalogue().everything()
    monthly = tuple(name for name, one in scenarios.items() if "monthly" in one.suites)
    others = tuple(name for name in scenarios if name not in monthly)
    words = f"{len(problems)} problems in the scenarios; `drills check` lists them" if problems else ""
    return Expected(monthly, others, words)

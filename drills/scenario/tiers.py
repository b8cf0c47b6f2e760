"""The limits of the service indicators, tier by tier (``scenarios/tiers.yaml``)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from drills.errors import BadInput
from drills.objectives import CLAIMS, Shape
from drills.scenario import strict_yaml
from drills.scenario.models import TIERS, Strict, Why
from drills.scenario.problems import Problems, joined, one_of
from drills.scenario.reading import read_part

STRICTER_ABOVE = (Shape.RATIO_MIN, Shape.COUNT_MIN)  # a higher limit asks for more; everywhere else a lower one does


class IndicatorLimits(Strict):
    """One claim's limit in each tier."""

    limits: dict[str, Annotated[float, Field(ge=0)]]
    why: Why


class Tiers(Strict):
    """``evidence`` multiplies calm, recovery and visits; ``indicators`` holds limits by claim."""

    evidence: dict[str, Annotated[int, Field(ge=1, le=10)]]
    indicators: dict[str, IndicatorLimits]


def load_tiers(path: Path) -> Tiers:
    """The limits in ``path``; raises BadInput with every problem found."""
    document = strict_yaml.read(path)
    problems = Problems(path, [*document.problems])
    raw = document.data
    if not isinstance(raw, dict) or set(raw) != {"tiers"}:
        problems.add("the whole file", raw, "the one key `tiers`")
        raise BadInput(*problems.lines)
    tiers = read_part(problems, "tiers", Tiers, raw["tiers"])
    if tiers:
        _each_tier(problems, "tiers.evidence", tiers.evidence)
        for name, row in tiers.indicators.items():
            _indicator(problems, joined("tiers.indicators", name), name, row)
    if problems.lines or tiers is None:
        raise BadInput(*problems.lines)
    return tiers


def _each_tier(problems: Problems, path: str, by_tier: object) -> bool:
    """Whether every tier has its number, and nothing else has."""
    keys = list(by_tier) if isinstance(by_tier, dict) else []
    if set(keys) != set(TIERS):
        problems.add(path, keys, f"each of {', '.join(TIERS)}")
    return set(keys) == set(TIERS)


def _indicator(problems: Problems, path: str, name: str, row: IndicatorLimits) -> None:
    claim = CLAIMS.get(name)
    if claim is None:
        problems.add(path, name, f"one of the claims {one_of(CLAIMS, name)}")
    if not _each_tier(problems, f"{path}.limits", row.limits) or claim is None:
        return
    if claim.shape in (Shape.RATIO_MAX, Shape.RATIO_MIN):
        for tier in TIERS:
            if row.limits[tier] > 1:
                problems.add(f"{path}.limits.{tier}", row.limits[tier], "a ratio from 0 to 1")
    in_order = [row.limits[tier] for tier in TIERS]
    if in_order != sorted(in_order, reverse=claim.shape not in STRICTER_ABOVE):
        problems.add(
            f"{path}.limits", in_order, "limits that are no looser in stage than in dev, and in prod than in stage"
        )

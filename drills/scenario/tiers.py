"""The limits of the service indicators, tier by tier (``scenarios/tiers.yaml``)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from drills.errors import BadInput
from drills.objectives import CLAIMS
from drills.scenario import strict_yaml
from drills.scenario.models import TIERS, Strict, Why


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
    raw = strict_yaml.load(path)
    if not isinstance(raw, dict) or set(raw) != {"tiers"}:
        raise BadInput(f"{path}: found {raw!r:.80}, expected the one key `tiers`")
    try:
        tiers = TypeAdapter(Tiers).validate_python(raw["tiers"])
    except ValidationError as error:
        lines = (f"{path}: tiers.{'.'.join(map(str, p['loc']))}: found {p['input']!r:.80}, expected {p['msg']}"
                 for p in error.errors())  # fmt: skip
        raise BadInput(*lines) from None
    problems = [
        f"{path}: tiers.indicators.{name}.limits: found {sorted(row.limits)}, expected {', '.join(TIERS)}"
        for name, row in tiers.indicators.items()
        if set(row.limits) != set(TIERS)
    ]
    problems += [
        f"{path}: tiers.indicators.{name}: found {name!r}, expected one of the claims {', '.join(CLAIMS)}"
        for name in tiers.indicators
        if name not in CLAIMS
    ]
    if set(tiers.evidence) != set(TIERS):
        problems.append(f"{path}: tiers.evidence: found {sorted(tiers.evidence)}, expected {', '.join(TIERS)}")
    if problems:
        raise BadInput(*problems)
    return tiers

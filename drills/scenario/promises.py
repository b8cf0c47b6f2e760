"""What a drill promises: its objectives, the generator limits they ask for, and the defects that must break them."""

from __future__ import annotations

from typing import Any

from drills.invariants.table import INVARIANTS
from drills.objectives import CLAIMS, Claim, Shape
from drills.reference.defects import REGISTRY
from drills.scenario.durations import Duration
from drills.scenario.models import TIERS, Generator, ObjectiveSpec
from drills.scenario.problems import Problems, joined, one_of
from drills.scenario.reading import known, read_part
from drills.scenario.tiers import Tiers

FASTEST_HEARTBEAT_S = 0.5  # `--pace fast`: a limit in heartbeats is at its tightest there
_RATIOS = (Shape.RATIO_MAX, Shape.RATIO_MIN)
_COUNTS = (Shape.COUNT_MAX, Shape.COUNT_MIN)


def least_samples(shape: Shape, limit: float) -> int:
    """The fewest samples from which a ratio may be judged: 3/(1 − limit) (design §6; 0.98 gives 150)."""
    failures_allowed = limit if shape is Shape.RATIO_MAX else 1.0 - limit
    return int(-(-3.0 // failures_allowed)) if failures_allowed > 0 else 3


def read_objectives(problems: Problems, raw: Any, tiers: Tiers) -> tuple[ObjectiveSpec, ...]:
    """The objectives that could be read; what is wrong with the others, or with any, is noted."""
    if not isinstance(raw, list) or not raw:
        problems.add("objectives", raw, "a list with at least one objective")
        return ()
    specs = []
    for index, item in enumerate(raw):
        path = f"objectives[{index}]"
        spec: ObjectiveSpec | None = read_part(problems, path, ObjectiveSpec, item)
        claim = item.get("claim") if isinstance(item, dict) else None
        if isinstance(claim, str) and claim not in CLAIMS:
            problems.add(f"{path}.claim", claim, f"one of the claims {one_of(CLAIMS, claim)}")
        elif spec:
            _check_objective(problems, path, spec, CLAIMS[spec.claim], tiers)
            specs.append(spec)
    _check_each_once(problems, specs)
    return tuple(specs)


def _check_each_once(problems: Problems, specs: list[ObjectiveSpec]) -> None:
    seen: set[tuple[str, str]] = set()
    for spec in specs:
        for window in spec.windows:
            if (spec.claim, window) in seen:
                problems.add("objectives", f"{spec.claim} in {window}", "each claim once in a window")
            seen.add((spec.claim, window))


def _check_objective(problems: Problems, path: str, spec: ObjectiveSpec, claim: Claim, tiers: Tiers) -> None:
    for index, window in enumerate(spec.windows):
        if window not in claim.windows:
            problems.add(f"{path}.windows[{index}]", window, f"a window that {claim.name} is due in: "
                         f"{', '.join(claim.windows)}")  # fmt: skip
    if spec.limit == "tier":
        if spec.claim not in tiers.indicators:
            problems.add(f"{path}.limit", "tier", f"a limit of its own: {spec.claim} has none in tiers.yaml")
    elif isinstance(spec.limit, Duration) != (claim.shape is Shape.TIME_MAX):
        found = str(spec.limit) if isinstance(spec.limit, Duration) else spec.limit
        problems.add(f"{path}.limit", found, "a duration" if claim.shape is Shape.TIME_MAX
                     else f"a number, the unit being {claim.unit}")  # fmt: skip
    elif claim.shape in _COUNTS and spec.limit != int(spec.limit):  # type: ignore[arg-type] # a float by now
        problems.add(f"{path}.limit", spec.limit, f"a whole number of {claim.unit}")
    if claim.shape in _RATIOS:
        _check_ratio(problems, path, spec, claim, tiers)


def _check_ratio(problems: Problems, path: str, spec: ObjectiveSpec, claim: Claim, tiers: Tiers) -> None:
    limit = spec.limit
    if limit == "tier" and spec.claim in tiers.indicators:
        limit = tiers.indicators[spec.claim].limits["stage"]
    if not isinstance(limit, float):
        return
    if limit > 1:
        problems.add(f"{path}.limit", limit, "a ratio from 0 to 1")
        return
    least = least_samples(claim.shape, limit)
    if spec.samples_min < least:
        problems.add(f"{path}.samples_min", spec.samples_min, f"at least {least}: 3/(1 − limit) samples, "
                     "or a ratio this strict cannot be told from luck")  # fmt: skip


def check_generator(
    problems: Problems, generator: Generator, objectives: tuple[ObjectiveSpec, ...], tiers: Tiers
) -> None:
    """A late generator must be seen well before it can break a promise about time (design §4), in every tier."""
    for tier in TIERS:
        limits = [limit for spec in objectives if (limit := _time_limit_ms(spec, tier, tiers)) is not None]
        for key in ("gap_ms_max", "lateness_ms_p99_max"):
            value = getattr(generator, key).of(tier)
            if limits and value > min(limits) / 2:
                half = f"at most {min(limits) / 2:g}, half of the tightest time limit of this tier"
                problems.add(f"generator.{key}.{tier}", value, half)


def _time_limit_ms(spec: ObjectiveSpec, tier: str, tiers: Tiers) -> float | None:
    claim = CLAIMS[spec.claim]
    if not claim.about_time_ms:
        return None
    if isinstance(spec.limit, Duration):
        return spec.limit.in_s(FASTEST_HEARTBEAT_S) * 1000.0
    if isinstance(spec.limit, str):
        row = tiers.indicators.get(spec.claim)
        return row.limits[tier] * claim.about_time_ms if row else None
    return spec.limit * claim.about_time_ms


def claims_named(raw: Any) -> frozenset[str]:
    """The claims that a list of objectives names, wrong though they may be otherwise; all of them where it is no list.

    So that a mistake in an objective is not told again as a mistake in the teeth.
    """
    if not isinstance(raw, list) or not raw:
        return frozenset(CLAIMS)
    return frozenset(str(item["claim"]) for item in raw if isinstance(item, dict) and "claim" in item)


def read_teeth(problems: Problems, raw: Any, claims: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Which defect breaks which promise: names of the registry, each with claims of this drill, or invariants."""
    if not isinstance(raw, dict):
        problems.add("teeth", raw, "a mapping from a defect to the claims that catch it")
        return {}
    teeth: dict[str, tuple[str, ...]] = {}
    for defect, caught_by in raw.items():
        path = joined("teeth", defect)
        if defect not in REGISTRY:
            problems.add(path, defect, f"a defect of the reference: {one_of(REGISTRY, defect)}")
        if not isinstance(caught_by, list) or not caught_by:
            problems.add(path, caught_by, "a list of claims among this drill's objectives, or of invariants")
            continue
        for index, claim in enumerate(caught_by):
            if not known(claim, claims) and not known(claim, INVARIANTS.keys()):
                problems.add(f"{path}[{index}]", claim, "a claim among this drill's objectives, or an invariant")
        teeth[defect] = tuple(map(str, caught_by))
    return teeth

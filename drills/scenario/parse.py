"""Scenario files parsed once, at the door: everything not understood is refused, all problems at once.

Each part of the file is read on its own, so that one mistake never hides the next. A problem is one line:
``file: path: found …, expected …``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from drills.errors import BadInput
from drills.faults.table import FAULTS
from drills.objectives import CLAIMS, Claim, Shape
from drills.reference.defects import REGISTRY
from drills.scenario import strict_yaml
from drills.scenario.durations import Duration
from drills.scenario.models import (
    SUITES,
    TIERS,
    Action,
    Generator,
    Injection,
    Load,
    ObjectiveSpec,
    Scenario,
    StageSpec,
    Step,
    Windows,
)
from drills.scenario.tiers import Tiers
from drills.stage.compose import Compose
from drills.steps.table import STEPS

KEYS = (
    "name", "claim", "blast_radius", "suites", "stage", "load", "generator", "windows", "fault", "objectives", "teeth",
)  # fmt: skip


@dataclass
class _Problems:
    """Problems as they are found, each with its path in the file."""

    file: Path
    lines: list[str] = field(default_factory=list)

    def add(self, path: str, found: Any, expected: str) -> None:
        shown = repr(found)
        shown = shown if len(shown) <= 120 else shown[:117] + "…"
        self.lines.append(f"{self.file}: {path}: found {shown}, expected {expected}")

    def missing(self, path: str, expected: str) -> None:
        self.lines.append(f"{self.file}: {path}: found nothing, expected {expected}")

    def from_pydantic(self, path: str, error: ValidationError) -> None:
        for problem in error.errors():
            where = path
            for part in problem["loc"]:
                if isinstance(part, int):
                    where += f"[{part}]"
                elif part not in _UNION_TAGS:
                    where += f".{part}" if where else str(part)
            self._one(where, problem)

    def _one(self, where: str, problem: Any) -> None:
        match problem["type"]:
            case "extra_forbidden":
                self.add(where, problem["input"], "no such key here")
            case "missing":
                self.missing(where, "this key")
            case _:
                message = problem["msg"].removeprefix("Value error, ").removeprefix("expected ")
                self.add(where, problem["input"], message[:1].lower() + message[1:])


# pydantic names the branches of a union in the location; a reader of the file knows nothing of them
_UNION_TAGS = {"float", "constrained-float", "function-plain", "literal['tier']", "function-plain[<lambda>()]"}


def _read(problems: _Problems, path: str, kind: Any, raw: Any) -> Any:
    """One part of the file as its model, or None with the problems noted."""
    try:
        return TypeAdapter(kind).validate_python(raw)
    except ValidationError as error:
        problems.from_pydantic(path, error)
        return None


def load_scenario(path: Path, compose: Compose, tiers: Tiers, name: str | None = None) -> Scenario:
    """The drill in ``path``, whose name must be the file's stem unless ``name`` says otherwise (a record's copy).

    Raises BadInput with every problem that was found.
    """
    raw = strict_yaml.load(path)
    problems = _Problems(path)
    if not isinstance(raw, dict):
        raise BadInput(f"{path}: found {type(raw).__name__}, expected a mapping with the keys {', '.join(KEYS)}")
    for key in raw:
        if key not in KEYS:
            problems.add(str(key), raw[key], f"one of the keys {', '.join(KEYS)}")
    for key in KEYS:
        if key not in raw:
            problems.missing(key, "this key")
    scenario = _Reader(problems, raw, compose, tiers).scenario(path, name or path.stem)
    if problems.lines:
        raise BadInput(*problems.lines)
    assert scenario is not None  # nothing missing and no problem noted
    return scenario


class _Reader:
    """Reads the parts of one file; what cannot be read is noted and left out."""

    def __init__(self, problems: _Problems, raw: dict[str, Any], compose: Compose, tiers: Tiers) -> None:
        self.problems, self.raw, self.compose, self.tiers = problems, raw, compose, tiers
        self.services: tuple[str, ...] = ()

    def scenario(self, path: Path, stem: str) -> Scenario | None:
        name = self._name(stem)
        claim, blast_radius = self._text("claim"), self._text("blast_radius")
        suites = self._suites()
        self.services = self._services()
        load = self._part("load", Load)
        generator = self._part("generator", Generator)
        windows = self._part("windows", Windows)
        steps = self._steps("fault", self.raw.get("fault"))
        objectives = self._objectives()
        teeth = self._teeth(objectives)
        if load and load.resident_length.shortest.in_s(5) > load.resident_length.longest.in_s(5):
            self.problems.add("load.resident_length.shortest", str(load.resident_length.shortest), "at most `longest`")
        if generator:
            self._generator(generator, objectives)
        if self.problems.lines or not (load and generator and windows):
            return None
        return Scenario(
            name, path, path.read_text(encoding="utf-8"), claim, blast_radius, suites, self.services,
            load, generator, windows, steps, objectives, teeth,
        )  # fmt: skip

    def _part(self, key: str, kind: type[BaseModel]) -> Any:
        return _read(self.problems, key, kind, self.raw[key]) if key in self.raw else None

    def _name(self, stem: str) -> str:
        name = self.raw.get("name")
        if "name" in self.raw and name != stem:
            self.problems.add("name", name, f"the file's own stem {stem!r}")
        if not stem.replace("_", "").isalnum() or stem != stem.lower():
            self.problems.add("name", stem, "snake_case in lower case")
        return str(name)

    def _text(self, key: str) -> str:
        value = self.raw.get(key)
        if key in self.raw and (not isinstance(value, str) or len(value.strip()) < 8):
            self.problems.add(key, value, "a sentence")
        return str(value).strip()

    def _suites(self) -> tuple[str, ...]:
        value = self.raw.get("suites", [])
        if not isinstance(value, list):
            self.problems.add("suites", value, f"a list of {', '.join(SUITES)}")
            return ()
        for index, suite in enumerate(value):
            if suite not in SUITES:
                self.problems.add(f"suites[{index}]", suite, f"one of {', '.join(SUITES)}")
        return tuple(str(suite) for suite in value)

    def _services(self) -> tuple[str, ...]:
        spec: StageSpec | None = self._part("stage", StageSpec)
        if not spec:
            return tuple(self.compose.services)
        for index, service in enumerate(spec.services):
            if service not in self.compose.services:
                known = ", ".join(self.compose.services)
                self.problems.add(f"stage.services[{index}]", service, f"a service of {self.compose.path.name}: {known}")
        return spec.services

    def _steps(self, path: str, raw: Any) -> tuple[Step, ...]:
        if raw is None:
            return ()
        if not isinstance(raw, list):
            self.problems.add(path, raw, "a list of steps")
            return ()
        found = (self._step(f"{path}[{index}]", step) for index, step in enumerate(raw))
        return tuple(step for step in found if step is not None)

    def _step(self, path: str, raw: Any) -> Step | None:
        if not isinstance(raw, dict) or ("inject" in raw) == ("do" in raw):
            self.problems.add(path, raw, "a step with either `inject: <fault>` or `do: <step>`")
            return None
        return self._injection(path, dict(raw)) if "inject" in raw else self._action(path, dict(raw))

    def _action(self, path: str, raw: dict[str, Any]) -> Step | None:
        name = raw.pop("do")
        if name not in STEPS:
            self.problems.add(f"{path}.do", name, f"one of {', '.join(STEPS)}")
            return None
        arguments = _read(self.problems, path, STEPS[name].arguments, raw)
        if arguments is not None and hasattr(arguments, "service"):
            self._check_service(f"{path}.service", arguments.service, STEPS[name].kinds, f"`do: {name}`")
        return Action(name, arguments) if arguments is not None else None

    def _injection(self, path: str, raw: dict[str, Any]) -> Step | None:
        name = raw.pop("inject")
        if name not in FAULTS:
            self.problems.add(f"{path}.inject", name, f"one of the faults {', '.join(FAULTS)}")
            return None
        fault = FAULTS[name]
        subject = raw.pop(fault.on, None)
        if subject is None:
            self.problems.missing(f"{path}.{fault.on}", f"the {fault.on} that `{name}` hits")
        elif fault.on == "service":
            self._check_service(f"{path}.service", subject, fault.kinds, f"the fault `{name}`")
        elif subject not in self.compose.proxies:
            self.problems.add(f"{path}.proxy", subject, f"one of the proxies {', '.join(self.compose.proxies)}")
        lasts = self._length(f"{path}.lasts", raw.pop("lasts")) if "lasts" in raw else None
        steps = self._steps(f"{path}.steps", raw.pop("steps")) if "steps" in raw else ()
        if fault.lasting and not (lasts or steps):
            self.problems.missing(f"{path}.lasts", f"how long `{name}` lasts, or `steps` that happen meanwhile")
        if not fault.lasting and (lasts or steps):
            self.problems.add(f"{path}", name, f"neither `lasts` nor `steps`: `{name}` is over when it is done")
        arguments = _read(self.problems, path, fault.arguments, raw)
        return Injection(name, str(subject), arguments, lasts, steps) if arguments is not None else None

    def _length(self, path: str, raw: Any) -> Duration | None:
        length: Duration | None = _read(self.problems, path, Duration, raw)
        return length

    def _check_service(self, path: str, service: Any, kinds: frozenset[str], what: str) -> None:
        if service not in self.services:
            self.problems.add(path, service, f"a service on this stage: {', '.join(self.services)}")
        elif kinds and self.compose.services[service].kind not in kinds:
            able = [name for name in self.services if name in self.compose.services
                    and self.compose.services[name].kind in kinds]  # fmt: skip
            self.problems.add(path, service, f"a service that can take {what}: {', '.join(able) or 'none on this stage'}")

    def _objectives(self) -> tuple[ObjectiveSpec, ...]:
        raw = self.raw.get("objectives", [])
        if not isinstance(raw, list) or ("objectives" in self.raw and not raw):
            self.problems.add("objectives", raw, "a list with at least one objective")
            return ()
        specs = []
        for index, item in enumerate(raw):
            path = f"objectives[{index}]"
            spec = _read(self.problems, path, ObjectiveSpec, item)
            if isinstance(item, dict) and "claim" in item and item["claim"] not in CLAIMS:
                self.problems.add(f"{path}.claim", item["claim"], f"one of {', '.join(CLAIMS)}")
            elif spec:
                self._objective(path, spec, CLAIMS[spec.claim])
                specs.append(spec)
        self._each_once(specs)
        return tuple(specs)

    def _each_once(self, specs: list[ObjectiveSpec]) -> None:
        seen: set[tuple[str, str]] = set()
        for spec in specs:
            for window in spec.windows:
                if (spec.claim, window) in seen:
                    self.problems.add("objectives", f"{spec.claim} in {window}", "each claim once in a window")
                seen.add((spec.claim, window))

    def _objective(self, path: str, spec: ObjectiveSpec, claim: Claim) -> None:
        for window in spec.windows:
            if window not in claim.windows:
                self.problems.add(f"{path}.windows", window, f"a window that {claim.name} is due in: "
                                  f"{', '.join(claim.windows)}")  # fmt: skip
        if spec.limit == "tier" and spec.claim not in self.tiers.indicators:
            self.problems.add(f"{path}.limit", "tier", f"a number: {spec.claim} has no limits in tiers.yaml")
        if isinstance(spec.limit, Duration) != (claim.shape is Shape.TIME_MAX) and spec.limit != "tier":
            self.problems.add(f"{path}.limit", str(spec.limit), "a duration" if claim.shape is Shape.TIME_MAX
                              else f"a number of {claim.unit}")  # fmt: skip
        if claim.shape in (Shape.RATIO_MAX, Shape.RATIO_MIN):
            self._ratio(path, spec, claim)

    def _ratio(self, path: str, spec: ObjectiveSpec, claim: Claim) -> None:
        limits = [spec.limit] if isinstance(spec.limit, float) else []
        if spec.limit == "tier" and spec.claim in self.tiers.indicators:
            limits = [self.tiers.indicators[spec.claim].limits["stage"]]
        for limit in limits:
            assert isinstance(limit, float)
            least = least_samples(claim.shape, limit)
            if limit > 1:
                self.problems.add(f"{path}.limit", limit, "a ratio from 0 to 1")
            elif spec.samples_min < least:
                self.problems.add(f"{path}.samples_min", spec.samples_min, f"at least {least}: 3/(1 − limit) samples, "
                                  "or a ratio this strict cannot be told from luck")  # fmt: skip

    def _generator(self, generator: Generator, objectives: tuple[ObjectiveSpec, ...]) -> None:
        """A late generator must be seen well before it can break a promise about time (design §4), in every tier."""
        for tier in TIERS:
            limits = [limit for spec in objectives if (limit := self._time_limit_ms(spec, tier)) is not None]
            for key in ("gap_ms_max", "lateness_ms_p99_max"):
                value = getattr(generator, key).of(tier)
                if limits and value > min(limits) / 2:
                    half = f"at most {min(limits) / 2:g}, half of the tightest time limit of this tier"
                    self.problems.add(f"generator.{key}.{tier}", value, half)

    def _time_limit_ms(self, spec: ObjectiveSpec, tier: str) -> float | None:
        claim = CLAIMS.get(spec.claim)
        if claim is None or not claim.about_time_ms:
            return None
        if spec.limit == "tier":
            row = self.tiers.indicators.get(spec.claim)
            return row.limits[tier] * claim.about_time_ms if row else None
        if isinstance(spec.limit, Duration):
            return spec.limit.in_s(0.5) * 1000.0  # at the fastest pace
        return float(spec.limit) * claim.about_time_ms

    def _teeth(self, objectives: tuple[ObjectiveSpec, ...]) -> dict[str, tuple[str, ...]]:
        raw = self.raw.get("teeth", {})
        if not isinstance(raw, dict):
            self.problems.add("teeth", raw, "a mapping from a defect to the claims that catch it")
            return {}
        claims = {spec.claim for spec in objectives}
        for defect, caught_by in raw.items():
            if defect not in REGISTRY:
                self.problems.add(f"teeth.{defect}", defect, f"a defect of the reference: {', '.join(REGISTRY)}")
            if not isinstance(caught_by, list) or not caught_by or not claims.issuperset(map(str, caught_by)):
                self.problems.add(f"teeth.{defect}", caught_by, "a list of claims among this drill's objectives")
        return {str(defect): tuple(map(str, caught_by)) for defect, caught_by in raw.items()
                if isinstance(caught_by, list)}  # fmt: skip


def least_samples(shape: Shape, limit: float) -> int:
    """The fewest samples from which a ratio may be judged: 3/(1 − limit) (design §6; 0.98 gives 150)."""
    failures_allowed = limit if shape is Shape.RATIO_MAX else 1.0 - limit
    return int(-(-3.0 // failures_allowed)) if failures_allowed > 0 else 3



"""A drill as written down: frozen models with sockets nowhere near them.

Lengths of time are ``Duration`` (seconds or heartbeats). What a step or fault takes as arguments is declared
beside that step or fault; here they are only carried.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, StringConstraints, WithJsonSchema, field_validator

from drills.scenario import durations
from drills.scenario.durations import Duration

WINDOWS = ("calm", "fault", "recovery")
Window = Literal["calm", "fault", "recovery"]
SUITES = ("monthly", "prerelease", "daily", "networks")
STAGES = ("processes", "containers")
TIERS = ("dev", "stage", "prod")
SAMPLES_MAX = 1_000_000_000  # more than any record of ours holds
Why = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=8), Field(description="where this number comes from")
]


def _limit(value: object) -> object:
    """A limit as it may be written; raises ValueError in one sentence, where a union would answer for each branch."""
    if value == "tier" or isinstance(value, Duration):
        return value
    if isinstance(value, str):
        try:
            return Duration.parse(value)
        except ValueError as error:
            raise ValueError(f"`tier`, a number, or {str(error).removeprefix('expected ')}") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError("a finite number that is at least 0, a duration, or `tier`")
    return float(value)


Limit = Annotated[
    Duration | float | Literal["tier"],
    PlainValidator(_limit),
    WithJsonSchema({"anyOf": [{"const": "tier"}, {"type": "number", "minimum": 0}, durations.JSON_SCHEMA]}),
]


class Strict(BaseModel):
    """Frozen, and a key that is not understood is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )


class LengthRange(Strict):
    """Planned lengths of resident sessions, spread evenly between two durations."""

    shortest: Duration
    longest: Duration


class Load(Strict):
    """The traffic of a drill (design §4)."""

    resident: Annotated[int, Field(ge=1, le=500, description="sessions that are always there")]
    resident_length: Annotated[LengthRange, Field(description="planned lengths of resident sessions")]
    visits_per_window: Annotated[int, Field(ge=0, le=20000, description="short sessions started in each window")]
    visit_length: Annotated[Duration, Field(description="how long a visit lasts")]
    inputs_per_s: Annotated[int, Field(ge=1, le=240)] = 60
    frames_per_s: Annotated[int, Field(ge=1, le=240)] = 60
    renew_every: Annotated[Duration, Field(description="how often an end takes a new lease")]
    direct_path: Annotated[
        Literal["closed", "open"],
        Field(description="whether ends can reach each other without a relay, by way of the UDP proxy"),
    ]
    workers: Annotated[int, Field(ge=1, le=16, description="Locust worker processes")] = 2


class TierLimits(Strict):
    """One limit for each tier."""

    dev: Annotated[float, Field(gt=0, le=60000)]
    stage: Annotated[float, Field(gt=0, le=60000)]
    prod: Annotated[float, Field(gt=0, le=60000)]

    def of(self, tier: str) -> float:
        """The limit in force in a tier."""
        return float(getattr(self, tier))


class Generator(Strict):
    """What the load generator must keep to for its own figures to count (design §4)."""

    gap_ms_max: Annotated[TierLimits, Field(description="the longest time it may stand still")]
    lateness_ms_p99_max: Annotated[TierLimits, Field(description="how late its sends may be, 99 in 100")]
    why: Why


class Windows(Strict):
    """How long calm and recovery last; the fault window lasts as long as its steps."""

    calm: Duration
    recovery: Duration


class ObjectiveSpec(Strict):
    """One promise: a claim, the windows it is due in, a limit, the least evidence accepted, a reason."""

    claim: str
    windows: Annotated[tuple[Window, ...], Field(min_length=1)]
    limit: Annotated[Limit, Field(description="a number, a duration, or `tier`: the tier's own limit in tiers.yaml")]
    samples_min: Annotated[int, Field(ge=1, le=SAMPLES_MAX, description="the least evidence accepted")]
    why: Why

    @field_validator("windows", mode="before")
    @classmethod
    def _list_to_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


class StageSpec(Strict):
    """Which services of docker-compose.drills.yml stand on the stage, and on which stage where only one has them."""

    services: Annotated[tuple[str, ...], Field(min_length=1)]
    only: Literal["processes", "containers"] | None = None

    @field_validator("services", mode="before")
    @classmethod
    def _list_to_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True)
class Injection:
    """A fault in the story: what it hits, for how long, and what happens meanwhile."""

    fault: str
    subject: str  # the service or proxy it hits
    arguments: BaseModel
    lasts: Duration | None
    steps: tuple[Injection | Action, ...]


@dataclass(frozen=True)
class Action:
    """A step that breaks nothing: it waits, asks or observes."""

    name: str
    arguments: BaseModel


Step = Injection | Action


@dataclass(frozen=True)
class Scenario:
    """One drill, understood completely."""

    name: str
    path: Path
    text: str
    claim: str
    blast_radius: str
    suites: tuple[str, ...]
    services: tuple[str, ...]
    load: Load
    generator: Generator
    windows: Windows
    fault: tuple[Step, ...]
    objectives: tuple[ObjectiveSpec, ...]
    teeth: dict[str, tuple[str, ...]]  # defect -> the claims and invariants that must catch it
    only: str = ""  # the one stage that has what stands on it; empty where each has
    networks: tuple[str, ...] = ()  # the named conditions that it runs under, one after the other, where none is named

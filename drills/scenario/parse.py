"""Scenario files parsed once, at the door: everything not understood is refused, all problems at once.

Each part of the file is read on its own, so that one mistake never hides the next. A problem is one line:
``file: path: found …, expected …``. The story is read in ``story``, what is promised of it in ``promises``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from drills.errors import BadInput
from drills.scenario import strict_yaml
from drills.scenario.models import STAGES, SUITES, Generator, Load, Scenario, Windows
from drills.scenario.networks import networks
from drills.scenario.problems import Problems, joined
from drills.scenario.promises import check_generator, claims_named, least_samples, read_objectives, read_teeth
from drills.scenario.reading import Part, known, read_names, read_part, read_sentence
from drills.scenario.story import StoryReader
from drills.scenario.tiers import Tiers
from drills.stage.compose import CONTROL_PLANE, Compose

__all__ = ["KEYS", "SNAKE_CASE", "least_samples", "load_scenario"]

KEYS = (
    "name", "claim", "blast_radius", "suites", "stage", "load", "generator", "windows", "fault", "objectives", "teeth",
)  # fmt: skip
OPTIONAL = ("networks",)
NO_BLAST = "none"  # the control run breaks nothing
SNAKE_CASE = "[a-z][a-z0-9]*(_[a-z0-9]+)*"
_BEATS_S = (5.0, 0.5)  # a heartbeat at real and at fast pace; what must be so must be so at both


def load_scenario(path: Path, compose: Compose, tiers: Tiers, name: str | None = None) -> Scenario:
    """The drill in ``path``, whose name must be the file's stem unless ``name`` says otherwise (a record's copy).

    Raises BadInput with every problem that was found.
    """
    document = strict_yaml.read(path)
    raw = document.data
    problems = Problems(path, [*document.problems])
    if not isinstance(raw, dict):
        problems.add("the whole file", raw, f"a mapping with the keys {', '.join(KEYS)}")
        raise BadInput(*problems.lines)
    for key in raw:
        if key not in KEYS + OPTIONAL:
            problems.add(joined("", key), raw[key], f"no such key here; the keys are {', '.join(KEYS + OPTIONAL)}")
    for key in KEYS:
        if key not in raw:
            problems.missing(key)
    scenario = _read(problems, raw, document.text, name or path.stem, compose, tiers)
    if problems.lines or scenario is None:
        raise BadInput(*problems.lines)
    return scenario


def _read(
    problems: Problems, raw: dict[str, Any], text: str, stem: str, compose: Compose, tiers: Tiers
) -> Scenario | None:
    """Every part that is there; None where one could not be read at all."""
    services = _services(problems, raw["stage"], compose) if "stage" in raw else compose.of_kind(*CONTROL_PLANE)
    load, generator, windows = (_part(problems, raw, "load", Load), _part(problems, raw, "generator", Generator),
                                _part(problems, raw, "windows", Windows))  # fmt: skip
    story = StoryReader(problems, compose, services).steps("fault", raw["fault"]) if "fault" in raw else ()
    objectives = read_objectives(problems, raw["objectives"], tiers) if "objectives" in raw else ()
    teeth = read_teeth(problems, raw["teeth"], claims_named(raw.get("objectives"))) if "teeth" in raw else {}
    _check_name(problems, raw, stem)
    claim, blast_radius = _sentence(problems, raw, "claim"), _sentence(problems, raw, "blast_radius", NO_BLAST)
    conditions = read_names(problems, "networks", raw["networks"], network_names(compose)) if "networks" in raw else []
    suites = read_names(problems, "suites", raw["suites"], SUITES) if "suites" in raw else []
    if load:
        _check_lengths(problems, load)
    if generator:
        check_generator(problems, generator, objectives, tiers)
    if not (load and generator and windows):
        return None
    return Scenario(
        stem, problems.file, text, claim, blast_radius, tuple(suites), services, load, generator, windows, story,
        objectives, teeth, _only(problems, raw.get("stage")), tuple(conditions),
    )  # fmt: skip


def network_names(compose: Compose) -> tuple[str, ...]:
    """The named conditions that there are, beside the scenarios of the repository."""
    return tuple(networks(compose.path.parent / "scenarios"))


def _part(problems: Problems, raw: dict[str, Any], key: str, kind: type[Part]) -> Part | None:
    return read_part(problems, key, kind, raw[key]) if key in raw else None


def _sentence(problems: Problems, raw: dict[str, Any], key: str, *words: str) -> str:
    return read_sentence(problems, key, raw[key], *words) if key in raw else ""


def _check_name(problems: Problems, raw: dict[str, Any], stem: str) -> None:
    if "name" in raw and raw["name"] != stem:
        problems.add("name", raw["name"], f"the file's own stem, {stem!r}")
    if not re.fullmatch(SNAKE_CASE, stem):
        problems.add("name", stem, "snake_case: lower-case letters, digits and single underscores")


def _check_lengths(problems: Problems, load: Load) -> None:
    shortest, longest = load.resident_length.shortest, load.resident_length.longest
    if any(shortest.in_s(beat_s) > longest.in_s(beat_s) for beat_s in _BEATS_S):
        problems.add("load.resident_length.shortest", str(shortest), f"at most `longest` at either pace, {longest}")


def _services(problems: Problems, raw: Any, compose: Compose) -> tuple[str, ...]:
    """The services on stage, or all of them where the list cannot be read: its mistakes must not cause others."""
    everybody = compose.of_kind(*CONTROL_PLANE)  # Toxiproxy and the load are always there
    if not isinstance(raw, dict):
        problems.add("stage", raw, "a mapping with the keys services, only")
        return everybody
    for key in raw:
        if key not in ("services", "only"):
            problems.add(joined("stage", key), raw[key], "no such key here; the keys are services, only")
    if "services" not in raw:
        problems.missing("stage.services")
        return everybody
    before = len(problems.lines)
    names = tuple(read_names(problems, "stage.services", raw["services"], everybody))
    if len(problems.lines) > before:
        return everybody
    for kind in CONTROL_PLANE:
        if not any(compose.services[name].kind == kind for name in names):
            problems.add("stage.services", list(names), f"at least one {kind}: sessions need it")
    return names


def _only(problems: Problems, raw: Any) -> str:
    """The one stage that a drill can stand on; empty where it says none."""
    found = raw.get("only") if isinstance(raw, dict) else None
    if found is None and not (isinstance(raw, dict) and "only" in raw):
        return ""
    if not known(found, STAGES):
        problems.add("stage.only", found, f"one of {', '.join(STAGES)}")
        return ""
    return str(found)

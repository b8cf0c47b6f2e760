"""The JSON schema of a scenario, for editors: made from the models and the tables, so that it cannot say otherwise.

``python -m drills.scenario.schema`` writes it to ``schema/scenario.schema.json``; a test holds the two together. It
says what one key may be; what keys have to do with each other (limits, samples, stages) only ``drills check`` knows.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from drills.catalogue import REPOSITORY, Catalogue
from drills.faults.base import Fault
from drills.faults.table import FAULTS
from drills.invariants.table import INVARIANTS
from drills.objectives import CLAIMS, Claim, Shape
from drills.reference.defects import REGISTRY
from drills.scenario.durations import JSON_SCHEMA as DURATION
from drills.scenario.models import STAGES, SUITES, Generator, Load, ObjectiveSpec, Windows
from drills.scenario.parse import KEYS, SNAKE_CASE, network_names
from drills.stage.compose import CONTROL_PLANE, PATHS, Compose
from drills.steps.base import StepKind
from drills.steps.table import STEPS

PATH = REPOSITORY / "schema" / "scenario.schema.json"
_STEPS = {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/step"}}
_SENTENCE = {"type": "string", "minLength": 8}


def scenario_schema(compose: Compose) -> dict[str, Any]:
    """The schema (draft 7, which editors know) for scenarios on the stage that ``compose`` describes."""
    parts: dict[str, type[BaseModel]] = {"load": Load, "generator": Generator, "windows": Windows}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A drill",
        "description": "One rehearsed failure: what is on stage, what flows, what goes wrong, what must hold.",
        "type": "object",
        "additionalProperties": False,
        "required": list(KEYS),
        "properties": {
            "name": {"type": "string", "pattern": f"^{SNAKE_CASE}$", "description": "the file's own stem"},
            "claim": {**_SENTENCE, "description": "what this drill tries to break, as one sentence"},
            "blast_radius": {
                "anyOf": [{"const": "none"}, _SENTENCE], "description": "who is touched while it runs, or `none`",
            },
            "suites": _list_of({"enum": list(SUITES)}, "in which suites it runs", least=0),
            "networks": _list_of({"enum": list(network_names(compose))}, "the conditions it runs under in turn"),
            "stage": _stage(compose),
            **{key: _of_model(kind) for key, kind in parts.items()},
            "fault": {**_STEPS, "description": "the story, step by step"},
            "objectives": {"type": "array", "minItems": 1, "items": _objective()},
            "teeth": _teeth(),
        },
        "definitions": {
            "step": {"oneOf": [*(_injection(fault, compose) for fault in FAULTS.values()),
                               *(_action(step, compose) for step in STEPS.values())]},
        },
    }  # fmt: skip


def written(compose: Compose) -> str:
    """The file's text."""
    return json.dumps(scenario_schema(compose), indent=2, ensure_ascii=False) + "\n"


def _of_model(kind: type[BaseModel]) -> dict[str, Any]:
    """A model's own schema, its parts in place of references: there are no circles among them."""
    schema = kind.model_json_schema(ref_template="{model}")
    parts = schema.pop("$defs", {})
    found = _inlined(schema, parts)
    assert isinstance(found, dict)
    return found


def _inlined(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(one, parts) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**_inlined(parts[schema["$ref"]], parts), **rest}
    # pydantic titles everything after its own names; a reader is served by the descriptions
    return {
        key: _inlined(value, parts) for key, value in schema.items() if key != "title" or not isinstance(value, str)
    }


def _list_of(items: dict[str, Any], description: str, least: int = 1) -> dict[str, Any]:
    return {"type": "array", "minItems": least, "uniqueItems": True, "items": items, "description": description}


def _named(description: str, names: dict[str, str]) -> dict[str, Any]:
    """One of several names, each with its sentence."""
    return {
        "description": description,
        "oneOf": [{"const": name, "description": sentence} for name, sentence in names.items()],
    }


def _stage(compose: Compose) -> dict[str, Any]:
    services = _list_of({"enum": list(compose.of_kind(*CONTROL_PLANE))}, f"services of {compose.path.name}")
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["services"],
        "properties": {
            "services": services,
            "only": {"enum": list(STAGES), "description": "the one stage that has these services; left out: each has"},
        },
    }


def _services(compose: Compose, kinds: frozenset[str], description: str) -> dict[str, Any]:
    names = [name for name, plan in compose.services.items() if not kinds or plan.kind in kinds]
    return {"enum": names, "description": description}


def _injection(fault: Fault, compose: Compose) -> dict[str, Any]:
    """A fault as a step of the story."""
    schema = _of_model(fault.arguments)
    on = {
        "service": _services(compose, fault.kinds, "the service it hits"),
        "proxy": {"enum": list(compose.proxies), "description": "the TCP path it hits"},
        "path": {
            "enum": sorted(fault.kinds) or list(PATHS),
            "description": "the UDP path it hits: one side of it, to every relay on stage",
        },
    }[fault.on]
    length: dict[str, Any] = {"lasts": {**DURATION, "description": "how long it lasts"},
                              "steps": {**_STEPS, "description": "what happens meanwhile"}}  # fmt: skip
    return {
        "description": fault.does,
        "type": "object",
        "additionalProperties": False,
        "required": ["inject", fault.on, *schema.get("required", [])],
        "properties": {
            "inject": {"const": fault.name, "description": fault.does},
            fault.on: on,
            **schema.get("properties", {}),
            **(length if fault.lasting else {}),
        },
        **({"anyOf": [{"required": ["lasts"]}, {"required": ["steps"]}]} if fault.lasting else {}),
    }


def _action(step: StepKind, compose: Compose) -> dict[str, Any]:
    """A step that breaks nothing."""
    schema = _of_model(step.arguments)
    properties = dict(schema.get("properties", {}))
    if "service" in properties:
        properties["service"] = _services(compose, step.kinds, "the service that is meant")
    return {
        "description": step.does,
        "type": "object",
        "additionalProperties": False,
        "required": ["do", *schema.get("required", [])],
        "properties": {"do": {"const": step.name, "description": step.does}, **properties},
    }


def _objective() -> dict[str, Any]:
    """One promise; once the claim is named, its windows and the kind of its limit are known too."""
    schema = _of_model(ObjectiveSpec)
    schema["properties"]["claim"] = _named("what is promised", {claim.name: claim.promise for claim in CLAIMS.values()})
    schema["allOf"] = [
        {"if": {"properties": {"claim": {"const": claim.name}}}, "then": {"properties": _by_claim(claim)}}
        for claim in CLAIMS.values()
    ]
    return schema


def _by_claim(claim: Claim) -> dict[str, Any]:
    number: dict[str, Any] = {"type": "integer" if claim.shape in (Shape.COUNT_MAX, Shape.COUNT_MIN) else "number",
                              "minimum": 0}  # fmt: skip
    if claim.shape in (Shape.RATIO_MAX, Shape.RATIO_MIN):
        number["maximum"] = 1
    limit = DURATION if claim.shape is Shape.TIME_MAX else number
    return {
        "limit": {"anyOf": [{"const": "tier"}, limit], "description": f"in {claim.unit}, or `tier`"},
        "windows": {"items": {"enum": list(claim.windows)}},
    }


def _teeth() -> dict[str, Any]:
    return {
        "description": "which defect of the reference breaks which promise of this drill",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {**_list_of({"enum": [*CLAIMS, *INVARIANTS]}, defect.wrong)} for name, defect in REGISTRY.items()
        },
    }


def main(path: Path = PATH) -> None:
    """Write the schema."""
    path.write_text(written(Catalogue().compose), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()

"""The editors' schema: it is what the models and tables say today, and it fits what is shipped."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from drills.catalogue import Catalogue
from drills.faults.table import FAULTS
from drills.objectives import CLAIMS
from drills.scenario.schema import PATH, written
from drills.steps.table import STEPS

CATALOGUE = Catalogue()
SCHEMA = json.loads(PATH.read_text(encoding="utf-8"))


def complaints(drill: Any) -> list[str]:
    """What the schema has against a drill."""
    return [error.message for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(drill)]


def shipped(name: str) -> Any:
    """A shipped scenario as plain data."""
    return yaml.safe_load(CATALOGUE.paths()[name].read_text(encoding="utf-8"))


def test_the_committed_schema_is_up_to_date() -> None:
    """`python -m drills.scenario.schema` would change nothing."""
    assert PATH.read_text(encoding="utf-8") == written(CATALOGUE.compose)


def test_the_schema_is_a_schema() -> None:
    """Draft 7, which editors know."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", CATALOGUE.paths())
def test_every_shipped_scenario_fits_the_schema(name: str) -> None:
    """An editor shows no error where `drills check` finds none, and every file tells the editor where the schema is."""
    assert complaints(shipped(name)) == []
    first = CATALOGUE.paths()[name].read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../schema/scenario.schema.json"


def test_every_fault_step_and_claim_is_offered() -> None:
    """Each with its own sentence."""
    steps = SCHEMA["definitions"]["step"]["oneOf"]
    offered = {one["properties"].get("inject", one["properties"].get("do"))["const"] for one in steps}
    claims = SCHEMA["properties"]["objectives"]["items"]["properties"]["claim"]["oneOf"]
    assert offered == {*FAULTS, *STEPS}
    assert {one["const"] for one in claims} == {*CLAIMS}
    assert all(one["description"] for one in (*steps, *claims))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("claims", 1), ("suites", ["weekly"]), ("stage", {"services": ["relay_z"]}), ("fault", []),
        ("fault", [{"inject": "drain", "service": "gateway", "lasts": "5 s"}]),
        ("fault", [{"inject": "drain", "service": "relay_a"}]), ("fault", [{"do": "hold", "lasts": "-5 s"}]),
        ("fault", [{"inject": "restart", "service": "relay_a", "lasts": "5 s"}]), ("fault", [{"do": "sleep"}]),
        ("fault", [{"inject": "down", "proxy": "nowhere", "lasts": "5 s"}]),
        ("objectives", [{"claim": "drain_holds", "windows": ["calm"], "limit": 6, "samples_min": 1, "why": "x" * 9}]),
        ("objectives", [{"claim": "drain_holds", "windows": ["fault"], "limit": 6, "samples_min": 1}]),
        ("teeth", {"relay_sulks": ["drain_holds"]}), ("windows", {"calm": "5 s"}),
    ],
)  # fmt: skip
def test_the_schema_sees_the_common_mistakes(part: str, value: object) -> None:
    """What an editor can know from the tables, it underlines."""
    assert complaints({**shipped("relay_drain"), part: value})

"""The JSON schema of report.json: ``python -m drills.report.schema`` writes ``schema/report.schema.json``.

Everything that is in a report is in it, and nothing else may be: a program that reads reports need not look into this
one. ``format`` grows when a key changes its meaning or goes; keys may be added without.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from drills.report.files import Excerpt, VerdictFile
from drills.report.month import FORMAT
from drills.report.runs import GRAVEST_FIRST

PATH = Path(__file__).resolve().parents[2] / "schema" / "report.schema.json"
Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TRUTH: Schema = {"type": "boolean"}
STATUS: Schema = {"enum": list(GRAVEST_FIRST)}
MONTH: Schema = {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}
FREE: Schema = {"type": "object"}


def _or_null(one: Schema) -> Schema:
    return {"anyOf": [one, {"type": "null"}]}


def _list(one: Schema) -> Schema:
    return {"type": "array", "items": one}


def _object(says: str = "", /, **keys: Schema) -> Schema:
    """An object with exactly these keys."""
    found: Schema = {"type": "object", "properties": keys, "required": list(keys), "additionalProperties": False}
    return {**found, "description": says} if says else found


def _said(one: Schema, says: str) -> Schema:
    return {**one, "description": says}


PLACE: dict[str, Schema] = {
    "target": TEXT, "stage": TEXT, "tier": TEXT, "pace": TEXT,
    "condition": _said(TEXT, "the named network condition; empty where nothing was in the packets' way"),
    "synthetic": TRUTH,
}  # fmt: skip
BRIEF: dict[str, Schema] = {
    "drill": TEXT, "run": TEXT, "path": _said(TEXT, "the run's folder, seen from the month's"), "status": STATUS,
    "problem": _said(_or_null(TEXT), "why there is no verdict"), "target": _or_null(TEXT), "stage": _or_null(TEXT),
    "tier": _or_null(TEXT), "pace": _or_null(TEXT), "defects": _list(TEXT), "started_at": _or_null(TEXT),
    "counted": _said(TRUTH, "whether the run speaks for the month"),
    "synthetic": _said(_or_null(TEXT), "who made the record, where nothing was run"),
}  # fmt: skip


def schema() -> Schema:
    """The whole schema, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A month of Wavry drills",
        **_object(
            "report.json of a month, as `drills report` writes it; null stands for what is not known",
            format={"const": FORMAT}, month=MONTH, answer=_said(TEXT, "the month in a sentence"), gravest=STATUS,
            lead=_said(TEXT, "what goes before the answer: overdue findings; empty where there are none"),
            synthetic=_said(TEXT, "what must be said of records that nobody observed; empty where there are none"),
            warnings=_list(TEXT), decisions=_list(_decision()), scorecard=_list(_score()), indicators=_list(_tier()),
            trends=_list(_trend()), findings=_said(_list(FREE), "as `drills findings --json` lists them"),
            findings_problem=_or_null(TEXT), runbook=_list(_item()), not_covered=_list(TEXT),
            drills=_said(_list(_whole()), "the newest run of each drill, target, stage and set of defects"),
            earlier=_said(_list(_object(**BRIEF)), "all other runs of the month, newest first"),
            teeth=_said(_or_null(FREE), "the newest matrix of `drills teeth`, as in its teeth.json"),
        ),
    }  # fmt: skip


def _decision() -> Schema:
    kinds = ["overdue", "unassigned", "new failure", "still broken", "budget overspent", "not run", "stale"]
    return _object(kind={"enum": kinds}, about=TEXT, says=TEXT, run=_or_null(TEXT))


def _score() -> Schema:
    month = _object(month=MONTH, status=_or_null(STATUS), figure=_or_null(NUMBER), runs=COUNT, says=TEXT)
    return _object(
        "one drill in one place over twelve months, oldest first", drill=TEXT, **PLACE, key_figure=TEXT, unit=TEXT,
        noise_band=_said(_or_null(NUMBER), "how far two runs with nothing changed lie apart; null: too few to say"),
        noise_runs=COUNT, noise_of=TEXT, months=_list(month),
    )  # fmt: skip


def _tier() -> Schema:
    budget = _object(
        indicator=TEXT, objective=TEXT, unit=TEXT, limit=_or_null(NUMBER), runs=COUNT, samples=COUNT, allowed=NUMBER,
        used=COUNT, left_out=COUNT, worst=_or_null(NUMBER), verdict=TEXT,
        left=_said(_or_null(NUMBER), "the share of the error budget that is left; below 0: overspent"),
    )  # fmt: skip
    return _object("the service indicators of one place", **PLACE, runs=COUNT, indicators=_list(budget))


def _trend() -> Schema:
    return _object(
        "one figure now and before", drill=TEXT, **PLACE, objective=TEXT, window=TEXT, unit=TEXT, now=_or_null(NUMBER),
        before=_or_null(NUMBER), before_month=_or_null(MONTH), release=_or_null(NUMBER), release_until=_or_null(TEXT),
        noise_band=_or_null(NUMBER), noise_runs=COUNT, noise_of=TEXT, against_month=TEXT, against_release=TEXT,
    )  # fmt: skip


def _item() -> Schema:
    return _object(
        "an item of Wavry's Operations page", section=TEXT, item=TEXT,
        state={"enum": ["this month", "earlier", "never", "no drill"]}, drills=_list(TEXT), why_none=_or_null(TEXT),
        last=_or_null(TEXT), last_drill=_or_null(TEXT), last_status=_or_null(STATUS),
        by=_said(TEXT, "what exercised it and how that came out, what would, or why nothing does"),
    )  # fmt: skip


def _whole() -> Schema:
    rejection = _object(reason=TEXT, windows={"type": "object", "additionalProperties": {"type": "integer"}})
    return _object(
        **BRIEF, command=_said(TEXT, "the command line that runs it again"), picture=_or_null(TEXT),
        services_picture=_or_null(TEXT), relay_rejections=_list(rejection),
        verdict=_said(_or_null(_model(VerdictFile)), "verdict.json, its judgements gravest first"),
        claim=_or_null(TEXT), blast_radius=_or_null(TEXT), seconds=_or_null(COUNT), windows=_or_null(FREE),
        faults=_or_null(_list(FREE)), events=_or_null(_list(FREE)),
        excerpts=_said(_or_null(_list(_model(Excerpt))), "what all services logged around what was broken"),
        provenance=_or_null(FREE),
    )  # fmt: skip


def _model(model: Any) -> Schema:
    """A file's own model, its parts in place; figures that JSON has no number for are null."""
    found: Schema = model.model_json_schema(mode="serialization")
    parts = found.pop("$defs", {})
    whole: Schema = _in_place(found, parts)
    return whole


def _in_place(one: Any, parts: Schema) -> Any:
    if isinstance(one, list):
        return [_in_place(each, parts) for each in one]
    if not isinstance(one, dict):
        return one
    if "$ref" in one:
        return _in_place(parts[one["$ref"].rpartition("/")[2]], parts)
    if one.get("type") == "number":
        return _or_null({key: value for key, value in one.items() if key != "default"})
    return {key: _in_place(value, parts) for key, value in one.items() if key not in ("title", "default")}


def text() -> str:
    """As it stands in the file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")

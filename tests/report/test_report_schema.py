"""Claims about report.json: its schema is published as it is, and every report that we write keeps to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from made_month import MONTH, add_run, all_hostile, mixed_month, provenance_file

from drills.report import schema
from drills.report.month import write_month


def made_month(out: Path) -> None:
    """A month of nothing but a made record."""
    add_run(out, "calm", "20261103T140000-aaaa", provenance=provenance_file(synthetic="made by a test"), series=True)


def test_the_published_schema_is_that_of_the_code() -> None:
    assert schema.PATH.read_text(encoding="utf-8") == schema.text()
    jsonschema.Draft202012Validator.check_schema(schema.schema())


@pytest.mark.parametrize("month", [mixed_month, all_hostile, made_month])
def test_a_report_keeps_to_its_schema(tmp_path: Path, month: Callable[[Path], object]) -> None:
    month(tmp_path)
    write_month(tmp_path, MONTH)
    report = json.loads((tmp_path / MONTH / "report.json").read_text())
    jsonschema.Draft202012Validator(schema.schema()).validate(report)


def test_a_key_too_many_is_refused() -> None:
    """Or the schema would say nothing."""
    report = {"format": 2, "surprise": 1}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema.schema()).validate(report)


def test_a_month_of_made_records_says_that_it_is(tmp_path: Path) -> None:
    made_month(tmp_path)
    html = write_month(tmp_path, MONTH).read_text()
    report = json.loads((tmp_path / MONTH / "report.json").read_text())
    assert (report["gravest"], report["answer"]) == (
        "not run", "Not run: in 2026-11 nothing was observed; all of its records are synthetic.",
    )  # fmt: skip
    assert report["synthetic"] and report["drills"][0]["synthetic"]
    assert "Synthetic records:" in html
    assert "Synthetic" in (tmp_path / MONTH / "report.md").read_text()


def test_a_made_record_never_takes_the_place_of_an_observed_one(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="broken")
    add_run(tmp_path, "calm", "20261104T140000-aaaa", provenance=provenance_file(synthetic="made by a test"))
    write_month(tmp_path, MONTH)
    report = json.loads((tmp_path / MONTH / "report.json").read_text())
    assert report["gravest"] == "broken" and "1 synthetic record does not count" in report["answer"]
    assert [(one["status"], one["counted"]) for one in report["drills"]] == [("broken", True), ("held", False)]


def test_a_made_control_run_is_none(tmp_path: Path) -> None:
    """What broke may not be the fault's doing where only a record for show says that all was calm."""
    add_run(tmp_path, "relay_drain", "20261103T140000-aaaa", verdict="broken")
    add_run(tmp_path, "calm", "20261104T140000-aaaa", provenance=provenance_file(synthetic="made by a test"))
    write_month(tmp_path, MONTH)
    (warning,) = json.loads((tmp_path / MONTH / "report.json").read_text())["warnings"]
    assert warning.startswith("calm, the control run, was not made on reference")

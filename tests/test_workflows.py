"""What starts the drills by itself: every command line in it is understood, and the first Tuesday is one."""

from __future__ import annotations

import re
import shlex
import subprocess
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from drills.__main__ import SUITES, parser

REPOSITORY = Path(__file__).resolve().parents[1]
WORKFLOWS = REPOSITORY / ".github" / "workflows"
UNITS = REPOSITORY / "docs" / "systemd"
SET = {"TARGET": "wavry", "STAGE": "containers", "TIER": "stage", "SUITE": "monthly", "options[@]": "--fail-overdue",
       "DRILLS_TARGET": "wavry", "DRILLS_OPTIONS": "--tier dev"}  # fmt: skip


def workflow(name: str) -> dict[str, Any]:
    """One of them; YAML takes its `on` for true."""
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / f"{name}.yml").read_text(encoding="utf-8"))
    return found


def steps() -> dict[str, str]:
    """What each step of the job runs."""
    return {
        step.get("name", ""): step["run"] for step in workflow("drills")["jobs"]["drills"]["steps"] if "run" in step
    }


def commands(script: str) -> list[list[str]]:
    """The words after `bin/drills` in a script, its variables set."""
    joined = script.replace("\\\n", " ")
    for name, value in SET.items():
        joined = re.sub(rf'"?\$(?:{re.escape(name)}\b|\{{{re.escape(name)}\}})"?', value, joined)
    found = re.findall(r"bin/drills ([^|>&\n]+)", joined)
    return [shlex.split(one) for one in found]


def test_every_command_of_the_workflow_is_understood() -> None:
    """Four of them: run, recover, findings, and nothing that is not there."""
    words = [one for script in steps().values() for one in commands(script)]
    assert [one[0] for one in words] == ["run", "recover", "findings"]
    for one in words:
        parser().parse_args(one)


@pytest.mark.parametrize("name", ["wavry-drills.service"])
def test_every_command_of_the_unit_is_understood(name: str) -> None:
    """What systemd starts, and what it starts afterwards."""
    words = commands((UNITS / name).read_text(encoding="utf-8"))
    assert [one[0] for one in words] == ["run", "recover"]
    for one in words:
        parser().parse_args(one)


def test_both_workflows_call_the_same_one_with_a_suite_that_exists() -> None:
    """And the candidate's fails on overdue findings."""
    for name, suite in (("monthly", "monthly"), ("candidate", "prerelease")):
        job = workflow(name)["jobs"]["drills"]
        assert job["uses"] == "./.github/workflows/drills.yml"
        assert job["with"]["suite"] == suite in SUITES
    assert workflow("candidate")["jobs"]["drills"]["with"]["options"] == "--fail-overdue"


def guard(day: date, event: str, folder: Path) -> str:
    """What the guard of the monthly workflow says on a day."""
    (step,) = workflow("monthly")["jobs"]["first-tuesday"]["steps"]
    (folder / "date").write_text(f"#!/bin/sh\necho {day.day}\n")
    (folder / "date").chmod(0o755)
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]], capture_output=True, text=True, check=True, timeout=30,
        env={"PATH": f"{folder}:/usr/bin:/bin", "EVENT": event, "GITHUB_OUTPUT": str(folder / "output")},
    )  # fmt: skip
    return done.stdout.strip()


def test_of_the_tuesdays_of_a_month_the_first_is_let_through(tmp_path: Path) -> None:
    """The schedule is every Tuesday; by hand any day will do."""
    assert workflow("monthly")[True]["schedule"] == [{"cron": "0 14 * * 2"}]
    tuesdays = [date(2026, 12, 1) + timedelta(days=7 * week) for week in range(5)]
    assert {day.isoweekday() for day in tuesdays} == {2}
    assert [guard(day, "schedule", tmp_path) for day in tuesdays] == ["due=true", *["due=false"] * 4]
    assert guard(date(2026, 12, 24), "workflow_dispatch", tmp_path) == "due=true"


def test_nothing_from_outside_is_pasted_into_a_script() -> None:
    """An input with a quote in it would be a command: scripts read variables."""
    assert [name for name, script in steps().items() if "${{" in script] == []

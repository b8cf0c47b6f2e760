"""Whether the year of made records is one: judged by the real judge, told apart from observed ones, stripped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drills.bench import report, year
from drills.bench.processes import Cost
from drills.bench.rows import Outcome
from drills.report.runs import run_of


def test_a_year_is_a_calm_run_a_day_and_two_stories_a_month(tmp_path: Path) -> None:
    days = list(year.days_of(tmp_path, "2026-11", 31))
    assert len(days) == 365 + 24
    assert len({day.folder for day in days}) == len(days)


@pytest.mark.slow
@pytest.mark.parametrize(("month", "drill", "expected"), [
    ("2026-11", "calm", "held"), ("2026-11", "relay_drain", "held"), ("2026-11", "master_restart", "held"),
    ("2026-03", "relay_drain", "broken"), ("2026-08", "calm", "inconclusive"),
])  # fmt: skip
def test_each_story_comes_to_what_it_tells(tmp_path: Path, month: str, drill: str, expected: str) -> None:
    days = [day for day in year.days_of(tmp_path, "2026-11", 14) if day.folder.match(f"{month}/{drill}/*")]
    assert year.make(days[-1]) == expected
    run = run_of(days[-1].folder)
    assert run.synthetic == year.WORDS
    assert run.series and run.started_at.startswith(month)
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "ledger.csv", "provenance.json", "scenario.yaml", "series.json", "verdict.json",
    ]  # fmt: skip
    assert json.loads((run.folder / "verdict.json").read_text())["drill"] == drill


@pytest.mark.parametrize(("words", "code"), [(["--until", "2026-13"], 4), (["--until", "soon"], 4)])
def test_a_month_that_is_none_is_bad_input(tmp_path: Path, words: list[str], code: int) -> None:
    assert year.main([str(tmp_path), *words]) == code


def test_a_year_is_never_written_over(tmp_path: Path) -> None:
    next(year.days_of(tmp_path, "2026-11", 1)).folder.mkdir(parents=True)
    assert year.main([str(tmp_path), "--days", "1"]) == 4


@pytest.mark.parametrize(("wall_s", "outcome"), [(9.9, Outcome.OK), (10.1, Outcome.OVER)])
def test_a_report_of_a_year_that_takes_too_long_is_over(wall_s: float, outcome: Outcome) -> None:
    rows = report.rows(389, Cost(0, wall_s, wall_s, 200.0), Cost(0, 3.0, 3.0, 150.0))
    assert [row.outcome for row in rows] == [outcome, Outcome.SHOWN]

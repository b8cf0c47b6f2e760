"""Claims about twelve months of runs: what is set beside what, what is called a change, and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_month import add_run, judgement, provenance_file, verdict_file

from drills.report.history import History, Line, months_before, past_runs
from drills.report.runs import runs_of
from drills.report.scoreboard import scoreboard
from drills.report.trends import RUNS_MIN, Trend, trends_of

P95 = "input_to_present_ms_p95"


def put(out: Path, at: str, figure: float, *, drill: str = "calm", verdict: str = "held", release: str = "one",
        **facts: object) -> None:  # fmt: skip
    """A run whose input-to-present is the same in all windows; ``at`` is a day."""
    rows = [judgement(P95, window, verdict, figure=figure, unit="ms", limit=70.0)
            for window in ("calm", "fault", "recovery")]  # fmt: skip
    made = provenance_file(started_at=f"{at}T14:00:00.000Z", programs={"gateway": release, "toxiproxy": "any"}, **facts)
    folder = add_run(
        out, drill, f"{at.replace('-', '')}T140000-aaaa", verdict=verdict, judgements=rows, provenance=made
    )
    month = out / at[:7] / drill
    month.mkdir(parents=True, exist_ok=True)
    if at[:7] != "2026-11":
        folder.rename(month / folder.name)


def history(out: Path, month: str = "2026-11") -> History:
    """As the report reads it."""
    return History.of(month, runs_of(out / month, series=False), past_runs(out, month))


def calm_trend(out: Path) -> Trend:
    """That of the control run's input-to-present."""
    return next(one for one in trends_of(history(out)) if one.line.drill == "calm")


def quiet_year(out: Path, *, width: float = 4.0) -> None:
    """Calm runs of four months, the figures of which lie up to ``width`` apart."""
    for nth, month in enumerate(("2026-07", "2026-08", "2026-09", "2026-10")):
        put(out, f"{month}-03", 30.0 + width * (nth % 2))
        put(out, f"{month}-04", 30.0 + width * (nth % 2))


def test_twelve_months_end_with_the_one_that_is_asked_for() -> None:
    assert months_before("2026-02")[:2] == ["2025-03", "2025-04"]
    assert (len(months_before("2026-02")), months_before("2026-02")[-1]) == (12, "2026-02")


def test_three_milliseconds_within_the_noise_are_no_regression(tmp_path: Path) -> None:
    quiet_year(tmp_path)
    put(tmp_path, "2026-11-03", 34.0 + 3.0)
    trend = calm_trend(tmp_path)
    assert (trend.now, trend.before, trend.before_when, trend.word) == (
        37.0, 34.0, "2026-10", "no change beyond noise",
    )  # fmt: skip
    assert trend.band.width is not None and 4.0 <= trend.band.width <= 7.0


@pytest.mark.parametrize(("figure", "word"), [(60.0, "worse"), (8.0, "better")])
def test_a_change_past_the_noise_is_one(tmp_path: Path, figure: float, word: str) -> None:
    quiet_year(tmp_path)
    put(tmp_path, "2026-11-03", 34.0)
    put(tmp_path, "2026-11-08", figure, drill="relay_drain")
    put(tmp_path, "2026-10-08", 34.0, drill="relay_drain")
    assert next(one for one in trends_of(history(tmp_path)) if one.line.drill == "relay_drain").word == word


def test_too_few_calm_runs_say_nothing_about_a_change(tmp_path: Path) -> None:
    put(tmp_path, "2026-10-03", 30.0)
    put(tmp_path, "2026-11-03", 60.0)
    assert calm_trend(tmp_path).word == f"unknown: 2 calm runs, {RUNS_MIN} needed"


def test_figures_in_doubt_are_neither_noise_nor_change(tmp_path: Path) -> None:
    quiet_year(tmp_path)
    put(tmp_path, "2026-10-20", 300.0, verdict="inconclusive")
    put(tmp_path, "2026-11-03", 400.0, verdict="inconclusive")
    trend = calm_trend(tmp_path)
    assert (trend.now, trend.before, trend.word, trend.band.width) == (None, 34.0, "nothing to compare", 4.0)


def test_figures_of_another_place_are_never_compared(tmp_path: Path) -> None:
    for nth, other in enumerate(({"pace": "real"}, {"condition": "train"}, {"synthetic": "made by a test"})):
        put(tmp_path, f"2026-10-0{nth + 1}", 10.0, **other)
    put(tmp_path, "2026-11-03", 30.0)
    trend = calm_trend(tmp_path)
    assert (trend.before, trend.band.runs) == (None, 1)
    assert len({line.place for line in history(tmp_path).lines}) == 4


def test_the_last_release_is_what_ran_before_this_one(tmp_path: Path) -> None:
    put(tmp_path, "2026-08-03", 50.0, release="zero")
    for month in ("2026-09", "2026-10"):
        put(tmp_path, f"{month}-03", 20.0, release="one")
    put(tmp_path, "2026-11-03", 30.0, release="two")
    trend = calm_trend(tmp_path)
    assert (trend.release, trend.release_when) == (20.0, "2026-10-03")


def test_runs_with_a_defect_or_without_a_verdict_have_no_line(tmp_path: Path) -> None:
    put(tmp_path, "2026-11-03", 30.0)
    put(tmp_path, "2026-11-04", 90.0, defects=["relay_adds_40ms"])
    add_run(tmp_path, "relay_drain", "20261105T140000-aaaa", judged=False)
    (line,) = history(tmp_path).lines
    assert [run.name[:8] for run in line.runs["2026-11"]] == ["20261103"]


def test_a_cell_tells_its_newest_run_and_all_others(tmp_path: Path) -> None:
    put(tmp_path, "2026-11-03", 30.0, verdict="broken")
    put(tmp_path, "2026-11-04", 32.0)
    (row,) = scoreboard(history(tmp_path))
    cell = row.cells[-1]
    assert (cell.status, cell.figure, cell.says) == ("held", "31 ms", "1 broken, 1 held")
    assert [one.status for one in row.cells[:-1]] == [""] * 11


def test_a_drills_own_time_is_its_key_figure(tmp_path: Path) -> None:
    rows = [judgement(P95, "fault", figure=30.0, unit="ms"), judgement("relay_back_s", figure=1.5, unit="s", limit=4.0)]
    add_run(tmp_path, "relay_drain", "20261105T140000-aaaa", judgements=rows)
    (line,) = history(tmp_path).lines
    assert isinstance(line, Line)
    assert line.key and (line.key.objective, line.key.window) == ("relay_back_s", "fault")


@pytest.mark.parametrize(("failed", "word"), [(1, "no change beyond noise"), (60, "worse")])
def test_one_drop_more_is_chance_and_sixty_are_not(tmp_path: Path, failed: int, word: str) -> None:
    for nth, month in enumerate(("2026-07", "2026-08", "2026-09", "2026-10", "2026-11")):
        put(tmp_path, f"{month}-03", 30.0)
        share = failed / 600 if month == "2026-11" else 0.0
        path = tmp_path / month / "calm" / f"{month.replace('-', '')}03T140000-aaaa" / "verdict.json"
        rows = [judgement("session_drop_ratio", "fault", figure=share, samples=600, failed=round(share * 600))]
        path.write_text(json.dumps(verdict_file("calm", f"run-{nth}", "held", rows)))
    (trend,) = trends_of(history(tmp_path))
    assert (trend.key.objective, trend.word) == ("session_drop_ratio", word)

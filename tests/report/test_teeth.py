"""The teeth matrix on the month's pages: who catches what, and that its runs do not speak for the month."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from made_month import HOSTILE, MONTH, add_run, provenance_file
from page_reader import Element, page_of

from drills.report.month import write_month
from drills.report.teeth import NAME, read_teeth

CAUGHT = "relay_goes_deaf"


def row(drill: str = "calm", defect: str | None = CAUGHT, outcome: str = "caught", **more: Any) -> dict[str, Any]:
    """One row of teeth.json."""
    run = f"{drill}/20261103T140000-{defect or 'sound'}"
    attempts = [{"outcome": outcome, "run": run, "reason": "", "took_s": 16.0, "beside": False}]
    return {"drill": drill, "defect": defect, "claims": ["silence_ms_p99"] if defect else [], "outcome": outcome,
            "caught_by": ["silence_ms_p99 in calm"] if outcome == "caught" else [], "side_effects": [], "reason": "",
            "run": run, "stopped_after": None, "took_s": 16.0, "attempts": attempts, **more}  # fmt: skip


def matrix(out: Path, *rows: dict[str, Any], **more: Any) -> None:
    """teeth.json of the month."""
    (out / MONTH).mkdir(parents=True, exist_ok=True)
    head = {"format": 1, "suite": "monthly", "stage": "processes", "pace": "fast", "command": "drills teeth",
            "started_at": "2026-11-03T14:00:00+00:00", "finished": True, "took_s": 600.0,
            "answer": "1 of 1 defects caught"}  # fmt: skip
    (out / MONTH / NAME).write_text(json.dumps({**head, "rows": list(rows), **more}))


def pages(out: Path) -> tuple[Element, str, dict[str, Any]]:
    """All three forms of the month."""
    path = write_month(out, MONTH)
    return (page_of(path.read_text(encoding="utf-8")), path.with_suffix(".md").read_text(encoding="utf-8"),
            json.loads(path.with_suffix(".json").read_text()))  # fmt: skip


def section(page: Element) -> Element:
    """The section of the page."""
    return next(one for one in page.every("section") if one["aria-labelledby"] == "teeth")


def test_the_matrix_has_a_line_a_defect_and_a_column_a_drill(tmp_path: Path) -> None:
    """The sound system first; where a drill claims nothing, the page says so."""
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    matrix(tmp_path, row(), row(defect=None, outcome="held"), row("relay_drain", "relay_forgets_drain", "missed",
           reason="silence_ms_p99 held"))  # fmt: skip
    page, text, data = pages(tmp_path)
    table = next(section(page).every("table"))
    lines = [[cell.text for cell in line.every("th", "td")] for line in table.every("tr")]
    assert lines[0] == ["defect", "calm", "relay_drain"]
    assert [line[0] for line in lines[1:]] == ["sound system", "relay_forgets_drain", CAUGHT]
    assert "held" in lines[1][1] and lines[1][2] == "not claimed"
    assert "missed" in lines[2][2] and "caught silence_ms_p99" in lines[3][1]
    assert f"| {CAUGHT} | [caught](calm/20261103T140000-{CAUGHT}): silence_ms_p99 |  |" in text
    assert "**MISSED**" in text and "silence_ms_p99 held" in text
    assert [one["outcome"] for one in data["teeth"]["rows"]] == ["caught", "held", "missed"]


def test_attempts_side_effects_and_early_ends_are_told(tmp_path: Path) -> None:
    """A reader knows how often a row was tried, and that not all runs were whole ones."""
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    first = {"outcome": "inconclusive", "run": "calm/a", "reason": "our load generator stood still"}
    matrix(tmp_path, row(side_effects=["packets_lost_ratio in calm"], attempts=[first, row()["attempts"][0]]),
           row("relay_drain", stopped_after="calm"))  # fmt: skip
    page, text, _ = pages(tmp_path)
    for form in (section(page).text, text):
        assert "it also breaks packets_lost_ratio in calm" in form
        assert "2 attempts, before the last one inconclusive: our load generator stood still" in form
        assert "1 runs were stopped when everything that names the defect was broken" in form


def test_the_runs_of_the_matrix_do_not_speak_for_the_month(tmp_path: Path) -> None:
    """Neither the broken ones nor the sound one at fast pace, which is newer than the real one."""
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="inconclusive")
    add_run(tmp_path, "calm", "20261104T140000-aaaa", provenance=provenance_file(suite="teeth"))
    toothed = provenance_file(suite="teeth", defects=[CAUGHT])
    add_run(tmp_path, "calm", "20261104T150000-aaaa", verdict="broken", provenance=toothed)
    matrix(tmp_path, row())
    _, text, data = pages(tmp_path)
    assert data["gravest"] == "inconclusive"
    assert [run["run"] for run in data["drills"]] == ["20261103T140000-aaaa"] and data["earlier"] == []
    assert "20261104T1" not in text.replace(row()["run"], "")


def test_a_month_of_nothing_but_teeth_says_so(tmp_path: Path) -> None:
    """No drill was run for its own sake, and nothing held."""
    add_run(tmp_path, "calm", "20261104T140000-aaaa", provenance=provenance_file(suite="teeth"))
    matrix(tmp_path, row())
    page, _, data = pages(tmp_path)
    assert (data["gravest"], data["drills"]) == ("not run", [])
    assert "no drill was run but for its teeth" in data["answer"]
    assert section(page)


def test_a_month_without_a_matrix_has_no_such_section(tmp_path: Path) -> None:
    """Nothing is said where nothing was done."""
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    page, text, data = pages(tmp_path)
    assert "teeth" not in [one["aria-labelledby"] for one in page.every("section")]
    assert "## Teeth" not in text and data["teeth"] is None


def test_a_matrix_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """It does not vanish."""
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    for content in ("{", json.dumps({"format": 2, "rows": []}), "[]"):
        (tmp_path / MONTH / NAME).write_text(content)
        page, text, _ = pages(tmp_path)
        assert "teeth.json cannot be read" in section(page).text
        assert "teeth.json cannot be read" in text.split("## Teeth")[1]


def test_an_unfinished_matrix_says_so(tmp_path: Path) -> None:
    """It was killed, or is still being made."""
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    matrix(tmp_path, row(), finished=False)
    assert "the matrix is not finished" in section(pages(tmp_path)[0]).text


def test_whatever_stands_in_the_matrix_stays_text(tmp_path: Path) -> None:
    """As everywhere on the page."""
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    matrix(tmp_path, row(HOSTILE, HOSTILE, "missed", reason=HOSTILE, run=HOSTILE, caught_by=[HOSTILE],
                         side_effects=[HOSTILE]), answer=HOSTILE, command=HOSTILE, stage=HOSTILE)  # fmt: skip
    page, text, _ = pages(tmp_path)
    assert not [one for one in page.every() if one.tag == "script"]
    assert all(one["href"].startswith(("./", "#")) for one in page.every("a"))
    outside_code = re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert "<script" not in outside_code and "\x1b" not in text
    teeth, problem = read_teeth(tmp_path / MONTH)
    assert teeth is not None and problem == ""

"""Claims about a month's report: what it answers, what it survives, what it never imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made_month import MONTH, add_run, all_hostile, invariant, judgement, provenance_file

from drills.errors import BadInput
from drills.report.month import write_month


def written(out: Path) -> tuple[str, dict[str, Any]]:
    path = write_month(out, MONTH)
    return path.with_suffix(".md").read_text(), json.loads(path.with_suffix(".json").read_text())


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "26-11", "2026-11 ", "../2026-11", "", "2026-00", "2026-1１"])
def test_a_text_that_is_no_month_is_bad_input(tmp_path: Path, month: str) -> None:
    with pytest.raises(BadInput, match=r"^month: found .*, expected YYYY-MM$"):
        write_month(tmp_path, month)


def test_a_month_without_runs_is_bad_input_that_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / MONTH / "relay_drain_standing" / "20261103T140000-aaaa" / "logs").mkdir(parents=True)
    with pytest.raises(BadInput, match=f"{tmp_path / MONTH}: found no run"):
        write_month(tmp_path, MONTH)
    assert not list((tmp_path / MONTH).glob("*.*"))


def test_the_answer_begins_with_the_gravest_verdict_and_names_the_drills(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    add_run(tmp_path, "relay_drain", "20261103T150000-aaaa", verdict="broken")
    add_run(tmp_path, "master_restart", "20261103T160000-aaaa", verdict="inconclusive")
    text, data = written(tmp_path)
    assert data["answer"] == "Broken: in 2026-11 relay_drain is broken; master_restart is inconclusive; calm held."
    assert f"**{data['answer']}**" in text
    assert [row["drill"] for row in data["drills"]] == ["relay_drain", "master_restart", "calm"]


def test_the_newest_run_speaks_and_the_earlier_ones_are_listed(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="broken")
    add_run(tmp_path, "calm", "20261104T140000-aaaa")
    text, data = written(tmp_path)
    assert data["gravest"] == "held"
    assert [run["status"] for run in data["earlier"]] == ["broken"]
    assert "(calm/20261103T140000-aaaa/verdict.json)" in text.split("## Earlier runs")[1]


def test_a_defect_switched_on_does_not_count_for_the_month(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    toothed = provenance_file(defects=["relay_forgets_drain"])
    add_run(tmp_path, "calm", "20261104T140000-aaaa", verdict="broken", provenance=toothed)
    text, data = written(tmp_path)
    assert data["gravest"] == "held"
    assert "1 run with a defect switched on does not count" in text
    assert [(row["status"], row["counted"]) for row in data["drills"]] == [("broken", False), ("held", True)]


def test_a_month_of_nothing_but_defects_still_has_an_answer(tmp_path: Path) -> None:
    toothed = provenance_file(defects=["relay_forgets_drain"])
    add_run(tmp_path, "relay_drain", "20261104T140000-aaaa", verdict="broken", provenance=toothed)
    assert "relay_drain with relay_forgets_drain is broken" in written(tmp_path)[0]


def test_each_target_has_a_row_and_a_control_run_of_its_own(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    add_run(tmp_path, "relay_drain", "20261103T150000-aaaa")
    add_run(tmp_path, "relay_drain", "20261103T160000-aaaa", verdict="broken", target="wavry")
    text, data = written(tmp_path)
    assert "relay_drain on wavry is broken" in data["answer"]
    assert len(data["warnings"]) == 1 and "was not made on wavry" in data["warnings"][0]
    assert "## relay_drain, wavry (processes)" in text


def test_each_stage_has_a_row_and_a_control_run_of_its_own(tmp_path: Path) -> None:
    """A drill that held on processes says nothing of containers, and hides nothing that broke there."""
    add_run(tmp_path, "relay_drain", "20261103T140000-aaaa", verdict="broken", stage="containers")
    add_run(tmp_path, "relay_drain", "20261104T140000-aaaa")
    add_run(tmp_path, "calm", "20261104T150000-aaaa")
    text, data = written(tmp_path)
    assert data["answer"].startswith("Broken: in 2026-11 relay_drain (containers) is broken; calm (processes) and ")
    assert [(row["status"], row["stage"]) for row in data["drills"]] == [
        ("broken", "containers"), ("held", "processes"), ("held", "processes"),
    ]  # fmt: skip
    assert len(data["warnings"]) == 1 and "was not made on reference (containers)" in data["warnings"][0]
    assert "| reference | containers | stage | fast |" in text


def test_a_control_run_that_did_not_hold_is_said_first(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="inconclusive")
    assert "Beware: calm, the control run, did not hold" in written(tmp_path)[0]


@pytest.mark.parametrize(
    ("journal", "reason"),
    [
        ('{"event": "run.failed", "error": "CannotRun: no engine"}\n{"event": "run.ended"}\n', "no engine"),
        ('{"event": "run.interrupted", "signal": "SIGTERM"}\n{"event": "run.ended"}\n', "interrupted by SIGTERM"),
        ('{"event": "run.started"}\n{"event": "relays.se', "it was killed, or it is still running"),
        ('{"event": "run.started"}\n{"event": "run.recovered"}\n', "it was killed; `drills recover`"),
        ("\x00\xff not json\n[1]\n7\n", "has no end"),
        ("", "has no end"),
    ],
)
def test_a_run_without_a_verdict_is_listed_with_its_reason(tmp_path: Path, journal: str, reason: str) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa", judged=False, journal=journal, provenance={})
    text, data = written(tmp_path)
    assert data["drills"][0]["status"] == "not run"
    assert reason in data["drills"][0]["problem"]
    assert "| not run |" in text


def test_the_reason_is_found_at_the_end_of_a_long_journal(tmp_path: Path) -> None:
    journal = '{"event": "log", "line": "x"}\n' * 5000 + '{"event": "run.failed", "error": "no room"}\n'
    add_run(tmp_path, "calm", "20261103T140000-aaaa", judged=False, journal=journal)
    assert "no room" in written(tmp_path)[0]


def test_a_run_that_came_to_nothing_hides_no_verdict(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    add_run(tmp_path, "calm", "20261104T140000-aaaa", judged=False)
    assert [run["status"] for run in written(tmp_path)[1]["drills"]] == ["not run", "held"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"drill": 7}', '{"verdict": "fine"}', "\x00"])
def test_a_verdict_that_cannot_be_read_is_a_row_that_says_so(tmp_path: Path, content: str) -> None:
    add_run(tmp_path, "relay_drain", "20261103T150000-aaaa")
    folder = add_run(tmp_path, "calm", "20261103T140000-aaaa", series=True)
    (folder / "verdict.json").write_text(content)
    text, data = written(tmp_path)
    assert [run["status"] for run in data["drills"]] == ["unreadable", "held"]
    assert "verdict.json cannot be read" in text


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 2}'])
def test_a_series_that_cannot_be_read_costs_only_the_picture(tmp_path: Path, content: str) -> None:
    folder = add_run(tmp_path, "calm", "20261103T140000-aaaa")
    (folder / "series.json").write_text(content)
    (folder / "provenance.json").write_text("[]")
    text, data = written(tmp_path)
    assert data["drills"][0]["picture"] is None
    assert "No picture: series.json cannot be read" in text


def test_outside_text_stays_text(tmp_path: Path) -> None:
    """A reason, doubt, service or drill name cannot become a tag, table cell, heading, link or code."""
    all_hostile(tmp_path)
    text, _ = written(tmp_path)
    outside_code = "".join(part for number, part in enumerate(text.split("````")) if number % 2 == 0)
    assert "<" not in outside_code.replace("\\<", "")
    assert "[link]" not in outside_code.replace("\\[link\\]", "")
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert not [line for line in text.splitlines() if line.startswith("# ") and "drills" not in line]
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    assert sum("alert" in line for lines in tables for line in lines) >= 12
    for lines in tables:
        assert len({line.replace("\\|", "").count("|") for line in lines}) == 1, lines[0]


def test_invariants_are_on_every_page_with_their_witnesses(tmp_path: Path) -> None:
    """And a violated one is what decided a run whose judgements all held."""
    rows = [invariant("no_packet_twice_or_altered", "violated", witnesses=["packet 8: 2 copies"]),
            invariant("one_relay_at_a_time", "unknown")]  # fmt: skip
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="broken", judgements=[judgement()], invariants=rows)
    text, data = written(tmp_path)
    assert "invariant no_packet_twice_or_altered is violated: so it was |" in text
    assert "| **VIOLATED** | 7 | so it was | packet 8: 2 copies |" in text
    assert data["drills"][0]["verdict"]["invariants"][0]["witnesses"] == ["packet 8: 2 copies"]
    page = (tmp_path / MONTH / "report.html").read_text()
    assert "packet 8: 2 copies" in page and "✕</span> violated" in page and "?</span> unknown" in page


def test_judgements_come_gravest_first(tmp_path: Path) -> None:
    rows = [judgement("a"), judgement("b", verdict="broken"), judgement("c", verdict="inconclusive"), judgement("d")]
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="broken", judgements=rows)
    _, data = written(tmp_path)
    assert [row["objective"] for row in data["drills"][0]["verdict"]["judgements"]] == ["b", "c", "a", "d"]


def test_the_operations_pages_indicators_stand_under_their_own_names(tmp_path: Path) -> None:
    row = judgement("handshake_failure_ratio", verdict="broken", figure=0.22, indicator="handshake failure rate")
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="broken", judgements=[row])
    text, _ = written(tmp_path)
    assert "| handshake failure rate | not judged | 0.22, **BROKEN** | not judged | ≤ 0.02 |" in text
    assert "| direct vs relay ratio | not judged | not judged | not judged | direct path closed |" in text


def test_a_section_says_how_to_do_it_again_and_what_was_done(tmp_path: Path) -> None:
    add_run(tmp_path, "relay_drain", "20261103T140000-aaaa", series=True)
    text, data = written(tmp_path)
    assert "drills run relay_drain --target reference --stage processes --tier stage --pace fast --seed 7" in text
    assert "| drain: relay_a Draining | yes | on | yes | off | 14:00:02.000–14:00:03.500 | 1.50 s |" in text
    assert "(relay_drain/20261103T140000-aaaa/picture.svg)" in text
    assert (tmp_path / MONTH / data["drills"][0]["picture"]).is_file()
    for fact in ("c0ffee", "sha256:12", "WAVRY_AUTH_RATE_LIMIT 100000", "Claim: A relay can be drained."):
        assert fact in text


def test_a_report_made_again_from_the_same_disk_is_the_same(tmp_path: Path) -> None:
    folder = add_run(tmp_path, "relay_drain", "20261103T140000-aaaa", series=True)
    write_month(tmp_path, MONTH)
    names = ("report.html", "report.md", "report.json", "junit.xml")
    files = [folder / "picture.svg", *(tmp_path / MONTH / name for name in names)]
    first = [file.read_bytes() for file in files]
    write_month(tmp_path, MONTH)
    assert [file.read_bytes() for file in files] == first


def test_the_page_for_people_is_the_one_that_is_named(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    assert write_month(tmp_path, MONTH) == tmp_path / MONTH / "report.html"


def test_what_a_later_provenance_adds_is_shown_too(tmp_path: Path) -> None:
    facts = provenance_file(
        engine="Docker 29", images={"gateway": "ghcr.io/x@sha256:ab"}, stage_why="an engine answers"
    )
    add_run(tmp_path, "calm", "20261103T140000-aaaa", provenance=facts)
    text, _ = written(tmp_path)
    for fact in ("- engine: Docker 29", "- images: gateway ghcr.io/x@sha256:ab", "- stage why: an engine answers"):
        assert fact in text


def test_reporting_imports_nothing_that_touches_docker_or_the_network() -> None:
    code = "import sys, drills.report.month, drills.report.series, drills.report.panels; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    forbidden = ("docker", "locust", "requests", "aiohttp", "gevent", "websocket", "toxiproxy", "testcontainers",
                 "matplotlib", "drills.stage", "drills.load", "drills.wavry", "drills.probes", "drills.faults",
                 "drills.run", "drills.reference")  # fmt: skip
    found = [
        name for name in done.stdout.split() if any(name == bad or name.startswith(f"{bad}.") for bad in forbidden)
    ]
    assert found == []

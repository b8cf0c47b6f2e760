"""The stage's benchmark reads the journal of a run as a user made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drills.bench import stage
from drills.bench.first_packet import first_flow_ns
from drills.bench.journal import journal_of
from drills.bench.rows import Outcome
from drills.bench.stage import Stood, stood_in
from drills.record import Journal


def journal(folder: Path, *events: tuple[str, dict[str, Any]]) -> Path:
    """A run's journal with these events among others, written by the product's own writer."""
    path = folder / "2026-11" / "calm" / "20261103T140000-abcd" / "journal.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    written = Journal(path)
    written.write("run.started", drill="calm")
    for name, fields in events:
        written.write(name, **fields)
    written.close()
    return path


RAISED = ("stage.raised", {"services_ready_s": {"gateway": 1.25, "master": 0.5}, "took_s": 2.5})
LOWERED = ("stage.lowered", {"took_s": 0.75})


def test_the_slowest_service_is_the_stages_readiness(tmp_path: Path) -> None:
    """Each service's own time, from when its start was asked for."""
    stood = stood_in(journal(tmp_path, RAISED, LOWERED), "took 40 s")
    assert (stood.ready, stood.raised, stood.gone) == (1.25, 2.5, 0.75)
    assert stood.slowest == "gateway 1.25 s, master 0.50 s"


@pytest.mark.parametrize(("events", "absent"), [((), "stage.raised"), ((RAISED,), "stage.lowered")])
def test_a_stage_that_never_stood_or_never_fell_has_no_figures(
    tmp_path: Path, events: tuple[tuple[str, dict[str, Any]], ...], absent: str
) -> None:
    """Its last words say why."""
    stood = stood_in(journal(tmp_path, *events), "drills: relay_a is not ready")
    assert stood.missing == f"no {absent} in the journal: drills: relay_a is not ready"


def test_without_a_run_the_commands_own_words_are_the_reason() -> None:
    """Such as that no engine answers."""
    assert stood_in(None, "drills: no engine answers; use --stage processes").missing.startswith("drills: no engine")


def test_containers_are_compared_with_processes() -> None:
    """Side by side in one run: that ratio hardly depends on the machine."""
    rows = stage.rows({"processes": Stood(1.0, 2.0, 0.5), "containers": Stood(3.0, 5.0, 1.5)})
    assert [row.ratio for row in rows] == [None, None, None, 3.0, 2.5, 3.0]
    assert [row.outcome for row in rows if row.limit] == [Outcome.OK] * 4


def test_a_stage_that_is_too_slow_is_over() -> None:
    """4 s until ready, 2 s until gone."""
    rows = stage.rows({"processes": Stood(4.5, 9.0, 2.5)})
    assert [row.outcome for row in rows] == [Outcome.OVER, Outcome.SHOWN, Outcome.OVER]


def test_a_stage_that_cannot_be_run_is_a_row_that_says_so() -> None:
    """And the other is shown all the same."""
    rows = stage.rows({"processes": Stood(1.0, 2.0, 0.5), "containers": Stood(missing="no engine answers")})
    assert [row.outcome for row in rows] == [Outcome.OK, Outcome.SHOWN, Outcome.OK, Outcome.NOT_RUN]
    assert rows[-1].missing == "not run: no engine answers"


def test_packets_flow_once_a_session_is_up(tmp_path: Path) -> None:
    """One that failed was none; a line that is still being written is read at the next look."""
    failed, up = {"ok": False, "ended_ns": 5}, {"ok": True, "ended_ns": 7}
    path = journal(tmp_path, ("session.setup", failed))
    assert first_flow_ns(path) is None
    path = journal(tmp_path, ("session.setup", up), ("session.setup", {"ok": True, "ended_ns": 9}))
    assert first_flow_ns(path) == 7
    with path.open("a") as file:
        file.write(json.dumps({"event": "session.setup", "ok": True, "ended_ns": 1})[:-4])
    assert first_flow_ns(path) == 7


def test_a_journal_is_looked_for_until_it_is_there(tmp_path: Path) -> None:
    """The run makes its folder a moment after it has started."""
    assert journal_of(tmp_path, "calm") is None
    assert first_flow_ns(None) is None
    path = journal(tmp_path)
    assert journal_of(tmp_path, "calm") == path

"""Claims about error budgets: what is allowed, what is used, and what counts on neither side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from made_month import MONTH, add_run, judgement, provenance_file
from pytest import approx

from drills.report.budget import Budget, tables_of
from drills.report.history import History
from drills.report.runs import runs_of

DROPS = "session drop rate"


def budget(out: Path, indicator: str = DROPS) -> Budget:
    """One indicator of the only place."""
    (table,) = tables_of(History.of(MONTH, runs_of(out / MONTH, series=False), {}))
    (row,) = (row for row in table.rows if row.indicator == indicator)
    return row


def dropped(figure: float, samples: int, verdict: str = "held", **more: Any) -> dict[str, Any]:
    """A judgement of session drops."""
    return judgement("session_drop_ratio", "fault", verdict, figure=figure, samples=samples, limit=0.02,
                     indicator=DROPS, **more)  # fmt: skip


def test_the_budget_is_what_the_target_allows_of_all_samples(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa", judgements=[dropped(0.01, 200, failed=2, allowed_share=0.02)])
    add_run(
        tmp_path, "relay_drain", "20261103T150000-aaaa", judgements=[dropped(0.0, 300, failed=0, allowed_share=0.02)]
    )
    row = budget(tmp_path)
    assert (row.runs, row.samples, row.used, row.worst) == (2, 500, 2, 0.01)
    assert (row.allowed, row.left) == (approx(10.0), approx(0.8))


def test_a_budget_can_be_overspent(tmp_path: Path) -> None:
    rows = [dropped(0.05, 200, "broken", failed=10, allowed_share=0.02)]
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="broken", judgements=rows)
    assert (budget(tmp_path).left, budget(tmp_path).verdict) == (approx(-1.5), "broken")


def test_what_is_inconclusive_counts_on_neither_side(tmp_path: Path) -> None:
    rows = [dropped(0.5, 200, "inconclusive", failed=100), dropped(0.0, 100, failed=0, allowed_share=0.02)]
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="inconclusive", judgements=rows)
    row = budget(tmp_path)
    assert (row.samples, row.used, row.left_out, row.left) == (100, 0, 1, 1.0)


def test_an_older_record_without_counts_is_worked_out_where_it_can_be(tmp_path: Path) -> None:
    older = judgement("input_to_present_ms_p95", figure=50.0, samples=9000, unit="ms", limit=70.0,
                      indicator="p95 input-to-present latency")  # fmt: skip
    add_run(tmp_path, "calm", "20261103T140000-aaaa", judgements=[dropped(0.01, 200), older])
    assert (budget(tmp_path).used, budget(tmp_path).allowed) == (2, approx(4.0))
    row = budget(tmp_path, "p95 input-to-present latency")
    assert (row.left, row.left_out) == (None, 1)


def test_an_indicator_that_nobody_judged_says_so_and_places_stay_apart(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa", judgements=[dropped(0.0, 100)])
    assert budget(tmp_path, "direct vs relay ratio").objective == ""
    add_run(tmp_path, "calm", "20261104T140000-aaaa", judgements=[dropped(0.0, 100)], tier="prod")
    add_run(tmp_path, "calm", "20261105T140000-aaaa", judgements=[dropped(0.0, 100)],
            provenance=provenance_file(synthetic="made by a test"))  # fmt: skip
    tables = tables_of(History.of(MONTH, runs_of(tmp_path / MONTH, series=False), {}))
    assert [(str(table.place), table.runs) for table in tables] == [
        ("reference, processes, tier prod, fast", 1), ("reference, processes, tier stage, fast", 1),
        ("reference, processes, tier stage, fast, synthetic", 1),
    ]  # fmt: skip

"""What CI lets pass although it is inconclusive: only what our lateness alone keeps from being known."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / ".ci" / "only_too_busy.py"
LATE = "our load generator was 26.1 ms late at p99, 15 ms are allowed"
STOOD = "our load generator stood still for 71 ms, 35 ms are allowed"


def judged(claim: str, verdict: str, reason: str, window: str = "calm") -> dict[str, str]:
    """One judgement, as verdict.json has it."""
    return {"objective": claim, "window": window, "verdict": verdict, "reason": reason}


def written(out: Path, run: str, *judgements: dict[str, str]) -> None:
    """A run's verdict on disk."""
    folder = out / "2026-11" / run
    folder.mkdir(parents=True)
    (folder / "verdict.json").write_text(json.dumps({"judgements": judgements}), encoding="utf-8")


def answer(out: Path, which: str) -> tuple[int, str]:
    """Exit code and line."""
    ran = subprocess.run([sys.executable, SCRIPT, out, which], capture_output=True, text=True, timeout=30, check=False)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize(("judgements", "code"), [
    ([judged("a", "inconclusive", f"{LATE}; otherwise held")], 0),
    ([judged("a", "held", ""), judged("b", "inconclusive", f"{STOOD}; otherwise held: 0 of 40")], 0),
    ([judged("a", "inconclusive", f"{LATE}; otherwise broken: 9 of 40")], 2),
    ([judged("a", "inconclusive", f"{LATE}; otherwise held"), judged("b", "broken", "9 of 40")], 2),
    ([judged("a", "inconclusive", "the fault did not land; otherwise held")], 2),
    ([judged("a", "inconclusive", "149 samples, at least 150 needed")], 2),
    ([judged("a", "held", "")], 2),  # then what was inconclusive?
    ([], 2),
])  # fmt: skip
def test_a_drill_passes_where_nothing_but_our_lateness_speaks_against_it(
    tmp_path: Path, judgements: list[dict[str, str]], code: int
) -> None:
    """Of the last attempt."""
    written(tmp_path, "relay_drain/20261129T000000-aaaa", judged("a", "inconclusive", "the fault did not land"))
    written(tmp_path, "relay_drain/20261129T000100-aaaa", *judgements)
    assert answer(tmp_path, "drills")[0] == code


def row(outcome: str, defect: str | None = None, *claims: str) -> dict[str, Any]:
    """A row of teeth.json."""
    return {"drill": "calm", "defect": defect, "claims": claims, "outcome": outcome, "run": "calm/a", "reason": "why"}


@pytest.mark.parametrize(("rows", "judgements", "code"), [
    ([row("inconclusive")], [judged("a", "inconclusive", f"{LATE}; otherwise held")], 0),
    ([row("inconclusive", "x", "a")], [judged("a", "inconclusive", f"{LATE}; otherwise broken: 9")], 0),
    ([row("inconclusive", "x", "a")], [judged("a", "inconclusive", f"{LATE}; otherwise held")], 2),
    ([row("inconclusive", "x", "a", "b")],
     [judged("a", "broken", ""), judged("b", "inconclusive", "100 samples, at least 150 needed")], 2),
    ([row("inconclusive", "x", "a")], [], 2),  # the claim was never judged
    ([row("caught", "x", "a")], [], 2),
    ([row("missed", "x", "a")], [judged("a", "inconclusive", f"{LATE}; otherwise broken: 9")], 2),
    ([row("false alarm")], [judged("a", "inconclusive", f"{LATE}; otherwise held")], 2),
])  # fmt: skip
def test_a_row_of_the_matrix_passes_where_it_would_have_come_out_right(
    tmp_path: Path, rows: list[dict[str, Any]], judgements: list[dict[str, str]], code: int
) -> None:
    """Sound: held. A defect: broken by everything that names it."""
    written(tmp_path, "calm/a", *judgements)
    (tmp_path / "2026-11" / "teeth.json").write_text(json.dumps({"rows": rows}), encoding="utf-8")
    found, line = answer(tmp_path, "teeth")
    assert found == code, line

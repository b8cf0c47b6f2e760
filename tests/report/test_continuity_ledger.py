"""ledger.csv: what a judgement's ``rows`` points at."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from made_record import drained

from drills.objectives import CLAIMS
from drills.report.ledger import COLUMNS, write_ledger
from drills.verdict import rows_of


def test_a_ledger_has_a_row_a_session_and_window(tmp_path: Path) -> None:
    """With ids that stay, and empty cells for what did not happen."""
    record = drained(tmp_path / "run").record()
    for _ in range(2):
        rows = list(csv.DictReader(write_ledger(record, tmp_path / "run").read_text().splitlines()))
        assert [row["id"] for row in rows] == ["1-calm", "1-fault", "1-recovery"]
    assert rows[1]["silences_250ms"] == "1" and rows[1]["silences_1000ms"] == "0"
    assert (float(rows[1]["longest_from_s"]), float(rows[1]["longest_to_s"])) == pytest.approx((3.986, 4.306))
    assert (rows[1]["packets_lost"], rows[0]["packets_lost"], rows[0]["lease_s"]) == ("15", "1", "")
    assert not list((tmp_path / "run").glob("*.unfinished"))


@pytest.mark.parametrize("claim", [one for one in CLAIMS.values() if one.rows.startswith("ledger.csv")], ids=str)
def test_a_claim_that_names_columns_of_the_ledger_names_columns_that_are_there(claim: object) -> None:
    """Or nobody finds the rows."""
    _, _, columns = claim.rows.partition("#column=")  # type: ignore[attr-defined]
    assert columns
    assert set(columns.split(" of ")) <= set(COLUMNS)


def test_rows_name_the_window(tmp_path: Path) -> None:
    """By its name in the ledger, by its moments elsewhere."""
    span = drained(tmp_path / "run").record().windows["fault"]
    assert rows_of(CLAIMS["silence_ms_p99"], "fault", span) == "ledger.csv#window=fault, column=longest_ms"
    assert rows_of(CLAIMS["handshake_failure_ratio"], "fault", span) == (
        f"journal.jsonl#ns={span.from_ns}..{span.to_ns}, event=handshake, by=sent_ns, field=outcome"
    )
    assert rows_of(CLAIMS["silence_ms_p99"], "fault", None) == ""

"""Rows of a benchmark: over where a figure or a ratio lies past its limit; what did not run is graver."""

from __future__ import annotations

import pytest

from drills.bench.rows import Outcome, Row, exit_code, table

OK = Row("pump", "lateness", 1.5, "ms", 2.0)
OVER = Row("pump", "lateness", 2.5, "ms", 2.0)
SHOWN = Row("pump", "CPU", 0.5)
ABSENT = Row("stage", "containers", missing="not run: no engine answers")


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        (OK, Outcome.OK),
        (OVER, Outcome.OVER),
        (SHOWN, Outcome.SHOWN),
        (ABSENT, Outcome.NOT_RUN),
        (Row("verdict", "nothing"), Outcome.NOT_RUN),
        (Row("verdict", "on the limit", 2.0, "s", 2.0), Outcome.OK),
        (Row("verdict", "ratio alone", ratio=1.6, ratio_limit=1.5), Outcome.OVER),
        (Row("verdict", "ratio over, figure not", 1.0, "s", 2.0, ratio=1.6, ratio_limit=1.5), Outcome.OVER),
        (Row("verdict", "ratio shown", 1.0, "s", 2.0, ratio=9.0), Outcome.OK),
        (Row("pump", "none lost", 0, "", 0), Outcome.OK),
        (Row("pump", "one lost", 1, "", 0), Outcome.OVER),
    ],
)
def test_a_row_is_over_where_figure_or_ratio_is(row: Row, outcome: Outcome) -> None:
    """Each against its own limit; what has no limit is only shown."""
    assert row.outcome is outcome


@pytest.mark.parametrize(
    ("rows", "code"),
    [([OK, SHOWN], 0), ([OK, OVER], 1), ([OK, ABSENT], 3), ([OVER, ABSENT], 3), ([], 3)],
)
def test_the_gravest_row_is_the_exit_code(rows: list[Row], code: int) -> None:
    """What could not be run is graver than what is slow, and nothing measured is no success."""
    assert exit_code(rows) == code


def test_the_table_says_everything_on_one_line_a_row() -> None:
    """Figure, limit, outcome, and why something was not run."""
    lines = table([OK, Row("verdict", "CPU a sample", 1.2345, "µs", ratio=0.9, ratio_limit=1.5, says="of few"), ABSENT])
    assert len(lines) == 4
    assert lines[1].split() == ["pump:", "lateness", "1.5", "ms", "2", "ms", "ok"]
    assert lines[2].split()[-8:] == ["µs", "0.9", "×", "1.5", "×", "ok", "of", "few"]
    assert lines[3].endswith("not run: no engine answers")


def test_a_row_in_json_has_its_outcome() -> None:
    """So that whoever reads the file need not know the rule."""
    assert OVER.to_json()["outcome"] == "over"

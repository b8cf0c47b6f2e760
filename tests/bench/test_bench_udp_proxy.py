"""What the UDP proxy's benchmark makes of its rounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drills.bench.rows import Outcome
from drills.bench.udp_proxy import Round, rows

PLAIN = Round(per_s=100_000.0, p50_ms=0.03, p99_ms=0.10)
FAULT = Round(per_s=70_000.0, p50_ms=0.05, p99_ms=0.15)


def test_a_proxy_quick_enough_is_within_its_limits() -> None:
    """0.6 of the rate, twice the tail."""
    found = rows([PLAIN] * 3, [FAULT] * 3)
    assert [row.outcome for row in found] == [Outcome.OK, Outcome.OK]
    assert "0.70 × its rate" in found[0].says


@pytest.mark.parametrize(("worse", "row"), [({"per_s": 59_000.0}, 0), ({"p99_ms": 0.21}, 1)])
def test_a_proxy_too_slow_or_too_late_is_over(worse: dict[str, float], row: int) -> None:
    """Each by itself; one bad round of three does not decide."""
    bad = replace(FAULT, **worse)
    assert rows([PLAIN] * 3, [bad] * 3)[row].outcome == Outcome.OVER
    assert rows([PLAIN] * 3, [FAULT, bad, FAULT])[row].outcome == Outcome.OK

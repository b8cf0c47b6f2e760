"""The month in a sentence that can be read in one breath."""

from __future__ import annotations

import pytest

from drills.report.overview import HELD_NAMES_MAX, Overview
from drills.report.runs import Run
from tests.report.made_record import judged_run as run


@pytest.mark.parametrize(("runs", "answer"), [
    ([run("calm"), run("relay_loss", "cable")], "Held: in 2026-11 calm and relay_loss under cable held."),
    ([run("lossy_media", "lte"), run("lossy_media", "fibre"), run("nat_rebind"), run("nat_rebind", "lan")],
     "Held: in 2026-11 lossy_media (fibre, lte) and nat_rebind (lan, no condition) held."),
    ([run("lossy_media", "lte", "broken"), run("lossy_media", "fibre"), run("lossy_media", "lan", "broken")],
     "Broken: in 2026-11 lossy_media (lan, lte) is broken; lossy_media under fibre held."),
])  # fmt: skip
def test_a_drill_is_named_once_with_the_conditions_it_ran_under(runs: list[Run], answer: str) -> None:
    """For each outcome."""
    assert Overview("2026-11", tuple(runs), tuple(runs)).answer() == answer


def test_many_that_held_are_counted_and_what_did_not_hold_is_always_named() -> None:
    """Conditions of one drill do not make it several."""
    held = [run(f"drill_{number}", condition) for number in range(HELD_NAMES_MAX + 1) for condition in ("", "lte")]
    lost = [run(f"lost_{number}", "", "inconclusive") for number in range(HELD_NAMES_MAX + 1)]
    runs = (*held, *lost)
    answer = Overview("2026-11", runs, runs).answer()
    assert answer.endswith("are inconclusive; 9 drills held.") and "lost_8" in answer and "drill_1" not in answer

"""The picture of drills by network condition."""

from __future__ import annotations

from drills.report.conditions import cells, conditions_picture, conditions_table
from tests.report.made_record import judged_run as run


def test_without_a_condition_there_is_no_picture() -> None:
    """Nothing is shown of what was not asked."""
    assert conditions_picture([run("calm", "")]) == conditions_table([run("calm", "")]) == ""


def test_every_pair_has_its_verdict_in_a_word() -> None:
    """And a drill's run without a condition stands beside those under one."""
    runs = [run("lossy", "lte"), run("lossy", "fibre", "broken"), run("lossy", ""), run("calm", "")]
    picture = conditions_picture(runs)
    assert "lossy under fibre: broken" in picture and "lossy under lte: held" in picture
    assert "lossy under no condition: held" in picture and "calm" not in picture
    assert conditions_table(runs).count("|") > 8


def test_the_gravest_of_several_places_is_shown_and_runs_with_defects_are_not() -> None:
    """No field is better than what it hides."""
    runs = [run("lossy", "lte"), run("lossy", "lte", "inconclusive"), run("lossy", "lte", "broken", defects=["x"])]
    assert [one.status for one in cells(runs)[2].values()] == ["inconclusive"]


def test_a_name_from_outside_cannot_break_out_of_the_picture() -> None:
    """Provenance is a file that anybody could have written."""
    assert "<script" not in conditions_picture([run("lossy", '"><script>alert(1)</script>')])

"""The state of a finding follows from its looks, its acts and the day."""

from __future__ import annotations

import itertools
from datetime import date

import pytest

from drills.findings.finding import Act, Look
from drills.findings.folding import folded
from drills.findings.states import STALE_DAYS, state_of, thinned
from tests.findings.made_looks import act, finding, look, seen

TODAY = date(2026, 11, 28)
BROKEN, AGAIN, HELD, LATER = look(3, "broken"), look(10, "broken"), look(11, "held"), look(20, "broken")
ELSEWHERE = look(11, "held", stage="containers")

STATES = {
    "once": ([BROKEN], [], "new"),
    "twice": ([BROKEN, AGAIN], [], "ongoing"),
    "held_since": ([BROKEN, AGAIN, HELD], [], "resolved"),
    "held_before": ([look(2, "held"), BROKEN], [], "new"),
    "held_elsewhere_only": ([BROKEN, ELSEWHERE], [], "new"),
    "held_in_one_of_two_places": ([BROKEN, look(4, "broken", stage="containers"), HELD], [], "ongoing"),
    "held_in_both_places": ([BROKEN, look(4, "broken", stage="containers"), HELD, ELSEWHERE], [], "resolved"),
    "held_at_another_tier": ([BROKEN, look(11, "held", tier="dev")], [], "new"),
    "held_at_another_pace": ([BROKEN, look(11, "held", pace="fast")], [], "new"),
    "held_under_another_condition": ([BROKEN, look(11, "held", condition="bad_wifi")], [], "new"),
    "broken_after_it_held": ([BROKEN, HELD, LATER], [], "regressed"),
    "broken_twice_after_it_held": ([BROKEN, HELD, LATER, look(21, "broken")], [], "regressed"),
    "held_after_it_regressed": ([BROKEN, HELD, LATER, look(21, "held")], [], "resolved"),
    "closed": ([BROKEN], [act(3, "closed")], "resolved"),
    "closed_and_broken": ([BROKEN, AGAIN], [act(3, "closed")], "regressed"),
    "closed_and_held": ([BROKEN, HELD], [act(3, "closed")], "resolved"),
    "reopened": ([BROKEN], [act(3, "closed"), act(4, "reopened")], "ongoing"),
    "reopened_and_held": ([BROKEN, HELD], [act(3, "closed"), act(4, "reopened")], "resolved"),
    "never_broken_any_more": ([HELD], [], "resolved"),
}


@pytest.mark.parametrize("case", STATES)
def test_each_state_is_reached(case: str) -> None:
    """By looks and acts alone."""
    looks, acts, state = STATES[case]
    assert state_of(finding(*looks, acts=acts), TODAY) == state


@pytest.mark.parametrize("case", STATES)
def test_the_order_in_which_looks_are_written_down_changes_nothing(case: str) -> None:
    """Their time decides."""
    looks, acts, state = STATES[case]
    found = {state_of(finding(*order, acts=acts), TODAY) for order in itertools.permutations(looks)}
    assert found == {state}


@pytest.mark.parametrize("case", STATES)
def test_what_is_left_out_of_the_file_changes_no_state(case: str) -> None:
    """A year of daily runs is a few rows."""
    looks, acts, state = STATES[case]
    assert state_of(finding(*thinned(looks), acts=acts), TODAY) == state


def test_a_long_stretch_is_its_first_and_last_look() -> None:
    """And every change of outcome stays."""
    looks = [look(day, "broken") for day in range(1, 9)] + [HELD, look(12, "held"), look(13, "held"), LATER]
    assert [(one.at[8:10], one.outcome) for one in thinned(looks)] == [
        ("01", "broken"), ("08", "broken"), ("11", "held"), ("13", "held"), ("20", "broken")]  # fmt: skip


@pytest.mark.parametrize(("today", "state"), [(date(2026, 12, 8), "new"), (date(2026, 12, 9), "stale")])
def test_an_open_one_that_nobody_looks_at_is_stale_after_five_weeks(today: date, state: str) -> None:
    """From a first Tuesday to the next, a month may have five of them."""
    assert (today - date(2026, 11, 3)).days in (STALE_DAYS, STALE_DAYS + 1)
    assert state_of(finding(BROKEN), today) == state


def test_a_resolved_one_is_never_stale() -> None:
    """Nobody has to look at what held."""
    assert state_of(finding(BROKEN, HELD), date(2027, 11, 3)) == "resolved"


@pytest.mark.parametrize(
    ("looks", "today", "state"),
    [
        ([BROKEN], date(2026, 11, 9), "new"),  # its day has not passed
        ([BROKEN], date(2026, 11, 10), "stale"),
        ([BROKEN, AGAIN], date(2026, 11, 11), "ongoing"),
        ([BROKEN, ELSEWHERE], date(2026, 11, 12), "new"),
    ],
)
def test_a_missed_re_test_is_stale(looks: list[Look], today: date, state: str) -> None:
    """Once its day has passed without a look."""
    assert state_of(finding(*looks, retest="2026-11-09"), today) == state


def test_a_look_ends_staleness() -> None:
    """Stale is no state to stay in."""
    assert state_of(finding(BROKEN, AGAIN), date(2026, 12, 12)) == "ongoing"


@pytest.mark.parametrize(
    ("due", "acts", "overdue"),
    [("2026-11-27", [], True), ("2026-11-28", [], False), (None, [], False), ("2026-11-27", [act(4, "closed")], False)],
)
def test_overdue_is_open_after_its_day(due: str | None, acts: list[Act], overdue: bool) -> None:
    """The day itself is still in time, and what is resolved is never overdue."""
    one = finding(BROKEN, due=due, acts=acts)
    assert one.model_copy(update={"state": state_of(one, TODAY)}).overdue(TODAY) == overdue


def test_a_held_run_opens_nothing() -> None:
    """Nor does it leave anything behind."""
    assert folded((), [seen(HELD)], TODAY) == ()


def test_folding_again_and_in_parts_changes_nothing() -> None:
    """Same records, same findings."""
    every = [seen(one) for one in (BROKEN, AGAIN, HELD, LATER)]
    once = folded((), every, TODAY)
    assert once == folded(once, every, TODAY) == folded((), reversed(every), TODAY)
    in_parts = ()
    for one in every:
        in_parts = folded(in_parts, [one], TODAY)  # type: ignore[assignment]
    assert in_parts == once
    assert once[0].state == "regressed"


def test_what_people_wrote_is_never_overwritten() -> None:
    """Not even the severity and the timeline, which the machine once proposed."""
    (opened,) = folded((), [seen(BROKEN)], TODAY)
    written = {"owner": "Ada", "due": date(2026, 12, 1), "retest": date(2026, 12, 1), "root_cause": "a race",
               "severity": "minor", "timeline": (), "acts": (act(3, "closed"),)}  # fmt: skip
    (kept,) = folded([opened.model_copy(update=written)], [seen(one) for one in (BROKEN, AGAIN)], TODAY)
    assert {key: getattr(kept, key) for key in written} == written
    assert kept.state == "regressed"


def test_a_run_that_is_judged_again_speaks_anew() -> None:
    """By a mended objective it may have held all along."""
    opened = folded((), [seen(BROKEN)], TODAY)
    (kept,) = folded(opened, [seen(look(3, "held"))], TODAY)
    assert kept.state == "resolved"


def test_who_resolved_it_is_told_apart() -> None:
    """Closed by hand is not seen to hold, until a run has."""
    closed = finding(BROKEN, acts=[act(3, "closed")], state="resolved")
    assert closed.by_hand
    assert not closed.model_copy(update={"evidence": (BROKEN, HELD)}).by_hand
    assert not finding(BROKEN).by_hand

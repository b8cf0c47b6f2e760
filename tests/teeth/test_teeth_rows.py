"""Which rows the teeth matrix has: every drill on the sound system and against all that it claims to catch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drills.catalogue import Catalogue
from drills.objectives import CLAIMS
from drills.reference.defects import REGISTRY, TOGETHER
from drills.scenario.models import Scenario
from drills.teeth.rows import OF_A_BUSY_MACHINE, Row, is_light, rows_of, runs_of, sampled, windows_due
from tests.record_builder import promise, scenario_of

DRILLS = Catalogue().all()
ROWS = rows_of(DRILLS.values())


def drill(**teeth: tuple[str, ...]) -> Scenario:
    """A drill that promises two things in the fault window and one everywhere."""
    return replace(
        scenario_of(
            promise("drain_holds", 6), promise("packets_lost_ratio", 0.01, windows=("calm", "fault", "recovery"))
        ),
        teeth=teeth,
    )


@pytest.mark.parametrize("name", DRILLS)
def test_every_drill_has_a_row_on_the_sound_system_and_one_with_a_defect(name: str) -> None:
    """A drill that nothing has ever been seen to break, or to leave whole, proves nothing."""
    mine = [row for row in ROWS if row.drill == name]
    assert [row.defect for row in mine].count("") == 1
    assert len(mine) > 1


def test_the_sound_row_comes_first_and_the_defects_in_their_order() -> None:
    """As the scenario has them."""
    rows = rows_of([drill(relay_forgets_drain=("drain_holds",), relay_adds_40ms=("packets_lost_ratio",))])
    assert [row.defect for row in rows] == ["", "relay_forgets_drain", "relay_adds_40ms"]
    assert rows[1] == Row("made_by_hand", "relay_forgets_drain", ("drain_holds",))


def test_a_sample_has_a_row_of_each_drill_and_is_the_same_for_the_same_seed() -> None:
    """As many rows as drills, or more."""
    for seed in range(5):
        few = sampled(ROWS, len(DRILLS), seed)
        assert {row.drill for row in few} == set(DRILLS) and len(few) == len(DRILLS)
        assert few == sampled(ROWS, len(DRILLS), seed)
    assert len({sampled(ROWS, len(DRILLS), seed) for seed in range(9)}) > 1


def test_a_sample_of_more_than_all_is_all_in_their_order() -> None:
    """And one of fewer than there are drills is as small as was asked for."""
    assert sampled(ROWS, 9999, 1) == ROWS
    assert len(sampled(ROWS, 1, 1)) == 1
    assert list(sampled(ROWS, 5, 3)) == [row for row in ROWS if row in sampled(ROWS, 5, 3)]


def test_in_the_control_run_each_defect_has_a_run_of_its_own() -> None:
    """Elsewhere those that get along share one, and nothing that names one of them names another of the same run."""
    runs = runs_of(ROWS)
    assert sorted(row.name for run in runs for row in run) == sorted(row.name for row in ROWS)
    shared = [run for run in runs if len(run) > 1]
    assert shared and all(run[0].drill != "calm" for run in shared)
    assert all(
        len({claim for row in run for claim in row.claims}) == sum(len(row.claims) for row in run) for run in shared
    )


def test_each_defect_can_be_run_alone() -> None:
    """Which is how it is known that those which share a run break nothing that names another."""
    assert [*runs_of(ROWS, alone=True)] == [(row,) for row in ROWS]


def test_what_gets_along_is_known_and_named_once() -> None:
    """In one set, or a run would depend on the order of the table."""
    names = [name for names in TOGETHER for name in names]
    assert len(names) == len({*names}) and {*names} <= {*REGISTRY}


def test_a_row_is_sturdy_where_no_doubt_of_a_busy_machine_touches_what_names_it() -> None:
    """An invariant, of which the table of claims knows nothing, is not."""
    assert Row("x", "d", ("drain_holds",)).sturdy
    assert not Row("x", "d", ("drain_holds", "packets_lost_ratio")).sturdy
    assert not Row("x", "d", ("nothing_known",)).sturdy
    assert not Row("x").sturdy
    assert not CLAIMS["drain_holds"].doubts & OF_A_BUSY_MACHINE


def test_the_windows_of_a_row_end_with_the_last_in_which_something_named_is_due() -> None:
    """The sound system, and whatever is no objective, has them all."""
    one = drill()
    assert windows_due(one, Row("x", "d", ("drain_holds",))) == ("calm", "fault")
    assert windows_due(one, Row("x", "d", ("packets_lost_ratio",))) == ("calm", "fault", "recovery")
    assert windows_due(one, Row("x", "d", ("an_invariant",))) == ("calm", "fault", "recovery")
    assert windows_due(one, Row("x")) == ("calm", "fault", "recovery")


@pytest.mark.parametrize(("drill", "defect", "claims", "light"), [
    ("relay_drain", "relay_forgets_drain", ("drain_survives_reregistration",), True),
    ("calm", "relay_sends_twice", ("no_packet_twice_or_altered",), True),
    ("calm", "relay_refuses_one_present_in_ten", ("handshake_failure_ratio",), False),
    ("rollback", "database_stays_slow", ("back_in_band_ms_p95",), False),
    ("calm", "", (), False),
])  # fmt: skip
def test_a_run_is_light_with_few_visits_and_no_percentile_of_times(
    drill: str, defect: str, claims: tuple[str, ...], light: bool
) -> None:
    """The sound system's own is a whole one."""
    (scenario,) = Catalogue().named([drill])
    assert is_light(scenario, Row(drill, defect, claims)) is light

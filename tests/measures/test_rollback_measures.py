"""rollback: when a candidate is worse, and when nobody can know; what the stopwatch and the look afterwards say."""

from __future__ import annotations

import dataclasses

import pytest

from drills.doubts import Doubt
from drills.measures import rollback
from drills.measures.candidate import (
    Seen,
    Thresholds,
    Upgraded,
    past,
    past_beyond_luck,
    past_had_it_been_slower,
    quantile,
    since_ns,
    too_few,
)
from drills.measures.evidence import Evidence, Measure
from drills.objectives import CLAIMS, DoubtKind
from drills.record import Span
from drills.weighing import Outcome, weighed
from tests.record_builder import RecordBuilder, sound

LIMITS = Thresholds(0.98, 0.02, 500.0)
FINE = Seen(200, 199, 400, 1, (40.0,) * 200)
ANY = Span(0, 2**63 - 1)


def evidence(claim: str, builder: RecordBuilder) -> Evidence:
    """What a claim's measure finds."""
    row = CLAIMS[claim]
    measure: Measure = row.measure
    record = builder.over().record()
    return measure(record, record.windows[row.windows[0]], row)


def story(**told: object) -> RecordBuilder:
    """A sound record with the story of rollback."""
    return sound(0).rolled_back(**told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "crossed"),
    [
        ({"setups_failed": 40}, "setup_success_ratio"),
        ({"handshakes_failed": 60}, "handshake_failure_ratio"),
        ({"slow_logins": 60}, "login_ms_p95"),
    ],
)
def test_each_threshold_is_crossed_by_its_own_figure(told: dict[str, int], crossed: str) -> None:
    """One threshold a figure, and no other with it."""
    found = evidence("candidate_not_worse", story(**told))
    assert found.figure == 1.0
    assert found.says.startswith(f"{crossed} past its threshold")


def test_a_figure_past_its_threshold_that_may_be_luck_is_not_known() -> None:
    """Eleven slow logins of 200 are more than one in twenty, and no proof."""
    found = evidence("candidate_not_worse", story(slow_logins=11))
    assert found.figure is None
    assert "which may be luck" in found.missing


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"written_s": 10.6}, "written after the upgrade had begun"),
        ({"digest": "sha256:other"}, "judged by other thresholds"),
        ({"landed": False}, "no upgrade was seen to land"),
    ],
)
def test_thresholds_that_were_not_there_first_count_for_nothing(told: dict[str, object], words: str) -> None:
    """A threshold chosen afterwards is none; the record proves the order, or nothing is held."""
    found = evidence("candidate_not_worse", story(slow_logins=200, **told))
    assert found.figure is None
    assert words in found.missing


def test_the_order_is_told_with_what_held() -> None:
    """How long before the upgrade the thresholds were written."""
    assert "were written 10.5 s before the upgrade" in evidence("candidate_not_worse", story()).says


def test_thresholds_written_twice_are_none() -> None:
    """Which of them were meant?"""
    builder = story().event(0.1, "thresholds.written", digest=LIMITS.digest, **dataclasses.asdict(LIMITS))
    assert "2 sets of thresholds" in evidence("candidate_not_worse", builder).missing


def test_what_the_known_good_release_crossed_as_well_is_not_the_candidates_doing() -> None:
    """A machine on which every login is slow proves nothing against the next release."""
    builder = story(slow_logins=200)
    for number in range(200):
        builder.setup(1.0 + number / 50, 8000 + number, login_ms=800.0)
    found = evidence("candidate_not_worse", builder)
    assert found.figure is None
    assert found.missing.startswith("login_ms_p95 was past its threshold before the upgrade, too")


def test_handshakes_at_other_relays_are_not_the_candidates() -> None:
    """Only relays that ran it are its business."""
    builder = story().handshakes(14.0, 100, 100, relay_id="another")
    assert evidence("candidate_not_worse", builder).figure == 0.0


def test_what_was_due_before_the_gateway_was_at_home_is_not_the_candidates() -> None:
    """Its absence is counted apart."""
    builder = story()
    for number in range(60):
        builder.setup(10.6 + number / 100, 8000 + number, ok=False)
    assert evidence("candidate_not_worse", builder).figure == 0.0


@pytest.mark.parametrize(("most_ms", "outcome"), [(300.0, Outcome.BROKEN), (450.0, Outcome.INCONCLUSIVE)])
def test_a_stall_explains_slow_logins_only_up_to_its_length(most_ms: float, outcome: Outcome) -> None:
    """Logins of 900 ms past a threshold of 500 ms are not explained by 300 ms of waiting."""
    found = evidence("candidate_not_worse", story(slow_logins=100))
    doubt = Doubt(DoubtKind.STARVED, "fault", frozenset({"broken"}), "the machine", most_ms=most_ms)
    assert weighed(CLAIMS["candidate_not_worse"], found, 0.0, 150, [doubt])[0] is outcome


def test_a_long_stall_explains_failures() -> None:
    """A set-up has a second for its first packets; half of it lost is enough to fail it."""
    bad = Seen(200, 150, 400, 100, (40.0,) * 200)
    assert past_beyond_luck(bad, LIMITS, 499.0) == ["setup_success_ratio", "handshake_failure_ratio"]
    assert past_beyond_luck(bad, LIMITS, 500.0) == []


@pytest.mark.parametrize(("unseen", "more", "crossed"), [
    (0.0, 0, []), (0.0, 3, []), (0.02, 0, ["setup_success_ratio", "handshake_failure_ratio"]),
    (0.0, 4, ["setup_success_ratio"]), (1.0, 0, ["setup_success_ratio", "handshake_failure_ratio"]),
])  # fmt: skip
def test_what_a_stop_of_ours_has_hidden_may_all_have_been_bad(unseen: float, more: int, crossed: list[str]) -> None:
    """200 set-ups of which 199 came up, 400 handshakes of which one failed."""
    assert past_had_it_been_slower(FINE, LIMITS, 10.0, unseen, more) == crossed


def test_all_stops_of_the_window_may_have_been_while_the_candidate_was_tried() -> None:
    """So that a share of the window is a larger one of that."""
    found = evidence("candidate_not_worse", story())
    assert found.hiding_some and found.hiding_some(10.0, 0.0, 1) == 0.0
    stops = Doubt(DoubtKind.GENERATOR, "fault", frozenset({"held"}), "ours", most_ms=60.0, hidden_share=0.001,
                  hidden_more=1)  # fmt: skip
    claim = CLAIMS["candidate_not_worse"]
    assert weighed(claim, found, 0.0, 150, [stops])[0] is Outcome.HELD
    many = dataclasses.replace(stops, hidden_share=0.02)
    assert weighed(claim, found, 0.0, 150, [many])[0] is Outcome.INCONCLUSIVE


def test_too_few_is_said_for_each_kind() -> None:
    """3/(1 − 0.98) set-ups, 3/0.02 handshakes, 3/0.05 logins."""
    assert too_few(FINE, LIMITS) == ""
    assert too_few(Seen(150, 150, 150, 0, (1.0,) * 60), LIMITS) == ""
    words = too_few(Seen(149, 149, 149, 0, (1.0,) * 59), LIMITS)
    assert words == (
        "149 set-ups, at least 150 needed, 149 handshakes, at least 150 needed, 59 logins, at least 60 needed"
    )


def test_an_operator_decides_by_the_figures_alone() -> None:
    """Past is past there; luck is the judge's business."""
    assert past(FINE, LIMITS) == []
    assert len(past(Seen(100, 97, 100, 3, (501.0,) * 100), LIMITS)) == 3
    assert past(Seen(0, 0, 0, 0, ()), LIMITS) == []


def test_a_quantile_is_one_of_the_values() -> None:
    """The smallest that so many do not exceed."""
    assert quantile((), 0.95) is None
    assert quantile((3.0,), 0.95) == 3.0
    assert quantile(tuple(map(float, range(1, 101))), 0.95) == 95.0


@pytest.mark.parametrize(("ok", "figure"), [(True, 0.0), (False, 1.0)])
def test_until_all_is_upgraded_logins_may_be_slow_and_none_may_fail(ok: bool, figure: float) -> None:
    """We start services on the same machine meanwhile: that takes CPU, and no login is to be lost by it."""
    builder = story()
    for number in range(40):
        builder.setup(11.55 + number / 100, 8000 + number, ok=ok, login_ms=900.0)
    assert evidence("candidate_not_worse", builder).figure == figure


def test_a_candidate_counts_from_its_gateway_on_with_time_to_settle() -> None:
    """From the first relay where no gateway was upgraded."""
    relays = [Upgraded("relay", 5, "a"), Upgraded("relay", 9, "b")]
    assert since_ns(relays) == 5
    assert since_ns([*relays, Upgraded("gateway", 100)]) == 1_000_000_100


def test_other_numbers_are_other_thresholds() -> None:
    """Their digest is what the record knows them by."""
    assert LIMITS.digest != dataclasses.replace(LIMITS, login_ms_p95_max=501.0).digest
    assert Thresholds.of({**dataclasses.asdict(LIMITS), "digest": "not one of them"}) == LIMITS


def test_a_rollback_lasts_from_the_decision_to_the_last_proof() -> None:
    """Judged at 23 s, accounts at 26.7 s, the next session up at 30.19 s: the last of them is the end."""
    found = evidence("rollback_s", story())
    assert found.figure == pytest.approx(30.19 - 23.0)
    assert "gateway: stopped 0.4 s, ready 0.5 s" in found.says


def test_a_rollback_after_which_no_session_came_up_has_not_ended() -> None:
    """It may have taken any longer: past the limit broken, before it unknown."""
    found = evidence("rollback_s", story(after=0))
    assert found.past
    assert "no session came up any more" in found.says


def test_a_service_left_behind_is_named_with_what_it_runs() -> None:
    """Relays included."""
    found = evidence("releases_verified", story(runs={"relay_b": "sha256:new"}))
    assert (found.samples, found.figure) == (4, 1.0)
    assert found.says == "relay_b runs sha256:new, not known"


@pytest.mark.parametrize("runs", [{"relay_b": "unknown: no such process"}, {"relay_c": "known"}])
def test_what_could_not_be_read_is_not_verified(runs: dict[str, str]) -> None:
    """Nor what nobody had written down before."""
    assert evidence("releases_verified", story(runs=runs)).figure is None


def test_a_service_that_does_not_run_is_left_behind() -> None:
    """It is not on the known-good release."""
    assert evidence("releases_verified", story(runs={"relay_a": "does not run"})).figure == 1.0


@pytest.mark.parametrize(("name", "when"), [("before", "before"), ("during", "during")])
def test_a_lost_account_is_told_by_when_it_was_made(name: str, when: str) -> None:
    """A restore loses those of the upgrade, a broken rollback those from before."""
    logged_in = {"before": "ok", "during": "ok", name: "refused"}
    assert evidence("accounts_survive", story(logged_in=logged_in)).says == f"made {when} the upgrade: 401"


def test_a_login_before_the_rollback_proves_nothing() -> None:
    """Asked while the candidate still ran."""
    found = evidence("accounts_survive", story(looked_s=25.0))
    assert found.missing == "no account made before the upgrade was tried and answered"


def test_the_band_is_calms_own() -> None:
    """What took no longer than 95 of 100 before counts as nothing."""
    found = evidence("back_in_band_ms_p95", story(after_ms=130.0))
    assert found.figure == pytest.approx(50.0)
    assert found.says == "p95 of a set-up 80 ms before the upgrade, 130 ms after the rollback"
    assert evidence("back_in_band_ms_p95", story(after_ms=20.0)).figure == 0.0


def test_without_a_calm_there_is_no_band() -> None:
    """Nothing to compare with."""
    builder = sound(0).setup(30.5, 1)
    assert evidence("back_in_band_ms_p95", builder).missing == "only 0 set-ups before the upgrade to compare with"


def test_nothing_is_known_of_a_rollback_that_never_was() -> None:
    """On a record without an upgrade every claim says so."""
    record = sound(0).over().record()
    for measure in (rollback.thresholds_crossed, rollback.seconds_to_roll_back, rollback.services_left_behind,
                    rollback.restores, rollback.accounts_lost):  # fmt: skip
        assert measure(record, ANY, CLAIMS["rollback_s"]).missing

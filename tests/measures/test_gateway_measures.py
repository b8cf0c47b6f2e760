"""What a restart of the gateway left of its users, as the measures read it: each to the letter."""

from __future__ import annotations

import pytest

from drills.measures import gateway
from drills.measures.evidence import Evidence, Measure
from drills.objectives import CLAIMS
from tests.gateway_record import half_open, restarted
from tests.record_builder import RecordBuilder, ns, sound

ALL: tuple[Measure, ...] = (
    gateway.seconds_until_healthy, gateway.old_tokens_refused, gateway.revoked_tokens_accepted,
    gateway.locked_ones_admitted, gateway.known_accounts_refused, gateway.signals_lost,
    gateway.seconds_until_all_bound, gateway.new_logins,
)  # fmt: skip
OF_ACCOUNTS = ALL[1:6]


def measured(measure: Measure, builder: RecordBuilder) -> Evidence:
    """What a measure finds in the fault window."""
    record = builder.over().record()
    return measure(record, record.windows["fault"], CLAIMS["gateway_back_s"])


def story(**told: object) -> RecordBuilder:
    """A record with the story of gateway_restart, told in this way."""
    return restarted(sound(0), **told)  # type: ignore[arg-type]


@pytest.mark.parametrize("measure", ALL)
def test_without_a_restart_nothing_is_known(measure: Measure) -> None:
    """What was kept over a restart that never was is no evidence."""
    evidence = measured(measure, sound(0))
    assert evidence.figure is None
    assert evidence.missing == "the gateway was not restarted"


@pytest.mark.parametrize("measure", OF_ACCOUNTS)
def test_what_was_not_looked_at_is_no_evidence(measure: Measure) -> None:
    """A step that could not be made leaves its claims open."""
    assert measured(measure, story(looked=False)).missing


@pytest.mark.parametrize("measure", [gateway.seconds_until_healthy, gateway.seconds_until_all_bound])
def test_a_gateway_that_was_not_seen_to_stop_has_not_come_back(measure: Measure) -> None:
    """A health that was never bad is no return."""
    assert "not seen to stop" in measured(measure, story(landed=False)).missing


def test_back_counts_from_when_the_restart_was_asked_for() -> None:
    """Stopping is part of it: users wait through both."""
    assert measured(gateway.seconds_until_healthy, story()).figure == pytest.approx(1.0)


def test_a_gateway_that_does_not_come_back_is_past_any_limit() -> None:
    """As long as it was waited for."""
    evidence = measured(gateway.seconds_until_healthy, story(back_s=None, unmet_s=28.0))
    assert evidence.past
    assert evidence.figure == pytest.approx(13.0)


def test_nobody_waiting_is_no_evidence_about_its_return() -> None:
    """The run may have been stopped."""
    assert (
        measured(gateway.seconds_until_healthy, story(back_s=None)).missing == "nobody waited for the gateway's health"
    )


@pytest.mark.parametrize(
    ("measure", "after", "figure", "samples"),
    [
        (gateway.old_tokens_refused, {}, 0, 4),
        (gateway.old_tokens_refused, {"bind": "refused"}, 4, 4),
        (gateway.old_tokens_refused, {"bind": "failed"}, 4, 4),
        (gateway.revoked_tokens_accepted, {}, 0, 1),
        (gateway.revoked_tokens_accepted, {"revoked": "bound"}, 1, 1),
        (gateway.locked_ones_admitted, {}, 0, 2),
        (gateway.locked_ones_admitted, {"lock": "in"}, 2, 2),
        (gateway.known_accounts_refused, {}, 0, 4),
        (gateway.known_accounts_refused, {"login": "refused"}, 4, 4),
        (gateway.known_accounts_refused, {"login": "locked"}, 4, 4),
        (gateway.signals_lost, {}, 0, 8),
        (gateway.signals_lost, {"lost": ("answer",)}, 4, 8),
        (gateway.signals_lost, {"lost": ("offer", "answer")}, 8, 8),
    ],
)
def test_each_look_is_counted(measure: Measure, after: dict[str, object], figure: int, samples: int) -> None:
    """Wrong outcomes among all that were answered."""
    evidence = measured(measure, story(after=after))
    assert (evidence.figure, evidence.samples, evidence.missing) == (figure, samples, "")


@pytest.mark.parametrize(
    ("measure", "after"),
    [
        (gateway.old_tokens_refused, {"bind": "unanswered"}),
        (gateway.revoked_tokens_accepted, {"revoked": "unanswered"}),
        (gateway.locked_ones_admitted, {"lock": "unanswered"}),
        (gateway.known_accounts_refused, {"login": "unanswered"}),
        (gateway.signals_lost, {"bind": "refused"}),
    ],
)
def test_no_answer_is_neither_yes_nor_no(measure: Measure, after: dict[str, object]) -> None:
    """A time-out says nothing about tokens, locks or accounts; who is not bound cannot signal."""
    assert measured(measure, story(after=after)).missing


@pytest.mark.parametrize(
    ("measure", "before"),
    [
        (gateway.old_tokens_refused, {"bound": "refused"}),
        (gateway.revoked_tokens_accepted, {"revoked": False}),
        (gateway.locked_ones_admitted, {"locked": "refused"}),
    ],
)
def test_what_was_not_so_before_cannot_have_been_kept(measure: Measure, before: dict[str, object]) -> None:
    """A lock that never was is not lost by a restart."""
    assert measured(measure, story(before=before)).missing


def test_the_storm_lasts_until_the_last_end_is_bound() -> None:
    """From when the gateway was healthy, not from when it went."""
    evidence = measured(gateway.seconds_until_all_bound, story(last_s=19.5))
    assert (evidence.figure, evidence.samples) == (pytest.approx(3.5), 60)


def test_an_end_that_is_never_bound_again_is_past_any_limit() -> None:
    """Until the last window closed."""
    evidence = measured(gateway.seconds_until_all_bound, story(never=1))
    assert evidence.past
    assert evidence.figure == pytest.approx(24.0)


def test_an_end_that_hung_up_meanwhile_is_not_waited_for() -> None:
    """A visit that is over wants no socket."""
    builder = story(never=1).event(17.0, "signal.released", end="end59")
    evidence = measured(gateway.seconds_until_all_bound, builder)
    assert (evidence.past, evidence.samples) == (False, 59)


def test_an_end_that_came_only_afterwards_does_not_count() -> None:
    """It was not lost by the restart, whatever became of it later."""
    builder = story().event(20.0, "signal.bound", end="late", bound_ns=ns(20.0)).event(21.0, "signal.lost", end="late")
    assert measured(gateway.seconds_until_all_bound, builder).samples == 60


def test_an_end_lost_before_the_restart_is_not_the_restarts() -> None:
    """And its return is not part of the storm."""
    builder = story().event(6.0, "signal.bound", end="early", bound_ns=ns(6.0)).event(7.0, "signal.lost", end="early")
    builder.event(29.0, "signal.rebound", end="early", bound_ns=ns(29.0))
    assert measured(gateway.seconds_until_all_bound, builder).figure == pytest.approx(2.0)


def test_an_end_that_the_old_process_bound_once_more_is_lost_once_more() -> None:
    """A gateway that is going may still take a Bind; that is no return."""
    builder = sound(0)
    for name, at_s, fields in (
        ("signal.bound", 5.0, {"bound_ns": ns(5.0)}), ("signal.lost", 15.05, {}),
        ("signal.rebound", 15.1, {"bound_ns": ns(15.1)}), ("signal.lost", 15.15, {}),
        ("signal.rebound", 19.0, {"bound_ns": ns(19.0)}), ("signal.lost", 25.0, {}),
    ):  # fmt: skip
        builder.event(at_s, name, end="one", **fields)
    evidence = measured(gateway.seconds_until_all_bound, restarted(builder, ends=0))
    assert (evidence.figure, evidence.samples, evidence.past) == (pytest.approx(3.0), 1, False)


def test_a_gateway_that_was_down_for_a_while_is_wanted_from_its_start_on() -> None:
    """How long the drill kept it down is not its own doing."""
    builder = sound(0).fault("kill", "gateway", 12.0, 20.0, mending_ns=ns(19.0))
    builder.event(20.0, "gateway.back", service="gateway", back_ns=ns(20.0))
    assert measured(gateway.seconds_until_healthy, builder).figure == pytest.approx(1.0)


def test_a_storm_has_no_beginning_without_a_healthy_gateway() -> None:
    """Nobody knows how long it lasted."""
    assert measured(gateway.seconds_until_all_bound, story(back_s=None)).missing


def test_new_logins_are_those_of_refused_tokens() -> None:
    """Of the ends that the restart cut off; a visit's own login is none."""
    builder = story(refused=3).event(17.0, "signal.refused", end="somebody else")
    evidence = measured(gateway.new_logins, builder)
    assert (evidence.figure, evidence.samples) == (3.0, 60)


def test_a_token_that_was_refused_counts_also_where_its_end_never_came_back() -> None:
    """The new login may have failed too."""
    builder = story(never=1).event(17.0, "signal.refused", end="end59")
    assert measured(gateway.new_logins, builder).figure == 1.0


def test_rounds_that_never_reached_the_newer_socket_say_nothing_about_the_older_ones_end() -> None:
    """The two may have nothing to do with each other."""
    builder = half_open(sound(0), rounds=5, unreached=2, lost=1)
    evidence = measured(gateway.newer_sockets_lost, builder)
    assert (evidence.figure, evidence.samples) == (1.0, 3)
    assert measured(gateway.newer_sockets_lost, half_open(sound(0), rounds=5, unreached=5)).missing

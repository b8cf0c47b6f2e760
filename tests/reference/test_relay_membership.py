"""The heartbeat table, the back-off and the choice of keys: contract-master-relay.md §3.4, §3.5 and D-05."""

from __future__ import annotations

from typing import Any

import pytest

from drills.reference.defects import Defects
from drills.reference.relay.membership import (
    DrainWatch,
    ForeignMaster,
    Membership,
    Registration,
    back_off_s,
    parse_registration,
    trusted,
)
from drills.reference.timers import Timers
from tests.reference.relay_bench import KEY

ANSWER: dict[str, Any] = {
    "heartbeat_interval_ms": 5000,
    "master_public_key": list(KEY.public_key),
    "master_key_id": KEY.key_id,
}


def joined(defects: str = "") -> Membership:
    membership = Membership(Defects.parse(defects.split(",")))
    membership.joined()
    return membership


def test_a_good_heartbeat_clears_the_failures() -> None:
    """2xx: failures 0, registered."""
    membership = joined()
    membership.must_rejoin_after(500)
    assert (membership.registered, membership.failures) == (False, 1)
    assert not membership.must_rejoin_after(204)
    assert (membership.registered, membership.failures) == (True, 0)


def test_an_unknown_relay_registers_again_at_once() -> None:
    """404, on the first failure already."""
    membership = joined()
    assert membership.must_rejoin_after(404)
    assert not membership.registered


@pytest.mark.parametrize("status", [None, 500, 401])
def test_six_failures_in_a_row_mean_registering_again(status: int | None) -> None:
    """No answer, or any other status: the sixth, not the fifth."""
    membership = joined()
    assert [membership.must_rejoin_after(status) for _ in range(6)] == [False] * 5 + [True]


def test_joining_again_starts_the_count_over() -> None:
    """After a re-registration it takes six more."""
    membership = joined()
    for _ in range(6):
        membership.must_rejoin_after(None)
    membership.joined()
    assert (membership.registered, membership.failures) == (True, 0)
    assert not membership.must_rejoin_after(None)


def test_the_back_off_doubles_up_to_a_minute() -> None:
    """1, 2, 4 … 60 s in the middle of the jitter; a thousandth try waits no longer."""
    waits = [back_off_s(attempt, Timers(), 0.5) for attempt in (0, 1, 2, 3, 4, 5, 6, 7, 1000)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_the_back_off_is_spread_by_a_fifth() -> None:
    """±20 %, so that relays do not return in lockstep (D-47); at fast pace a tenth of it."""
    assert (back_off_s(0, Timers(), 0.0), back_off_s(0, Timers(), 1.0)) == (0.8, 1.2)
    assert back_off_s(6, Timers(10), 1.0) == pytest.approx(7.2)


def test_the_interval_comes_from_the_master() -> None:
    """At least 500 ms; the least is divided by the pace, the master's number has been already."""
    registration = parse_registration(ANSWER)
    assert registration.interval_s(Timers()) == 5.0
    assert parse_registration(ANSWER | {"heartbeat_interval_ms": 1}).interval_s(Timers(10)) == 0.05
    assert registration.keys.public_key == KEY.public_key


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        ANSWER | {"heartbeat_interval_ms": "5000"},
        ANSWER | {"heartbeat_interval_ms": -1},
        ANSWER | {"master_public_key": KEY.public_hex},
        ANSWER | {"master_public_key": [0] * 31},
        ANSWER | {"master_public_key": [256] * 32},
        ANSWER | {"master_key_id": 5},
    ],
)
def test_an_answer_of_another_shape_is_no_registration(answer: object) -> None:
    """The public key is a list of 32 integers here, not hex."""
    with pytest.raises(ValueError):
        parse_registration(answer)


def test_without_an_explicit_key_each_answer_is_trusted() -> None:
    """Key and key id, at the first registration and at every later one (D-05)."""
    answer = parse_registration(ANSWER | {"master_key_id": "renamed"})
    assert trusted(answer, None) == answer.keys


def test_an_explicit_key_takes_a_new_name_but_no_other_key() -> None:
    """The key id follows the master as long as the key is the explicit one (D-05)."""
    answer: Registration = parse_registration(ANSWER | {"master_key_id": "renamed"})
    assert trusted(answer, KEY.public_key).key_id == "renamed"
    with pytest.raises(ForeignMaster):
        trusted(answer, bytes(32))


def test_draining_is_told_once_per_change_of_state() -> None:
    """Answers without a state, as Wavry's, tell nothing."""
    watch = DrainWatch()
    states = ["Active", "Draining", "Draining", None, "Draining", "Active", "Draining"]
    answers: list[object] = [{"ok": True} if state is None else {"ok": True, "state": state} for state in states]
    assert [watch.begins(answer) for answer in answers] == [False, True, False, False, False, False, True]
    assert not watch.begins(None)


# Defects, each beside its sound twin above


@pytest.mark.parametrize("status", [404, None, 500])
def test_relay_never_reregisters_falls_silent(status: int | None) -> None:
    """Not on 404, not after six failures; then it is silent for good."""
    membership = joined("relay_never_reregisters")
    assert not any(membership.must_rejoin_after(status) for _ in range(5))
    assert not membership.silent
    assert not membership.must_rejoin_after(status)
    assert membership.silent and not membership.registered
    assert not joined().silent


def test_relay_gives_up_its_master_after_two_failures() -> None:
    """Sooner than a sound relay would register again."""
    membership = joined("relay_gives_up_its_master")
    assert not membership.must_rejoin_after(None)
    assert not membership.silent
    assert not membership.must_rejoin_after(404)
    assert membership.silent and not membership.registered


def test_relay_gives_up_on_master_the_third_time_it_is_gone() -> None:
    """However short each time was; the sound relay goes on."""
    sound, faulty = joined(), joined("relay_gives_up_on_master")
    for silent in (False, False, True):
        for membership in (sound, faulty):
            membership.must_rejoin_after(None)
            membership.must_rejoin_after(None)
        assert (sound.silent, faulty.silent) == (False, silent)
        sound.must_rejoin_after(200)
        faulty.must_rejoin_after(200)

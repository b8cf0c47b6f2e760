"""What became of a relay that crashed: what was not seen counts for nothing, what was seen stays."""

from __future__ import annotations

import dataclasses

import pytest

from drills.measures.evidence import Evidence
from drills.measures.packets import INPUT
from drills.measures.relay_loss import losses_of
from drills.objectives import CLAIMS
from tests.record_builder import B, RecordBuilder, ns, sound


def evidence(claim: str, builder: RecordBuilder) -> Evidence:
    """What the record says of one claim in the fault window."""
    record = builder.over().record()
    return CLAIMS[claim].measure(record, record.windows["fault"], CLAIMS[claim])


def test_the_last_lease_for_the_dead_relay_counts() -> None:
    """From the moment from which it was certainly gone."""
    found = evidence("dead_relay_named_s", sound(0).relay_lost(named_s=1.4))
    assert found.figure is not None
    assert abs(found.figure - 1.39) < 0.001
    assert not found.past
    assert "named the dead relay_a" in found.says


def test_a_relay_that_no_lease_ever_named_is_not_forgotten_by_being_missed() -> None:
    """With a share of one in fifty before it died, forty leases that miss it prove nothing."""
    found = evidence("dead_relay_named_s", sound(0).relay_lost(named_s=0.0, share=50))
    assert (found.figure, found.past) == (0.0, True)


def test_a_session_of_ours_that_is_sent_to_the_dead_counts_as_a_sample_does() -> None:
    """Whoever asks is a newcomer to the master."""
    builder = sound(0).relay_lost(again=1)
    found = evidence("dead_relay_named_s", builder)
    assert found.figure is not None and found.figure > 4.9
    assert "6 of them sessions'" in found.says


def test_a_kill_that_was_not_seen_to_land_proves_nothing() -> None:
    """For none of the claims."""
    for claim in ("dead_relay_named_s", "loss_recovered_s", "sessions_lost_with_relay", "bystanders_silence_ms_p99"):
        assert "not seen to die" in evidence(claim, sound(10).relay_lost(landed=False)).missing


def test_the_way_of_a_session_is_known_step_by_step() -> None:
    """First silence, when our client noticed, the new lease, the first frame by way of it."""
    one = losses_of(sound(0).relay_lost(sessions=1, again=1).over().record())[0]
    assert (one.session, one.noticed_ns, one.dead_leases) == (901, ns(17.0), 1)
    assert ns(11.9) < one.silent_ns < ns(12.02)
    assert ns(17.1) <= one.leased_ns <= ns(17.2) < one.heard_ns < ns(17.3)
    assert one.survived()


@pytest.mark.parametrize(("later_ms", "lost"), [(0.0, 0.0), (900.0, 0.0), (1100.0, 6.0), (float("inf"), 6.0)])
def test_a_stop_of_ours_may_hide_that_a_session_had_fallen_silent(later_ms: float, lost: float) -> None:
    """What was read late may have come sooner; who then hears nothing for its last second was not served."""
    found = evidence("sessions_lost_with_relay", sound(0).relay_lost())
    assert found.hiding and (found.figure, found.hiding(later_ms)) == (0.0, lost)


def test_who_sees_frames_and_cannot_steer_is_not_served() -> None:
    """Both directions count; the slower one says when."""
    for until_s, figure in ((20.0, 8.0), (40.0, None)):
        builder = sound(0).relay_lost(sessions=1)
        inputs = next(block for block in builder.blocks if (block["direction"] == INPUT).all())
        deaf = (inputs["intended_ns"] > ns(12.0)) & (inputs["intended_ns"] < ns(until_s))
        inputs["received_ns"][deaf] = 0
        found = evidence("loss_recovered_s", builder)
        assert found.past is (figure is None)
        assert figure is None or found.figure == pytest.approx(figure, abs=0.1)


def test_a_session_that_is_never_served_again_makes_the_slowest() -> None:
    """Until its end, and not less than what the others needed."""
    found = evidence("loss_recovered_s", sound(0).relay_lost(heard=False))
    assert found.past
    assert found.figure is not None and found.figure > 16.0
    assert "6 were never served again" in found.says


def test_a_session_that_gave_up_is_lost_even_where_it_was_heard() -> None:
    """It did not last until its planned end."""
    found = evidence("sessions_lost_with_relay", sound(0).relay_lost(planned=False))
    assert found.figure == 6.0


def test_a_session_whose_end_was_near_proves_nothing() -> None:
    """It had no time to be served again: 8 s and three heartbeats are 9.5 s here."""
    assert losses_of(sound(0).relay_lost(until_s=21.0).over().record()) == ()
    assert len(losses_of(sound(0).relay_lost(until_s=22.0).over().record())) == 6


def test_a_session_on_another_relay_lost_nothing() -> None:
    """It is a bystander."""
    builder = sound(0).relay_lost()
    moved = [
        dataclasses.replace(event, fields={**event.fields, "relay_id": B})
        if event.name == "lease.given" and event["session"] == 901
        else event
        for event in builder.events
    ]
    builder.events = moved
    assert [one.session for one in losses_of(builder.over().record())] == [902, 903, 904, 905, 906]
    assert evidence("bystanders_silence_ms_p99", builder).samples == 1

"""Records that deceive the judge: damage hidden beside our own stops, sound systems on bad machines."""

from __future__ import annotations

import numpy
import pytest

from drills.scenario.durations import Duration
from drills.scenario.models import ObjectiveSpec
from drills.verdict import Judgement, Outcome, judge
from tests.record_builder import RecordBuilder, ns, promise, scenario_of, sound, tiers_of

HELD, UNKNOWN, BROKEN = Outcome.HELD, Outcome.INCONCLUSIVE, Outcome.BROKEN
SILENCE = promise("silence_ms_p99", 250.0, 150)
DROPS = promise("session_drop_ratio", 0.02, 150)
LOSSES = promise("packets_lost_ratio", 0.005, 5000)
CONTINUITY = promise("media_continuity_ratio", 0.98, 150)
SETUPS = promise("session_setup_success_ratio", 0.98, 150)
SIGNALING = promise("signaling_continuity_ratio", 0.98, 150)
BAND = promise("back_in_band_ms_p95", 250.0, 100, windows=("recovery",))


def judged(builder: RecordBuilder, spec: ObjectiveSpec) -> Judgement:
    """One objective over a record that ended well."""
    return judge(builder.over().record(), scenario_of(spec), tiers_of()).judgements[0]


def quiet(from_s: float, to_s: float, *, silent: int = 30) -> RecordBuilder:
    """Thirty of two hundred sessions hear nothing for a while."""
    builder = sound(0)
    for number in range(1, silent + 1):
        builder.session(number, from_s - 0.5, to_s + 1.0, quiet=(from_s, to_s))
    for number in range(silent + 1, 201):
        builder.session(number, 17.0 + number / 25, 18.0 + number / 25)
    return builder


def read_late(builder: RecordBuilder, from_s: float, to_s: float, *columns: str) -> RecordBuilder:
    """Our pump stands still: what arrived meanwhile is read afterwards, what was due is sent afterwards (as asked)."""
    for block in builder.blocks:
        for column in columns or ("received_ns", "sent_ns"):
            lay = (block[column] >= ns(from_s)) & (block[column] < ns(to_s))
            block[column][lay] = ns(to_s)
    return builder.gap(from_s, to_s)


def machine(builder: RecordBuilder, at_s: int, **waited_ms: float) -> RecordBuilder:
    """The second that is told of then has these waits, each one stall; the others have none."""
    for event in builder.events:
        if event.name == "machine.second":
            waits = waited_ms if event.ns == ns(at_s) else {}
            stalls = {name: min(ms, 300.0) for name, ms in waits.items()}
            event.fields.update(waited_ms=waits, stalled_ms=stalls, busy_share=0.8)
    return builder


# -- hidden beside our own stops --------------------------------------------------------------------------------------


def test_a_stop_just_outside_the_window_may_have_hidden_the_beginning_of_its_silence() -> None:
    """340 ms, of which a stop before the border hides the first 130; what is left has its middle in the window."""
    whole = quiet(9.86, 10.20)
    assert judged(whole, SILENCE).verdict is BROKEN
    assert judged(read_late(quiet(9.86, 10.20), 9.80, 9.99), SILENCE).verdict is UNKNOWN


@pytest.mark.parametrize(("stops", "expected"), [(False, BROKEN), (True, UNKNOWN)])
def test_an_end_that_fell_silent_early_is_not_hidden_by_what_was_read_late(stops: bool, expected: Outcome) -> None:
    """Every session is cut 300 ms before its end, 250 are allowed; what came last was read 75 ms late."""
    builder = sound(0)
    ends = [11.5 + 0.18 * (number // 2) for number in range(200)]
    for number, end_s in enumerate(ends, start=1):
        builder.session(number, end_s - 1.0, end_s, silent_until_end_from_s=end_s - 0.3)
    for end_s in ends[::2] if stops else ():
        read_late(builder, end_s - 0.375, end_s - 0.225, "received_ns")
    assert judged(builder, DROPS).verdict is expected


@pytest.mark.parametrize(("again_s", "expected"), [(17.25, UNKNOWN), (16.5, HELD)])
def test_sockets_that_were_all_lost_in_a_stop_were_lost_before_it_ended(again_s: float, expected: Outcome) -> None:
    """Closed at 12.0 s, noticed at 12.3 s: a share of the window's time says nothing of what happens all at once."""
    builder = sound(200).gap(11.99, 12.29)
    for number in range(200):
        builder.bound(1.0, f"p{number}c").signal_lost(12.3, f"p{number}c", again_s=again_s)
    assert judged(builder, SIGNALING).verdict is expected


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize(("after_ms", "expected"), [(90.0, HELD), (550.0, BROKEN)])
def test_a_band_is_not_widened_by_our_own_stops(after_ms: float, expected: Outcome, stops: bool) -> None:
    """Set-ups of calm take 80 ms, and up to 450 more where our worker stands still: that is not how long they take."""
    builder = RecordBuilder().windows(calm=(0.0, 10.0), fault=(10.0, 30.0), recovery=(30.0, 40.0)).witnessed(40)
    builder.rolled_back(after_ms=after_ms)
    for from_s in numpy.arange(0.3, 9.5, 0.9) if stops else ():
        for event in builder.events:
            began = event.get("intended_ns", 0)
            if event.name == "session.setup" and began < ns(from_s + 0.45) and event["ended_ns"] > ns(from_s):
                event.fields["ended_ns"] += ns(from_s + 0.45) - max(began, ns(from_s))
        builder.gap(from_s, from_s + 0.45)
    assert judged(builder, BAND).verdict is expected


# -- sound systems on bad machines ------------------------------------------------------------------------------------


def test_two_sockets_that_ran_over_explain_together_what_neither_does_alone() -> None:
    """Half of the losses in each relay's socket; a third as many explain too little."""
    for drops, expected in ((150, UNKNOWN), (45, BROKEN)):
        builder = sound(0)
        for number in range(1, 151):
            builder.session(number, 10.5 + number / 10, 13.5 + number / 10)
        machine(builder, 15, relay_a=280.0, relay_b=280.0)
        for block in builder.blocks:  # one packet of each flow, long before its session's end
            block["received_ns"][5] = 0
        for event in builder.events:
            if event.name == "machine.second" and event.ns == ns(15):
                event.fields["socket_drops"] = {"relay_a": drops, "relay_b": drops}
        assert judged(builder, LOSSES).verdict is expected


@pytest.mark.parametrize(("silence_s", "expected"), [(0.48, UNKNOWN), (0.9, BROKEN)])
def test_a_stop_of_ours_and_a_stall_of_the_relays_add_up(silence_s: float, expected: Outcome) -> None:
    """240 ms of ours, then 245 of the machine's."""
    builder = machine(quiet(14.5, 14.5 + silence_s), 15, relay_a=245.0).gap(14.5, 14.74)
    assert judged(builder, SILENCE).verdict is expected


@pytest.mark.parametrize(("freeze_s", "expected"), [(0.29, UNKNOWN), (0.6, BROKEN)])
def test_a_freeze_that_is_mostly_our_own_stop_is_not_the_systems(freeze_s: float, expected: Outcome) -> None:
    """190 ms of ours, and a wait of 100 ms that is too short for a doubt."""
    assert judged(quiet(14.5, 14.5 + freeze_s).gap(14.5, 14.69), CONTINUITY).verdict is expected


@pytest.mark.parametrize(("told_s", "expected"), [(30, UNKNOWN), (33, BROKEN)])
def test_what_the_machine_did_in_the_windows_last_second_is_told_after_it(told_s: int, expected: Outcome) -> None:
    """A stall at 29.5 s stands in the second that ends past 30 s."""
    builder = machine(quiet(29.3, 29.7), told_s, relay_a=500.0)
    assert judged(builder, SILENCE).verdict is expected


@pytest.mark.parametrize(("waited_ms", "expected"), [(930.0, UNKNOWN), (300.0, BROKEN)])
def test_a_service_that_waits_nearly_all_the_time_gets_no_work_done(waited_ms: float, expected: Outcome) -> None:
    """No stall of its is longer than 280 ms, but it has 7 % of a CPU for the whole window."""
    builder = sound(0)
    for event in builder.events:
        if event.name == "machine.second":
            event.fields.update(waited_ms={"gateway": waited_ms}, stalled_ms={"gateway": 280.0}, busy_share=0.85)
    for number in range(200):
        builder.setup(10.5 + number / 11, number + 1, ok=number % 4 > 0)
    assert judged(builder, SETUPS).verdict is expected


@pytest.mark.parametrize(("code", "expected"), [(-9, UNKNOWN), (137, UNKNOWN), (-11, BROKEN), (1, BROKEN)])
def test_a_service_that_somebody_killed_did_not_fall_silent_by_itself(code: int, expected: Outcome) -> None:
    """A machine without memory kills whom it likes; a crash is the service's own."""
    reason = f"relay_a (pid 7) ended by itself with {code}"
    builder = quiet(14.5, 16.5).event(14.5, "stage.changed", service="relay_a", change="ended", reason=reason)
    assert judged(builder, SILENCE).verdict is expected


def test_an_outage_that_nobody_slept_through_is_the_windows() -> None:
    """The first who failed was due 20 ms before the window, as they are whom a fault meets in the middle."""
    builder = sound(0)
    for number in range(400):
        at_s = 9.98 + number / 20
        builder.setup(at_s, number + 1, ok=at_s > 29.0)
    assert judged(builder, promise("setup_outage_s", Duration(5.0), 60)).verdict is BROKEN


def test_the_made_packets_are_what_they_are_meant_to_be() -> None:
    """A late read moves what lay in the stop to its end and nothing else."""
    builder = read_late(sound(20), 15.0, 15.2)
    received = numpy.concatenate([block["received_ns"] for block in builder.blocks])
    assert not ((received >= ns(15.0)) & (received < ns(15.2))).any()
    assert (received == ns(15.2)).any()

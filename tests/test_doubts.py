"""Each kind of doubt voids what it can explain, and leaves the rest as it is."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from drills.doubts import Doubt, doubts_of
from drills.faults.base import Arguments
from drills.objectives import DoubtKind
from drills.scenario.durations import Duration
from drills.scenario.models import Injection, ObjectiveSpec, Scenario
from drills.verdict import Judgement, Outcome, judge
from tests.record_builder import A, RecordBuilder, injection, ns, promise, scenario_of, sound, tiers_of

SILENCE = promise("silence_ms_p99", 250.0, 150)
DROPS = promise("session_drop_ratio", 0.02, 150)
LOSSES = promise("packets_lost_ratio", 0.005, 5000)
CONTINUITY = promise("media_continuity_ratio", 0.98, 150)
SETUPS = promise("session_setup_success_ratio", 0.98, 150)
LEASES = promise("no_lease_lands_on_a_draining_relay", 0, 40)
HOLDS = promise("drain_holds", 6, 20)
BACK = promise("relay_back_s", Duration(4.0))


def judged(builder: RecordBuilder, spec: ObjectiveSpec, scenario: Scenario | None = None) -> Judgement:
    """One objective over a record that ended well."""
    return judge(builder.over().record(), scenario or scenario_of(spec), tiers_of()).judgements[0]


def kinds(builder: RecordBuilder, scenario: Scenario | None = None, window: str = "fault") -> set[DoubtKind]:
    """The kinds of doubt a record gives rise to in a window."""
    doubts = doubts_of(builder.over().record(), scenario or scenario_of(SILENCE))
    return {doubt.kind for doubt in doubts if doubt.window in ("", window)}


def frozen(silence_s: float, *, sessions: int = 200, silent: int = 30) -> RecordBuilder:
    """Sessions of which some hear nothing for a while around 15 s, as when one relay stands still."""
    builder = sound(0)
    for number in range(1, silent + 1):
        builder.session(number, 14.0, 14.5 + silence_s + 0.5, quiet=(14.5, 14.5 + silence_s))
    for number in range(silent + 1, sessions + 1):
        builder.session(number, 16.5 + number / 20, 17.0 + number / 20)
    return builder


def broken_lease(**story: Any) -> RecordBuilder:
    """A lease names the draining relay."""
    return sound(10).drained(lease=lambda at_s: A if at_s > 18 else "relay-b", **story)


def test_a_sound_run_gives_no_doubt() -> None:
    """The builder's own record is without doubt, so what the other tests add is all there is."""
    assert doubts_of(sound(20).over().record(), scenario_of(SILENCE)) == []


# -- the generator ----------------------------------------------------------------------------------------------------


def stopped_worker(length_s: float) -> RecordBuilder:
    """Our only worker is stopped (SIGSTOP) at 15 s while sessions flow: what was due is sent late or not at all."""
    builder = frozen(0.0)
    resumed = ns(15.0 + length_s)
    for number in range(1, 31):
        builder.session(1000 + number, 14.0, 19.0)
    for block in builder.blocks:
        due, sent, received = block["intended_ns"], block["sent_ns"], block["received_ns"]
        stopped = (due >= ns(15.0)) & (due < resumed)
        overdue = stopped & (resumed - due > 100_000_000)
        sent[stopped], received[stopped] = resumed, resumed + 5_000_000
        sent[overdue] = received[overdue] = 0
    return builder.gap(15.0, 15.0 + length_s)


@pytest.mark.parametrize("length_s", [0.1, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("spec", [SILENCE, DROPS, LOSSES, SETUPS], ids=lambda spec: spec.claim)
def test_a_stopped_generator_never_makes_anything_broken(length_s: float, spec: ObjectiveSpec) -> None:
    """Whatever a stopped load worker shows is never broken; from a length on that may hide something it is not held."""
    verdict = judged(stopped_worker(length_s), spec).verdict
    assert verdict is Outcome.INCONCLUSIVE or (verdict is Outcome.HELD and length_s == 0.1)


def test_a_generator_stopped_for_a_second_makes_setups_that_failed_inconclusive() -> None:
    """Set-ups that ran into their time-outs while our own worker stood still say nothing."""
    builder = sound(0).gap(15.0, 16.0)
    for number in range(200):
        builder.setup(11.0 + number / 20, number + 1, ok=number >= 20)
    assert judged(builder, SETUPS).verdict is Outcome.INCONCLUSIVE


def test_setups_that_fail_stay_broken_when_the_generator_was_late_by_a_little() -> None:
    """A stall of 60 ms cannot make a time-out of a second run out."""
    builder = sound(0).gap(15.0, 15.06)
    for number in range(200):
        builder.setup(11.0 + number / 20, number + 1, ok=number >= 20)
    assert judged(builder, SETUPS).verdict is Outcome.BROKEN


def test_a_stopped_relay_is_broken_although_our_generator_hiccuped() -> None:
    """A stall of 60 ms does not explain that a sixth of the sessions heard nothing for a second."""
    result = judged(frozen(1.0).gap(14.6, 14.66), SILENCE)
    assert result.verdict is Outcome.BROKEN
    assert "of 200 lie past 250 ms" in result.reason


def test_many_short_stalls_in_a_row_add_up() -> None:
    """Twenty stalls of 45 ms one after another can make a second of silence."""
    builder = frozen(1.0)
    for number in range(20):
        builder.gap(14.5 + number / 20, 14.545 + number / 20)
    assert judged(builder, SILENCE).verdict is Outcome.INCONCLUSIVE


HELD, UNKNOWN = Outcome.HELD, Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("gap_s", "expected"), [(0.06, HELD), (0.19, HELD), (0.21, UNKNOWN)])
def test_silence_is_held_where_a_stop_cannot_have_hidden_too_long_a_one(gap_s: float, expected: Outcome) -> None:
    """The longest is of 50 ms and 250 are allowed: it may have been longer by as much as the generator stood still."""
    assert judged(sound(200).gap(15.0, 15.0 + gap_s), SILENCE).verdict is expected


def test_of_many_stops_one_after_another_each_silence_bears_one() -> None:
    """Twenty stops of 45 ms within a second can have made a silence, but each hides 45 ms of one at the most."""
    builder = sound(200)
    for number in range(20):
        builder.gap(14.5 + number / 20, 14.545 + number / 20)
    assert judged(builder, SILENCE).verdict is HELD


@pytest.mark.parametrize(("gaps", "failed", "expected"), [
    (1, 0, HELD), (1, 2, HELD), (1, 3, UNKNOWN), (4, 0, UNKNOWN), (4, 2, UNKNOWN),
])  # fmt: skip
def test_setups_are_held_where_all_that_a_stop_has_hidden_could_have_failed(
    gaps: int, failed: int, expected: Outcome
) -> None:
    """200 set-ups, of which four may fail: one stop of 60 ms hides two at the most, four of them seven."""
    builder = sound(0)
    for number in range(gaps):
        builder.gap(12.0 + 2 * number, 12.06 + 2 * number)
    for number in range(200):
        builder.setup(10.0 + number / 20, number + 1, ok=number >= failed)
    assert judged(builder, SETUPS).verdict is expected


@pytest.mark.parametrize(("gap_s", "lost_every", "expected"), [
    (0.06, 0, HELD), (0.06, 250, HELD), (0.09, 0, HELD), (0.09, 1000, UNKNOWN), (0.15, 0, UNKNOWN),
])  # fmt: skip
def test_losses_are_held_where_all_that_was_never_sent_could_have_been_lost(
    gap_s: float, lost_every: int, expected: Outcome
) -> None:
    """One in 200 may be lost; up to 80 ms all is sent, 90 ms are 0.45 % of a window of 20 s, and 150 ms are 0.75 %."""
    builder = sound(200, lost_every=lost_every).gap(15.0, 15.0 + gap_s)
    assert judged(builder, LOSSES).verdict is expected


@pytest.mark.parametrize(("spec", "quiet_s", "gap_s", "expected"), [
    (CONTINUITY, 0.17, 0.06, UNKNOWN), (CONTINUITY, 0.1, 0.06, HELD), (CONTINUITY, 0.0, 0.21, UNKNOWN),
    (DROPS, 0.17, 0.06, HELD), (DROPS, 0.92, 0.06, UNKNOWN), (DROPS, 0.0, 0.21, UNKNOWN),
])  # fmt: skip
def test_sessions_are_held_where_no_silence_of_theirs_could_have_been_one_too_long(
    spec: ObjectiveSpec, quiet_s: float, gap_s: float, expected: Outcome
) -> None:
    """Thirty of 200 were silent for a while: 250 ms are a freeze, a second is a drop, and a stop adds its length."""
    assert judged(frozen(quiet_s).gap(14.6, 14.6 + gap_s), spec).verdict is expected


@pytest.mark.parametrize(("slow", "gap_s", "expected"), [
    (0, 0.06, HELD), (3, 0.06, HELD), (2, 0.09, HELD), (3, 0.09, UNKNOWN), (0, 0.25, UNKNOWN),
])  # fmt: skip
def test_latency_is_held_where_all_that_was_due_in_a_stop_could_have_been_slow(
    slow: int, gap_s: float, expected: Outcome
) -> None:
    """Of 400 sessions one in a hundred may be slower than 85 ms; 90 ms of 20 s are 0.45 %, and 250 ms are 1.25 %."""
    builder = sound(0)
    for number in range(400):
        from_s = 10.1 + number / 24
        builder.session(number + 1, from_s, from_s + 1, delay_s=0.1 if number < slow else 0.01)
    spec = promise("input_to_present_ms_p99", 85.0, 1000)
    assert judged(builder.gap(15.0, 15.0 + gap_s), spec).verdict is expected


def test_what_was_not_seen_at_all_is_no_stop() -> None:
    """A generator that was late all the time, or not heard of, may have hidden anything."""
    builder = sound(200)
    for block in builder.blocks:
        block["sent_ns"] += 20_000_000
        block["received_ns"] += 20_000_000
    assert judged(builder, SILENCE).verdict is UNKNOWN
    assert judged(builder, LOSSES).verdict is UNKNOWN


def test_a_stall_within_the_allowance_is_no_doubt() -> None:
    """Up to the scenario's limit the generator may stand still."""
    assert judged(sound(200).gap(15.0, 15.034), SILENCE).verdict is Outcome.HELD


def test_a_lease_that_names_a_draining_relay_stays_broken_under_a_late_generator() -> None:
    """Doubt voids only what it can explain (design §4)."""
    assert judged(broken_lease().gap(15.0, 17.0), LEASES).verdict is Outcome.BROKEN


def test_a_long_stall_just_before_a_window_concerns_it_too() -> None:
    """Sessions act on a stall after it: their new leases lie in the next window."""
    assert DoubtKind.GENERATOR in kinds(sound(20).gap(7.5, 9.9))
    assert DoubtKind.GENERATOR not in kinds(sound(20).gap(9.3, 9.4))


def test_a_late_generator_is_a_doubt() -> None:
    """Sends that are 20 ms late at p99 void both outcomes, more than 100 ms late ones were never made."""
    builder = sound(0).packets(1, 0, numpy.arange(12, 20, 0.02), late_s=0.02)
    assert DoubtKind.GENERATOR in kinds(builder)
    assert DoubtKind.GENERATOR not in kinds(sound(0).packets(1, 0, numpy.arange(12, 20, 0.02), late_s=0.01))


def test_packets_that_were_never_sent_are_a_doubt() -> None:
    """A generator that skips what was due tests less than it says."""
    builder = sound(200)
    for block in builder.blocks[::20]:
        block["sent_ns"][3:6] = 0
    assert DoubtKind.GENERATOR in kinds(builder)


def test_a_pump_that_died_is_seen_although_it_reports_no_gap() -> None:
    """Sessions that live on while nothing is even due for them are a doubt, not silence that holds."""
    builder = sound(150)
    builder.session(900, 12.0, 14.0, ended=False).ended(29.0, 900)
    result = judged(builder, SILENCE)
    assert result.verdict is Outcome.INCONCLUSIVE
    assert "stopped sending for 1 sessions" in result.reason


def test_a_session_that_never_sent_anything_is_seen() -> None:
    """A set-up that succeeded and no packet at all is our own failure."""
    assert DoubtKind.GENERATOR in kinds(sound(150).setup(12.0, 900).ended(20.0, 900))


def test_a_worker_nobody_heard_of_is_a_doubt() -> None:
    """Without its witness nobody knows whether the generator stood still."""
    builder = sound(200)
    builder.events = [event for event in builder.events
                      if event.name != "generator.second" or not ns(14) < event.ns < ns(18)]  # fmt: skip
    assert judged(builder, SILENCE).verdict is Outcome.INCONCLUSIVE


# -- set-ups that are not in the record -------------------------------------------------------------------------------


def visited(count: int) -> RecordBuilder:
    builder = sound(0)
    for number in range(count):
        builder.setup(10.1 + 19.8 * number / count, number + 1)
    return builder


def test_visits_that_were_due_and_never_started_make_nothing_held() -> None:
    """An open-loop plan whose visitors all hang must not look like a success of those who got through."""
    builder = visited(180)
    for number in range(20):
        builder.event(25.0 + number / 10, "visit.due", worker=0, intended_ns=ns(25.0 + number / 10))
    result = judged(builder, SETUPS)
    assert result.verdict is Outcome.INCONCLUSIVE
    assert "20 visits that were due were not begun" in result.reason


def test_a_visit_that_was_due_and_begun_is_no_doubt() -> None:
    """Its set-up says what became of it."""
    builder = visited(180)
    builder.event(25.0, "visit.due", worker=0, intended_ns=ns(25.0))
    builder.event(25.0, "session.asked", session=900, kind="visit", pair="v9", intended_ns=ns(25.0))
    builder.setup(25.0, 900, kind="visit", pair="v9")
    assert judged(builder, SETUPS).verdict is Outcome.HELD


def test_visits_that_never_started_do_not_excuse_those_that_failed() -> None:
    """Missing evidence voids only what held."""
    builder = visited(150)
    for number in range(30):
        builder.setup(20.0 + number / 10, 500 + number, ok=False, kind="resident", pair=f"r{number}")
        builder.setup(25.0 + number / 10, 600 + number, kind="resident", pair=f"r{number}")
    assert judged(builder, SETUPS, scenario_of(SETUPS, visits=200)).verdict is Outcome.BROKEN


def test_a_resident_whose_set_up_hangs_until_the_end_is_seen() -> None:
    """It never writes its failure; that it did not come back is the evidence."""
    builder = visited(200)
    builder.event(15.0, "session.asked", session=700, kind="resident", pair="r1", intended_ns=ns(15.0))
    result = judged(builder, SETUPS)
    assert result.verdict is Outcome.INCONCLUSIVE
    assert "1 set-ups had not come to an end" in result.reason


def test_a_resident_that_stays_until_the_end_is_no_doubt() -> None:
    """A session that the run's end cut off was not asking for another."""
    builder = visited(200).setup(11.0, 700, kind="resident", pair="r1").packets(700, 0, numpy.arange(11.0, 39.9, 0.05))
    builder.packets(700, 1, numpy.arange(11.0, 39.9, 0.05)).ended(39.9, 700, kind="resident", reason="the run ended")
    assert judged(builder, SETUPS).verdict is Outcome.HELD


# -- our own sockets --------------------------------------------------------------------------------------------------


def lossy(every: int, own_drops: int) -> RecordBuilder:
    builder = sound(200, lost_every=every)
    builder.events = [event for event in builder.events if event.name != "generator.second"]
    for second in range(42):
        builder.event(second, "generator.second", worker=0, own_drops=own_drops if second > 15 else 0)
    return builder


def test_losses_in_our_own_sockets_make_losses_inconclusive() -> None:
    """As many lost in our sockets as are missing: the system may be sound."""
    assert judged(lossy(20, own_drops=380), LOSSES).verdict is Outcome.INCONCLUSIVE


def test_a_few_losses_in_our_own_sockets_do_not_excuse_many() -> None:
    """Ten of four hundred missing packets died with us; the rest did not."""
    assert judged(lossy(20, own_drops=10), LOSSES).verdict is Outcome.BROKEN


def test_a_stopped_relay_is_not_excused_by_a_burst_that_dropped_a_packet() -> None:
    """One packet dropped when everything came at once does not explain that thirty sessions heard nothing."""
    builder = frozen(1.0)
    builder.events = [event for event in builder.events if event.name != "generator.second"]
    for second in range(42):
        builder.event(second, "generator.second", worker=0, own_drops=5 if second > 15 else 0)
    assert judged(builder, SILENCE).verdict is Outcome.BROKEN


def test_our_own_losses_do_not_void_what_held() -> None:
    """What held in spite of them held."""
    assert judged(lossy(0, own_drops=10), LOSSES).verdict is Outcome.HELD


def test_packets_that_died_before_the_window_are_not_its_doubt() -> None:
    """The counters are cumulative: only what they grow by counts."""
    builder = sound(20)
    builder.events = [event for event in builder.events if event.name != "generator.second"]
    for second in range(42):
        builder.event(second, "generator.second", worker=0, own_drops=100 if second > 4 else 0)
    assert DoubtKind.OWN_LOSS in kinds(builder, window="calm")
    assert DoubtKind.OWN_LOSS not in kinds(builder)


# -- the machine ------------------------------------------------------------------------------------------------------


def waiting(builder: RecordBuilder, **waited_ms: float) -> RecordBuilder:
    """In one second around 15 s these services waited for a CPU."""
    for event in builder.events:
        if event.name == "machine.second" and event.ns == ns(15.0):
            event.fields["waited_ms"] = waited_ms
    return builder


def test_a_starved_relay_makes_a_silence_inconclusive() -> None:
    """A relay that was not given a CPU for most of a second is not a slow relay."""
    assert judged(waiting(frozen(1.0), relay_a=900.0), SILENCE).verdict is Outcome.INCONCLUSIVE


def test_a_stopped_relay_is_not_excused_by_a_starved_gateway() -> None:
    """The gateway forwards no packet."""
    assert judged(waiting(frozen(1.0), gateway=900.0), SILENCE).verdict is Outcome.BROKEN


def test_the_relay_that_was_killed_is_not_what_others_sessions_wait_for() -> None:
    """It waits most when it is started again; who is on another relay is not served by it."""
    starved = doubts_of(
        waiting(frozen(1.0), relay_a=900.0).fault("kill", "relay_a", 12.0, 20.0).record(), scenario_of(SILENCE)
    )
    other = doubts_of(
        waiting(frozen(1.0), relay_b=900.0).fault("kill", "relay_a", 12.0, 20.0).record(), scenario_of(SILENCE)
    )
    for doubts, bears in ((starved, False), (other, True)):
        mine = [one for one in doubts if one.kind is DoubtKind.STARVED and one.window == "fault"]
        assert [one.concerns("bystanders_silence_ms_p99", "fault") for one in mine] == [bears]
        assert all(one.concerns("silence_ms_p99", "fault") for one in mine)


def test_a_relay_that_waited_a_little_each_second_excuses_no_silence_of_a_second() -> None:
    """What it waited in that second and the two around it is the most that can be taken off."""
    builder = frozen(1.0)
    for event in builder.events:
        if event.name == "machine.second":
            event.fields["waited_ms"] = {"relay_a": 300.0 if event.ns == ns(15.0) else 150.0}
    assert DoubtKind.STARVED in kinds(builder)
    builder.events = [event for event in builder.events if event.name not in ("generator.finished", "run.ended")]
    assert judged(builder, SILENCE).verdict is Outcome.BROKEN


@pytest.mark.parametrize(("stalled_ms", "expected"), [(90.0, Outcome.BROKEN), (290.0, Outcome.INCONCLUSIVE)])
def test_a_stall_counts_and_many_short_waits_do_not(stalled_ms: float, expected: Outcome) -> None:
    """Where the record tells the longest stall, the sum of all waiting in a second is no doubt by itself."""
    builder = waiting(frozen(1.0), relay_a=900.0)
    for event in builder.events:
        if event.name == "machine.second":
            event.fields["stalled_ms"] = {"relay_a": stalled_ms if event.ns == ns(15.0) else 10.0}
    assert judged(builder, SILENCE).verdict is expected


def losing_at_ends(*, everywhere: bool = False) -> RecordBuilder:
    """Sessions whose last packets never arrive, as when a relay forwards them after their ends have closed."""
    builder = sound(0)
    for number in range(1, 201):
        from_s = 11.0 + number / 20
        builder.session(number, from_s, from_s + 2.0, lost_every=20 if everywhere else 0,
                        silent_until_end_from_s=from_s + 1.8)  # fmt: skip
    return builder


def test_what_a_starved_relay_forwards_to_ends_that_have_closed_is_no_loss_of_its() -> None:
    """Seen: two drills at once on two CPUs, packets half a second late, a sound relay called broken."""
    assert judged(losing_at_ends(), LOSSES).verdict is Outcome.BROKEN
    late = judged(waiting(losing_at_ends(), relay_a=900.0), LOSSES)
    assert late.verdict is Outcome.INCONCLUSIVE and "relay_a waiting for a CPU" in late.reason
    assert judged(waiting(losing_at_ends(), gateway=900.0), LOSSES).verdict is Outcome.BROKEN


def test_a_starved_relay_explains_no_losses_in_the_middle_of_sessions() -> None:
    """Those at the ends are forgiven, and the rest is still too much."""
    assert judged(waiting(losing_at_ends(everywhere=True), relay_a=900.0), LOSSES).verdict is Outcome.BROKEN


def test_a_starved_gateway_makes_failed_setups_inconclusive() -> None:
    """Without a CPU no service answers in time."""
    builder = sound(0)
    for number in range(200):
        builder.setup(11.0 + number / 20, number + 1, ok=number >= 20)
    assert judged(waiting(builder, gateway=900.0), SETUPS).verdict is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("seconds", "expected"), [(1, Outcome.BROKEN), (2, Outcome.INCONCLUSIVE)])
def test_a_machine_without_a_cpu_left_makes_failed_setups_inconclusive(seconds: int, expected: Outcome) -> None:
    """Two drills on two CPUs: logins time out, and nobody can say whose fault it is; a moment of it is no excuse."""
    builder = sound(0)
    for number in range(200):
        builder.setup(11.0 + number / 20, number + 1, ok=number >= 20)
    for event in builder.events:
        if event.name == "machine.second":
            event.fields["busy_share"] = 0.99 if ns(14.0) <= event.ns < ns(14.0 + seconds) else 0.7
    assert judged(builder, SETUPS).verdict is expected


@pytest.mark.parametrize(("before_s", "expected"), [(4.5, Outcome.INCONCLUSIVE), (9.0, Outcome.BROKEN)])
def test_what_waited_when_the_window_began_is_worked_off_in_it(before_s: float, expected: Outcome) -> None:
    """A machine that was full until just before the window leaves a queue of logins behind, and nobody to blame."""
    builder = sound(0)
    for number in range(200):
        builder.setup(11.0 + number / 20, number + 1, ok=number >= 20)
    for event in builder.events:
        if event.name == "machine.second":
            full = ns(10.0 - before_s) <= event.ns < ns(12.5 - before_s)
            event.fields["busy_share"] = 0.99 if full else 0.7
    assert judged(builder, SETUPS).verdict is expected


def test_a_machine_without_a_cpu_left_excuses_no_silence() -> None:
    """Whether a relay was kept waiting is measured at the relay."""
    builder = frozen(1.0)
    for event in builder.events:
        if event.name == "machine.second":
            event.fields["busy_share"] = 1.0
    assert judged(builder, SILENCE).verdict is Outcome.BROKEN


def test_without_a_control_run_that_held_nothing_is_held() -> None:
    """Where calm is not held, nothing else of the suite may be; what broke stays broken."""
    builder = sound(200)
    builder.event(43.0, "control.not_held", verdict="inconclusive")
    assert judged(builder, SILENCE).verdict is Outcome.INCONCLUSIVE
    builder = frozen(1.0)
    builder.event(43.0, "control.not_held", verdict="broken")
    assert judged(builder, SILENCE).verdict is Outcome.BROKEN


def test_a_starved_service_does_not_void_what_held() -> None:
    """What held in spite of it held; and a relay that came back far too late is not excused by half a second."""
    assert judged(waiting(sound(200), relay_a=900.0), SILENCE).verdict is Outcome.HELD
    late = sound(10).drained(back_s=26.0)
    assert judged(waiting(late, relay_a=600.0), BACK).verdict is Outcome.BROKEN


def test_a_relay_that_came_back_while_nobody_watched_the_machine_is_inconclusive() -> None:
    """Where the runner itself was stopped, the time it measured is its own."""
    builder = sound(10).drained(back_s=26.0)
    builder.events = [event for event in builder.events
                      if event.name != "machine.second" or not ns(20.5) < event.ns < ns(26)]  # fmt: skip
    assert judged(builder, BACK).verdict is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("full_s", "expected"), [(1, Outcome.BROKEN), (2, Outcome.BROKEN), (4, Outcome.INCONCLUSIVE)])
def test_a_full_machine_holds_a_start_up_for_as_long_as_it_was_full(full_s: int, expected: Outcome) -> None:
    """Six and a half seconds against a limit of four: two seconds without a CPU do not explain it, four do."""
    builder = sound(10).drained(back_s=26.5)
    for event in builder.events:
        if event.name == "machine.second":
            event.fields["busy_share"] = 0.99 if ns(21.0) <= event.ns < ns(21.0 + full_s) else 0.7
    assert judged(builder, BACK).verdict is expected


def test_a_full_machine_is_no_reason_to_name_a_dead_relay() -> None:
    """The master says by its clock which relay is silent; waiting for a CPU for so long would be seen of itself."""
    builder = sound(10).relay_lost(named_s=5.0)
    for event in builder.events:
        if event.name == "machine.second":
            event.fields["busy_share"] = 0.99
    named = promise("dead_relay_named_s", Duration(0.0, 4.0), 40)
    assert judged(builder, named).verdict is Outcome.BROKEN
    for event in builder.events:
        if event.name == "machine.second":
            event.fields["waited_ms"] = {"master": 900.0}
    assert judged(builder, named).verdict is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("served_after_s", "gap_s", "expected"), [
    (5.2, 0.2, Outcome.HELD), (5.2, 6.0, Outcome.INCONCLUSIVE), (10.35, 0.2, Outcome.INCONCLUSIVE),
    (10.6, 0.2, Outcome.INCONCLUSIVE), (12.0, 0.2, Outcome.BROKEN), (12.0, 3.0, Outcome.INCONCLUSIVE),
])  # fmt: skip
def test_a_short_stop_of_our_generator_changes_no_time_of_seconds(
    served_after_s: float, gap_s: float, expected: Outcome
) -> None:
    """It can have hidden or added as much as it lasted: the limit is ten and a half seconds."""
    builder = sound(10).relay_lost(served_after_s=served_after_s).gap(13.0, 13.0 + gap_s)
    assert judged(builder, promise("loss_recovered_s", Duration(9.0, 3.0), 4)).verdict is expected


@pytest.mark.parametrize(("heard", "gap_s", "expected"), [
    (True, 0.3, Outcome.HELD), (True, 0.8, Outcome.HELD), (True, 1.2, Outcome.INCONCLUSIVE),
    (False, 0.3, Outcome.BROKEN), (False, 0.6, Outcome.INCONCLUSIVE),
])  # fmt: skip
def test_a_short_stop_of_our_generator_loses_no_session(heard: bool, gap_s: float, expected: Outcome) -> None:
    """One try of a PRESENT has half a second: a longer stop may have been why it was lost.

    That it was, a stop hides only where it is as long as the silence that makes it so.
    """
    builder = sound(10).relay_lost(heard=heard).gap(13.0, 13.0 + gap_s)
    assert judged(builder, promise("sessions_lost_with_relay", 0, 4)).verdict is expected


def test_many_stops_add_up_to_as_much_of_a_time_of_seconds() -> None:
    """Each can have made one more wait longer; in a time of one wait only the longest counts."""
    builder = sound(10).relay_lost(served_after_s=11.2)
    for at_s in (13.0, 14.5, 16.0, 17.5):
        builder.gap(at_s, at_s + 0.25)
    served = promise("loss_recovered_s", Duration(9.0, 3.0), 4)  # ten and a half seconds
    assert judged(builder, served).verdict is Outcome.INCONCLUSIVE
    assert judged(sound(10).relay_lost(served_after_s=11.2).gap(13.0, 13.25), served).verdict is Outcome.BROKEN


def test_without_some_of_the_samples_nobody_knows_whether_a_session_was_lost() -> None:
    """That it was not heard to its end is all that says so."""
    lost, recovered = promise("sessions_lost_with_relay", 0, 4), promise("loss_recovered_s", Duration(9.0, 3.0), 4)
    scenario = scenario_of(lost, recovered)
    whole, part = (sound(10).relay_lost(heard=False).over(rows=rows).record() for rows in (None, 10**6))
    assert {one.verdict for one in judge(whole, scenario, tiers_of()).judgements} == {Outcome.BROKEN}
    assert {one.verdict for one in judge(part, scenario, tiers_of()).judgements} == {Outcome.INCONCLUSIVE}


def test_a_clock_step_voids_what_depends_on_time_and_nothing_else() -> None:
    """Tokens expire by the wall clock; a lease that names a draining relay does not care."""

    def stepped(builder: RecordBuilder) -> RecordBuilder:
        for event in builder.events:
            if event.name == "machine.second" and event.ns >= ns(10.0):
                event.fields["wall_minus_monotonic_ns"] = 3_600_000_000_000
        return builder

    assert judged(stepped(sound(200)), SILENCE).verdict is Outcome.INCONCLUSIVE
    assert judged(stepped(broken_lease()), LEASES).verdict is Outcome.BROKEN


def test_a_clock_that_drifts_is_no_doubt() -> None:
    """A few milliseconds a second are the network time service at work."""
    builder = sound(20)
    for event in builder.events:
        if event.name == "machine.second":
            event.fields["wall_minus_monotonic_ns"] = (event.ns - ns(0)) // 1000
    assert DoubtKind.CLOCK not in kinds(builder)


# -- faults -----------------------------------------------------------------------------------------------------------

STORY = (
    injection("drain", "relay_a", None, injection("down", "relay_a_to_master", 3.5), injection("restart", "relay_a")),
)


def test_a_fault_without_a_receipt_makes_nothing_held() -> None:
    """A drill whose fault never was has rehearsed nothing, and nothing recovered from it."""
    for window in ("fault", "recovery"):
        spec = promise("packets_lost_ratio", 0.5, 6, (window,))
        builder = sound(200).session(300, 31.0, 33.0)
        assert judged(builder, spec, scenario_of(spec, fault=STORY)).verdict is Outcome.INCONCLUSIVE
        builder = sound(200).session(300, 31.0, 33.0).drained()
        assert judged(builder, spec, scenario_of(spec, fault=STORY)).verdict is Outcome.HELD


def test_a_fault_that_did_not_land_voids_what_held_and_not_what_broke() -> None:
    """A silence is a silence, whether or not the fault was there."""
    story = (injection("latency", "ends_to_master", 2.0),)
    unlanded = {"landed": False}
    held = sound(200).fault("latency", "ends_to_master", 12.0, 14.0, **unlanded)
    assert judged(held, SILENCE, scenario_of(SILENCE, fault=story)).verdict is Outcome.INCONCLUSIVE
    broken = frozen(1.0).fault("latency", "ends_to_master", 12.0, 14.0, **unlanded)
    assert judged(broken, SILENCE, scenario_of(SILENCE, fault=story)).verdict is Outcome.BROKEN


@pytest.mark.parametrize(("took_s", "outcome"), [(0.9, Outcome.HELD), (1.1, Outcome.INCONCLUSIVE)])
def test_a_fault_that_landed_late_voids_what_held(took_s: float, outcome: Outcome) -> None:
    """What the story did meanwhile was done without it."""
    story = (injection("latency", "ends_to_master", 2.0),)
    late = {"from_ns": ns(12.0 + took_s), "due_s": 1.0}
    builder = sound(200).fault("latency", "ends_to_master", 12.0, 14.0 + took_s, **late)
    assert judged(builder, SILENCE, scenario_of(SILENCE, fault=story)).verdict is outcome


def test_a_second_injection_that_never_came_is_missed() -> None:
    """Two were asked for and one was made."""
    story = (injection("latency", "ends_to_master", 2.0), injection("latency", "ends_to_master", 2.0))
    once = sound(20).fault("latency", "ends_to_master", 12.0, 14.02)
    twice = sound(20).fault("latency", "ends_to_master", 12.0, 14.02).fault("latency", "ends_to_master", 16.0, 18.02)
    assert DoubtKind.FAULT in kinds(once, scenario_of(SILENCE, fault=story))
    assert DoubtKind.FAULT not in kinds(twice, scenario_of(SILENCE, fault=story))


def test_a_fault_that_was_not_mended_voids_the_recovery() -> None:
    """We ourselves kept the system broken; the fault window itself is not concerned."""
    story = (injection("latency", "ends_to_master", 2.0),)
    builder = sound(20).fault("latency", "ends_to_master", 12.0, 14.02, mended=False)
    scenario = scenario_of(SILENCE, fault=story)
    assert DoubtKind.FAULT in kinds(builder, scenario, "recovery")
    assert DoubtKind.FAULT not in kinds(builder, scenario, "fault")


@pytest.mark.parametrize(("to_s", "doubtful"), [(12.5, True), (14.01, False), (15.9, False), (18.0, True)])
def test_a_fault_of_the_wrong_length_is_a_doubt(to_s: float, doubtful: bool) -> None:
    """Too short proves less, too long may have broken more than was promised."""
    scenario = scenario_of(SILENCE, fault=(injection("latency", "ends_to_master", 2.0),))
    builder = sound(20).fault("latency", "ends_to_master", 12.0, to_s)
    assert (DoubtKind.FAULT in kinds(builder, scenario)) is doubtful


def test_a_story_that_stopped_makes_nothing_held_and_the_return_inconclusive() -> None:
    """A relay that was not restarted, because sessions were still on it, was not seen to come back."""
    builder = sound(200).drained(back_s=None)
    builder.events = [event for event in builder.events if event.get("fault") != "restart"]
    builder.event(20.0, "story.stopped", reason="3 sessions were still on relay_a")
    back = judged(builder, BACK, scenario_of(BACK, fault=STORY))
    assert (back.verdict, back.reason) == (Outcome.INCONCLUSIVE, "3 sessions were still on relay_a")
    builder.events = [event for event in builder.events if event.name not in ("generator.finished", "run.ended")]
    assert judged(builder, SILENCE, scenario_of(SILENCE, fault=STORY)).verdict is Outcome.INCONCLUSIVE


# -- the record -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("event", "fields"), [
    ("run.interrupted", {"signal": "SIGINT"}), ("run.failed", {"error": "CannotRun: no"}),
])  # fmt: skip
def test_an_interrupted_run_is_inconclusive_whatever_it_saw(event: str, fields: dict[str, str]) -> None:
    """Even a lease that names a draining relay: the exit code of an interrupted run is 2."""
    for builder, spec in ((broken_lease(), LEASES), (sound(200), SILENCE)):
        assert judged(builder.event(39.0, event, **fields), spec).verdict is Outcome.INCONCLUSIVE


def test_a_record_without_an_end_is_inconclusive() -> None:
    """The runner was killed."""
    verdict = judge(sound(200).record(), scenario_of(SILENCE), tiers_of())
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert "no end" in verdict.judgements[0].reason


def test_a_load_worker_that_died_voids_what_held_and_not_a_lease_that_was_seen() -> None:
    """What is missing does not take back what is there."""
    scenario = scenario_of(SILENCE, LEASES, HOLDS, workers=2)
    state = {"state": lambda at_s: "Draining" if at_s < 12 else "Active"}
    builder = sound(200).drained(lease=lambda at_s: A, **state)
    for second in range(42):
        builder.event(second, "generator.second", worker=1, own_drops=0)
    verdicts = judge(builder.over(finished=1).record(), scenario, tiers_of()).judgements
    assert [one.verdict for one in verdicts] == [Outcome.INCONCLUSIVE, Outcome.BROKEN, Outcome.BROKEN]


def test_a_missing_part_of_the_samples_voids_what_packets_show_and_nothing_else() -> None:
    """The rows on disk must be as many as the workers say they wrote."""
    scenario = scenario_of(SILENCE, LEASES)
    builder = sound(200).drained()
    rows = sum(len(block["session"]) for block in builder.blocks)
    verdicts = judge(builder.over(rows=rows + 1).record(), scenario, tiers_of()).judgements
    assert [one.verdict for one in verdicts] == [Outcome.INCONCLUSIVE, Outcome.HELD]


def test_an_exception_of_ours_in_the_load_voids() -> None:
    """A user that died by our own mistake is no user of the system."""
    assert judged(sound(200).event(15.0, "load.error", error="KeyError"), SILENCE).verdict is Outcome.INCONCLUSIVE


def test_a_doubt_names_its_window_and_its_claims() -> None:
    """An empty window is the whole run."""
    doubt = Doubt(DoubtKind.STAGE, "", frozenset({"held"}), "a port moved", frozenset({"drain_holds"}))
    assert doubt.concerns("drain_holds", "calm")
    assert not doubt.concerns("silence_ms_p99", "calm")
    assert not Doubt(DoubtKind.STAGE, "calm", frozenset(), "").concerns("drain_holds", "fault")


def test_an_injection_without_a_length_is_not_measured() -> None:
    """A restart is over as soon as it is done."""
    story = (Injection("restart", "relay_a", Arguments(), None, ()),)
    assert DoubtKind.FAULT not in kinds(sound(20).fault("restart", "relay_a", 12.0, 12.01), scenario_of(fault=story))


def test_what_the_udp_proxy_lost_by_itself_makes_packets_inconclusive() -> None:
    """Its socket buffers are nobody's promise; in other windows nothing is in doubt."""
    builder = sound(200)
    for at_s in range(1, 40):
        builder.event(float(at_s), "udp_proxy.second", own_losses=0 if at_s < 20 else 5)
    one = judged(builder, promise("packets_lost_ratio", 0.005, 5000))
    assert one.verdict is Outcome.INCONCLUSIVE
    assert "the UDP proxy lost 5 packets that it was not asked to lose" in one.reason
    assert kinds(builder, window="calm") == set()


@pytest.mark.parametrize(("landed", "receipts"), [(False, 1), (True, 0)])
def test_a_condition_that_was_not_measured_to_be_there_makes_everything_inconclusive(
    landed: bool, receipts: int
) -> None:
    """A drill held under a network that never was has held nothing."""
    builder = sound(200)
    for _ in range(receipts):
        builder.fault("udp_network", "lte", 0.1, 39.0, landed=landed)
    record = builder.over().record()
    record.provenance["condition"] = "lte"
    verdict = judge(record, scenario_of(promise("silence_ms_p99", 250.0, 150)), tiers_of())
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert "the condition lte" in verdict.judgements[0].reason

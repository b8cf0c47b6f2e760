"""What a drain promises, under records that deceive in both directions."""

from __future__ import annotations

from typing import Any

import pytest

from drills.measures import drain
from drills.measures.evidence import Evidence
from drills.objectives import CLAIMS
from drills.record import Span
from tests.record_builder import A, B, RecordBuilder, ns

FAULT = Span(ns(10), ns(30))
DRAINING = "Draining"


def drained(**story: Any) -> RecordBuilder:
    """The story of relay_drain, told in this way."""
    return RecordBuilder().drained(**story).event(40.0, "run.ended")


def leases(builder: RecordBuilder) -> Evidence:
    return drain.leases_on_the_drained(builder.record(), FAULT, CLAIMS["no_lease_lands_on_a_draining_relay"])


def holds(builder: RecordBuilder) -> Evidence:
    return drain.heartbeats_held(builder.record(), FAULT, CLAIMS["drain_holds"])


def survives(builder: RecordBuilder) -> Evidence:
    return drain.sightings_after_reregistration(builder.record(), FAULT, CLAIMS["drain_survives_reregistration"])


def registered(builder: RecordBuilder) -> Evidence:
    return drain.reregistrations(builder.record(), FAULT, CLAIMS["reregistration_seen"])


def back(builder: RecordBuilder) -> Evidence:
    return drain.seconds_until_back(builder.record(), FAULT, CLAIMS["relay_back_s"])


@pytest.mark.parametrize("measure", [leases, holds, survives, registered])
def test_without_a_drain_there_is_nothing_to_say(measure: Any) -> None:
    """Nothing injected, nothing held."""
    assert measure(RecordBuilder().event(1.0, "run.ended")).missing == "no drain was injected"


# -- who is sent there ----------------------------------------------------------------------------------------------


def test_a_lease_given_before_the_drain_and_used_later_is_none_of_the_drains() -> None:
    """Only what was asked for after the drain was proven counts."""
    builder = drained().lease(9.99, A, session=1, took_s=0.1).lease(10.04, A, session=2)
    assert leases(builder).figure == 0.0


def test_a_single_lease_between_two_looks_is_seen() -> None:
    """The master forgot the drain for a moment that no look at its list caught."""
    evidence = leases(drained().lease(15.55, A, session=3))
    assert evidence.figure == 1.0
    assert "a session's" in evidence.says


def test_a_lease_asked_for_while_the_drain_is_being_ended_is_nobodys_fault() -> None:
    """The activate was under way: the relay may be named before we know that it was done."""
    builder = RecordBuilder().event(40.0, "run.ended").fault("drain", "relay_a", 10.0, 15.0, relay_id=A)
    for number in range(100):
        builder.lease(1 + number / 20, A)
    for number in range(60):
        builder.lease(10.1 + number / 40, B)
    builder.event(14.0, "step.done", step="hold")
    assert leases(builder.lease(14.998, A)).figure == 0.0
    assert leases(builder.lease(13.999, A)).figure == 0.0  # asked before, given after
    assert leases(builder.lease(13.5, A)).figure == 1.0


def test_a_receipt_that_says_when_mending_began_is_believed() -> None:
    """Then there is no need to guess."""
    builder = RecordBuilder().event(40.0, "run.ended").fault("drain", "relay_a", 10.0, 15.0, relay_id=A)
    builder.events[-1].fields["mending_ns"] = ns(14.99)
    builder.lease(1.0, A).lease(14.9, A).lease(14.995, A)
    assert leases(builder).figure == 1.0


def test_a_lease_after_the_relay_was_stopped_is_not_the_drains() -> None:
    """The drill itself ended it; what happens then is judged by handshakes and set-ups."""
    assert leases(drained().lease(20.01, A)).figure == 0.0


def test_a_relay_that_nobody_was_sent_to_before_proves_nothing() -> None:
    """Where the relay's share of the leases was nil, none after the drain means nothing."""
    evidence = leases(drained(before=lambda number: B))
    assert evidence.figure is None
    assert "may be luck" in evidence.missing
    seldom = leases(drained(before=lambda number: A if number == 0 else B))
    assert "1 of 100 leases" in seldom.missing


def test_a_relay_that_nobody_was_sent_to_before_can_still_break_the_promise() -> None:
    """One lease is one too many."""
    assert leases(drained(before=lambda number: B).lease(15.0, A)).figure == 1.0


def test_a_lease_that_was_written_twice_counts_once() -> None:
    """A renewal that failed writes the old lease again."""
    assert leases(drained().lease(15.0, A, session=3).lease(15.0, A, session=3)).figure == 1.0


@pytest.mark.parametrize("measure", [leases, holds, survives])
def test_a_drain_that_was_not_seen_to_land_is_no_evidence(measure: Any) -> None:
    """A relay that was never drained may be named."""
    assert "not seen to land" in measure(drained(landed=False, lease=lambda at_s: B)).missing


def test_a_relay_that_was_not_seen_to_be_drained_has_not_ceased_to_be() -> None:
    """The operator's word never reached the master: Active is what it should be listed as."""
    assert "not seen to land" in holds(drained(landed=False, state=lambda at_s: "Active")).missing


# -- whether it holds -----------------------------------------------------------------------------------------------


def test_heartbeats_are_counted_where_the_age_falls() -> None:
    """Ten to fourteen seconds at a beat each half second are seven falls after the first look."""
    evidence = holds(drained())
    assert evidence.figure == 7.0
    assert not evidence.past


def test_a_relay_that_stopped_beating_proves_nothing() -> None:
    """Draining for ever, but no heartbeat that could have undone it."""
    builder = drained()
    for event in builder.events:
        if event.name == "relays.seen":
            for relay in event["relays"]:
                relay["age_ms"] = (event.ns - ns(9.0)) / 1e6
    assert holds(builder).figure == 0.0


def test_a_relay_that_became_active_is_seen_however_early() -> None:
    """After the third heartbeat there are few looks, and one is enough."""
    evidence = holds(drained(state=lambda at_s: DRAINING if at_s < 11.4 else "Active"))
    assert evidence.past
    assert "listed as Active 1.4 s after the drain" in evidence.says


def test_a_relay_that_vanished_from_the_list_does_not_hold() -> None:
    """Absence is not Draining: neither before the cut nor after it registered again."""
    gone = holds(drained(state=lambda at_s: DRAINING if at_s < 13.7 else None))
    assert "did not list the relay" in gone.missing
    assert "did not list the relay" in survives(drained(state=lambda at_s: DRAINING if at_s < 19.0 else None)).missing
    assert holds(drained(state=lambda at_s: None)).missing


def test_a_relay_that_vanished_and_came_back_active_is_broken() -> None:
    """What is seen counts, whatever was not."""

    def state(at_s: float) -> str | None:
        return DRAINING if at_s < 11 else None if at_s < 12 else "New"

    assert holds(drained(state=state)).past


def test_nobody_looking_is_not_draining() -> None:
    """A list that could not be read for two beats may have said anything."""
    assert "nobody saw" in holds(drained(looks=lambda at_s: not 11.0 < at_s < 12.2)).missing
    assert "nobody saw" in survives(drained(looks=lambda at_s: not 18.4 < at_s < 19.9)).missing
    assert not holds(drained(looks=lambda at_s: not 11.0 < at_s < 11.5)).missing


def test_a_registration_is_no_heartbeat() -> None:
    """A master that restarted and got its relay back shows a young age that no heartbeat made."""
    assert holds(drained().event(12.05, "master.registered", relay_id=A)).figure == 6.0


def test_a_blind_spell_is_no_heartbeat() -> None:
    """Between a look before and a look after the master was away, the age may have fallen for any reason."""
    assert holds(drained().event(12.01, "master.unreachable", reason="timed out")).figure == 6.0


def test_the_cut_ends_what_plain_heartbeats_can_show() -> None:
    """After the cut the relay does not beat, so its state is another claim's business."""
    assert not holds(drained(state=lambda at_s: DRAINING if at_s < 14.0 else "Active")).past


def test_a_look_that_was_answered_while_the_drain_was_being_ended_is_none() -> None:
    """Asked before the activate and answered after it, the list says Active rightly."""
    builder = drained()
    builder.look(19.99, "Active", took_s=0.05)
    assert survives(builder).figure == 0.0


# -- whether it registers again, and what then ---------------------------------------------------------------------


def test_the_first_registration_is_no_reregistration() -> None:
    """Only what came after the cut counts."""
    evidence = registered(drained(registered_s=None, said=False))
    assert (evidence.figure, evidence.past) == (0.0, True)


@pytest.mark.parametrize(("story", "words"), [
    ({"cut_landed": False}, "not seen to be cut"),
    ({"cut_mended": False}, "not seen to be cut and mended"),
    ({"said": True}, "the master's log does not"),
    ({"waited": False}, "nobody waited"),
    ({"first_registered": False}, "not even its first"),
])  # fmt: skip
def test_a_registration_that_need_not_have_been_or_may_have_been_missed_is_inconclusive(
    story: dict[str, Any], words: str
) -> None:
    """A sound relay whose path was never cut has no reason to register again."""
    evidence = registered(drained(**{"registered_s": None, "said": False, **story}))
    assert words in evidence.missing


def test_a_cut_of_another_relays_path_is_no_reason_to_register_again() -> None:
    """The proxy's name says whose path it is."""
    builder = drained(registered_s=None, said=False)
    for event in builder.events:
        if event.get("fault") == "down":
            event.fields["subject"] = "relay_b_to_master"
    assert registered(builder).missing == "the relay's path to the master was not cut and mended"


def test_a_relay_that_did_not_register_again_says_nothing_of_its_drain() -> None:
    """There was nothing to survive."""
    assert survives(drained(registered_s=None)).missing == "the relay was not seen to register again"


def test_a_drain_undone_by_registering_is_seen_by_every_look_after_it() -> None:
    """Looks before the registration do not count."""
    evidence = survives(drained(state=lambda at_s: DRAINING if at_s < 17.8 else "New"))
    assert evidence.figure == evidence.samples > 20
    assert survives(drained(state=lambda at_s: "Active" if at_s < 17.8 else DRAINING)).figure == 0.0


# -- whether it comes back -------------------------------------------------------------------------------------------


def test_a_relay_is_back_when_it_forwards() -> None:
    """Counted from when the restart was asked for."""
    assert back(drained()).figure == pytest.approx(0.8)


def test_a_relay_that_never_came_back_is_past_its_time() -> None:
    """We stopped waiting; how long we did is the figure."""
    evidence = back(drained(back_s=None, unmet_s=35.0))
    assert (evidence.figure, evidence.past) == (pytest.approx(15.0), True)


def test_a_relay_that_was_never_seen_to_stop_is_no_evidence_of_a_late_return() -> None:
    """It had nowhere to come back from."""
    builder = drained(back_s=None, unmet_s=35.0)
    for event in builder.events:
        if event.get("fault") == "restart":
            event.fields["landed"] = False
    assert "not seen to stop" in back(builder).missing


def test_nobody_waiting_for_the_return_is_no_evidence() -> None:
    """Neither back nor unmet: the drill was over."""
    assert back(drained(back_s=None)).missing
    assert back(RecordBuilder().event(1.0, "story.stopped", reason="3 were left")).missing == "3 were left"
    assert back(RecordBuilder().event(1.0, "run.ended")).missing == "no restart was made"


def test_each_restart_has_its_own_return_and_the_slowest_counts() -> None:
    """The first return must not stand for the second."""
    builder = drained().fault("restart", "relay_a", 25.0, 25.3)
    assert back(builder).missing == "the drill ended before the relay could be back"
    builder.event(31.0, "relay.back", service="relay_a", relay_id="relay-a3", forwarded_ns=ns(31.0))
    assert back(builder).figure == pytest.approx(6.0)

"""Set-ups, handshakes and drops: who counts, in which window, and for what."""

from __future__ import annotations

import pytest

from drills.measures.sessions import drops, handshakes, setup_outage, setups
from drills.objectives import CLAIMS
from drills.record import Span
from tests.record_builder import RecordBuilder, ns

CALM, FAULT = Span(ns(0), ns(10)), Span(ns(10), ns(20))
DROPS, SETUPS, SHAKES = (CLAIMS[name] for name in
                         ("session_drop_ratio", "session_setup_success_ratio", "handshake_failure_ratio"))  # fmt: skip


def dropped(builder: RecordBuilder, span: Span = FAULT) -> tuple[int, int]:
    """(cut, all) of a window."""
    evidence = drops(builder.record(), span, DROPS)
    return evidence.hits or 0, evidence.samples


def test_a_session_that_lasts_is_not_dropped() -> None:
    """A planned end is no drop."""
    assert dropped(RecordBuilder().session(1, 12.0, 15.0)) == (0, 1)


def test_a_session_that_heard_nothing_for_a_second_is_dropped() -> None:
    """999 ms are not a second."""
    assert dropped(RecordBuilder().session(1, 12.0, 15.0, quiet=(13.0, 13.9))) == (0, 1)
    assert dropped(RecordBuilder().session(1, 12.0, 15.0, quiet=(13.0, 14.0))) == (1, 1)


def test_a_session_that_fell_silent_before_its_end_is_dropped() -> None:
    """Nothing is heard after its end, so half a second of silence before it is all there can be."""
    assert dropped(RecordBuilder().session(1, 12.0, 15.0, silent_until_end_from_s=14.5)) == (1, 1)
    assert dropped(RecordBuilder().session(1, 12.0, 15.0, silent_until_end_from_s=14.9)) == (0, 1)


def test_a_session_that_heard_one_direction_only_is_dropped() -> None:
    """The quieter direction counts."""
    builder = RecordBuilder().session(1, 12.0, 15.0)
    builder.blocks[1]["received_ns"][20:] = 0
    assert dropped(builder) == (1, 1)


def test_a_session_without_any_packet_received_is_dropped() -> None:
    """Never heard is silent at its end too."""
    builder = RecordBuilder().session(1, 12.0, 12.6)
    for block in builder.blocks:
        block["received_ns"][:] = 0
    assert dropped(builder) == (1, 1)


@pytest.mark.parametrize(("cause", "cut"), [("silence", 1), ("reject", 1), ("told", 0)])
def test_a_new_lease_that_nobody_asked_for_is_a_drop(cause: str, cut: int) -> None:
    """What the drill told a session to do is not held against the system."""
    builder = RecordBuilder().session(1, 12.0, 15.0)
    builder.event(13.5, "session.released", session=1, cause=cause, began_ns=ns(13.0))
    assert dropped(builder) == (cut, 1)


def test_a_session_told_to_leave_and_cut_off_is_dropped() -> None:
    """Being told excuses the new lease, not the silence."""
    builder = RecordBuilder().session(1, 12.0, 15.0, quiet=(13.0, 14.2))
    builder.event(13.5, "session.released", session=1, cause="told", began_ns=ns(13.0))
    assert dropped(builder) == (1, 1)


def test_a_release_counts_where_it_began() -> None:
    """It is written when the new lease is there, which may be in the next window."""
    builder = RecordBuilder().session(1, 8.0, 15.0)
    builder.event(10.5, "session.released", session=1, cause="silence", began_ns=ns(9.9))
    assert dropped(builder, CALM) == (1, 1)
    assert dropped(builder, FAULT) == (0, 1)


def test_a_session_that_dies_in_the_next_window_is_dropped_there() -> None:
    """It set up and lived in calm, and the fault cut it off."""
    builder = RecordBuilder().session(1, 8.0, 15.0, silent_until_end_from_s=11.0)
    assert dropped(builder, CALM) == (0, 1)
    assert dropped(builder, FAULT) == (1, 1)


def test_a_session_that_gave_up_is_dropped() -> None:
    """An end that was not planned, even where nothing of it was due in the window any more."""
    builder = RecordBuilder().session(1, 8.0, 9.99, ended=False)
    builder.ended(10.01, 1, planned=False, reason="too many new leases")
    assert dropped(builder) == (1, 1)


def test_the_end_of_the_run_drops_nobody() -> None:
    """What is written of a session after the load stopped its sending is no news."""
    builder = RecordBuilder().session(1, 12.0, 15.0, ended=False).ended(15.0, 1, reason="the run ended")
    builder.ended(15.9, 1)
    assert dropped(builder) == (0, 1)


def test_setups_count_by_when_they_were_due() -> None:
    """A visit that was due in calm and got its turn in the fault window is calm's."""
    builder = RecordBuilder().setup(9.9, 1, began_s=11.0, ok=False).setup(12.0, 2)
    assert setups(builder.record(), CALM, SETUPS).hits == 0
    assert setups(builder.record(), CALM, SETUPS).samples == 1
    assert setups(builder.record(), FAULT, SETUPS).figure == 1.0
    assert "offer (not received within 2 s)" in setups(builder.record(), CALM, SETUPS).says


@pytest.mark.parametrize("outcome", ["reject", "silence"])
def test_a_handshake_that_is_not_acknowledged_failed(outcome: str) -> None:
    """Silence is as bad as a rejection."""
    evidence = handshakes(RecordBuilder().handshakes(12.0, 10, 3, outcome).record(), FAULT, SHAKES)
    assert (evidence.hits, evidence.samples) == (3, 10)
    assert outcome in evidence.says


def test_an_outage_lasts_from_the_first_refusal_until_somebody_gets_in() -> None:
    """Two stretches: the longer one counts, from its first failure in the window; one without an end says so."""
    builder = RecordBuilder()
    for number, at_s in enumerate((9.0, 11.0, 12.0, 12.5, 14.0, 15.0, 16.0)):
        builder.setup(at_s, number + 1, ok=at_s not in (11.0, 12.5, 14.0))
    claim = CLAIMS["setup_outage_s"]
    evidence = setup_outage(builder.record(), FAULT, claim)
    assert (evidence.figure, evidence.samples, evidence.past) == (2.5, 6, False)
    assert setup_outage(builder.record(), CALM, claim).figure == 0.0
    builder.setup(17.0, 8, ok=False).setup(19.9, 9, ok=False)
    evidence = setup_outage(builder.record(), FAULT, claim)
    assert evidence.figure == pytest.approx(2.9) and evidence.past


def test_an_outage_whose_first_failure_was_due_before_the_window_is_the_windows_too() -> None:
    """Whoever was being set up when the fault came was due in calm; those after them were not."""
    builder = RecordBuilder()
    for tenth in range(90, 250):
        builder.setup(tenth / 10, tenth, ok=not 9.9 <= tenth / 10 < 22.0)
    claim = CLAIMS["setup_outage_s"]
    assert setup_outage(builder.record(), CALM, claim).figure == pytest.approx(12.1)
    assert setup_outage(builder.record(), FAULT, claim).figure == pytest.approx(12.0)

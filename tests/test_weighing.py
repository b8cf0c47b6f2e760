"""Figures against limits, doubts against outcomes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy
import pytest

from drills.doubts import BOTH, ONLY_BROKEN, ONLY_HELD, Doubt
from drills.measures.evidence import Evidence, ratio
from drills.objectives import CLAIMS, DoubtKind, Shape
from drills.weighing import Outcome, excused, interval_99, weighed

HELD, INCONCLUSIVE, BROKEN = Outcome.HELD, Outcome.INCONCLUSIVE, Outcome.BROKEN


def doubt(
    kind: DoubtKind, voids: frozenset[str] = BOTH, *, most_ms: float = math.inf, failures: float = math.inf
) -> Doubt:
    """A doubt about the whole run."""
    return Doubt(kind, "", voids, f"because of {kind}", most_ms=most_ms, most_failures=failures)


def quantile(values: list[float], claim: str = "silence_ms_p99") -> Evidence:
    """What a measure of a percentile hands over."""
    array = numpy.array(values, dtype=float)
    figure = float(numpy.quantile(array, CLAIMS[claim].quantile, method="higher")) if len(values) else None
    return Evidence(len(values), figure, values=array)


def outcome(claim: str, evidence: Evidence, limit: float, samples_min: int = 1, *doubts: Doubt) -> Outcome:
    """The outcome without its words."""
    return weighed(CLAIMS[claim], evidence, limit, samples_min, list(doubts))[0]


@pytest.mark.parametrize(("hits", "samples", "low", "high"), [
    (0, 0, 0.0, 1.0),
    (0, 150, 0.0, 0.04236),  # z²/(n + z²)
    (150, 150, 0.95764, 1.0),
    (50, 100, 0.37528, 0.62472),  # ½ ± z/(2√(n + z²))
])  # fmt: skip
def test_the_interval_is_wilsons(hits: int, samples: int, low: float, high: float) -> None:
    """Against values worked out by hand from the closed formula at z = 2.5758."""
    assert interval_99(hits, samples) == pytest.approx((low, high), abs=2e-5)


def test_the_interval_solves_the_score_equation() -> None:
    """Both ends p satisfy (share − p)² = z² p (1 − p) / n, which defines Wilson's interval."""
    for hits, samples in ((1, 7), (30, 200), (199, 200), (3, 5000)):
        for end in interval_99(hits, samples):
            assert (hits / samples - end) ** 2 == pytest.approx(2.5758**2 * end * (1 - end) / samples)


@pytest.mark.parametrize(("bad", "of", "expected"), [
    (0, 149, INCONCLUSIVE),  # too few
    (0, 150, HELD),
    (3, 150, HELD),  # exactly at the limit
    (4, 150, INCONCLUSIVE),  # past it, maybe by luck
    (7, 150, INCONCLUSIVE),
    (12, 150, BROKEN),
    (149, 149, INCONCLUSIVE),  # few samples stay few
    (150, 150, BROKEN),
])  # fmt: skip
def test_a_share_is_broken_only_beyond_luck(bad: int, of: int, expected: Outcome) -> None:
    """Failures and successes are two sides of the same rule."""
    assert outcome("session_drop_ratio", ratio(bad, of), 0.02, 150) is expected
    assert outcome("session_setup_success_ratio", ratio(of - bad, of), 0.98, 150) is expected


@pytest.mark.parametrize(("values", "limit", "expected"), [
    ([], 250.0, INCONCLUSIVE),
    ([10.0] * 149, 250.0, INCONCLUSIVE),
    ([250.0] * 150, 250.0, HELD),  # all of them exactly at the limit
    ([10.0] * 149 + [9999.0], 250.0, HELD),
    ([10.0] * 147 + [251.0] * 3, 250.0, INCONCLUSIVE),
    ([10.0] * 130 + [251.0] * 20, 250.0, BROKEN),
    ([math.nan] * 150, 250.0, INCONCLUSIVE),
])  # fmt: skip
def test_a_percentile_is_broken_only_when_too_many_lie_past_it(
    values: list[float], limit: float, expected: Outcome
) -> None:
    """One slow sample is a percentile's business, twenty are not."""
    assert outcome("silence_ms_p99", quantile(values), limit, 150) is expected


@pytest.mark.parametrize(("evidence", "expected"), [
    (Evidence(40, 0.0), HELD),
    (Evidence(39, 0.0), INCONCLUSIVE),
    (Evidence(0, 0.0), INCONCLUSIVE),
    (Evidence(1, 1.0), BROKEN),  # what must never happen and did
    (Evidence(40, 1.0), BROKEN),
    (Evidence(40, None), INCONCLUSIVE),
    (Evidence(40, 1.0, missing="nobody looked"), INCONCLUSIVE),
    (Evidence(40, math.nan), INCONCLUSIVE),
])  # fmt: skip
def test_a_thing_that_must_never_happen_needs_looks_to_be_held_and_one_to_be_broken(
    evidence: Evidence, expected: Outcome
) -> None:
    """Few looks are enough for no, never for yes."""
    assert outcome("no_lease_lands_on_a_draining_relay", evidence, 0, 40) is expected


@pytest.mark.parametrize(("evidence", "expected"), [
    (Evidence(20, 6.0), HELD),
    (Evidence(20, 5.0), INCONCLUSIVE),
    (Evidence(19, 6.0), INCONCLUSIVE),
    (Evidence(20, 7.0, past=True), BROKEN),
    (Evidence(12, 2.0, past=True), BROKEN),  # seen to be undone before twenty looks were made
])  # fmt: skip
def test_a_thing_that_must_go_on_is_broken_when_it_was_seen_to_end(evidence: Evidence, expected: Outcome) -> None:
    """Too little of it is no proof of its end."""
    assert outcome("drain_holds", evidence, 6, 20) is expected


@pytest.mark.parametrize(("figure", "past", "expected"), [
    (4.0, False, HELD), (4.1, False, BROKEN), (9.0, True, BROKEN),
    (3.0, True, INCONCLUSIVE),  # we gave up before it was due
    (math.nan, False, INCONCLUSIVE), (math.inf, False, INCONCLUSIVE),
])  # fmt: skip
def test_a_thing_that_takes_too_long_is_broken(figure: float, past: bool, expected: Outcome) -> None:
    """Not waiting long enough is our own fault."""
    assert outcome("relay_back_s", Evidence(1, figure, past=past), 4.0) is expected


@pytest.mark.parametrize("voids", [BOTH, ONLY_HELD, ONLY_BROKEN])
@pytest.mark.parametrize("kind", DoubtKind)
def test_a_doubt_voids_what_it_says_and_nothing_else(kind: DoubtKind, voids: frozenset[str]) -> None:
    """Inconclusive never becomes anything else, held never becomes broken, broken never becomes held."""
    evidences = {HELD: ratio(0, 400), INCONCLUSIVE: ratio(10, 400), BROKEN: ratio(100, 400)}
    for undoubted, evidence in evidences.items():
        assert outcome("session_drop_ratio", evidence, 0.02, 150) is undoubted
        doubted = outcome("session_drop_ratio", evidence, 0.02, 150, doubt(kind, voids))
        expected = INCONCLUSIVE if undoubted in voids else undoubted
        if kind is DoubtKind.RECORD and undoubted is BROKEN:
            expected = INCONCLUSIVE if BROKEN in voids else BROKEN
        assert doubted is expected


def test_the_words_of_a_voided_outcome_say_what_it_would_have_been() -> None:
    """A reader must see both the doubt and what it voided."""
    claim = CLAIMS["session_drop_ratio"]
    words = weighed(claim, ratio(100, 400, "100 cut"), 0.02, 150, [doubt(DoubtKind.GENERATOR)])[1]
    assert words.startswith("because of generator; otherwise broken: 99 % interval")
    assert words.endswith("100 cut")


@pytest.mark.parametrize(("kind", "most_ms", "expected"), [
    (DoubtKind.GENERATOR, 60.0, BROKEN), (DoubtKind.GENERATOR, 800.0, INCONCLUSIVE),
    (DoubtKind.GENERATOR, math.inf, INCONCLUSIVE),
    (DoubtKind.STARVED, 60.0, BROKEN), (DoubtKind.STARVED, 800.0, INCONCLUSIVE),
    (DoubtKind.CLOCK, 60.0, INCONCLUSIVE), (DoubtKind.OWN_LOSS, 60.0, INCONCLUSIVE),
])  # fmt: skip
def test_a_stall_is_taken_off_before_it_excuses_a_silence(kind: DoubtKind, most_ms: float, expected: Outcome) -> None:
    """A second of silence is broken for 60 ms of ours and void for 800."""
    evidence = quantile([10.0] * 180 + [1000.0] * 20)
    assert outcome("silence_ms_p99", evidence, 250.0, 150, doubt(kind, most_ms=most_ms)) is expected


def test_a_starved_relay_excuses_latency_by_more_than_it_waited() -> None:
    """A queue grows behind it; only a silence is bounded by the waiting."""
    evidence = quantile([200.0] * 5000, "input_to_present_ms_p95")
    assert (
        outcome("input_to_present_ms_p95", evidence, 70.0, 5000, doubt(DoubtKind.STARVED, most_ms=60.0)) is INCONCLUSIVE
    )
    assert outcome("input_to_present_ms_p95", evidence, 70.0, 5000, doubt(DoubtKind.GENERATOR, most_ms=60.0)) is BROKEN


@pytest.mark.parametrize(("failures", "expected"), [(5, BROKEN), (19, INCONCLUSIVE), (math.inf, INCONCLUSIVE)])
def test_own_losses_are_forgiven_one_for_one(failures: float, expected: Outcome) -> None:
    """Each packet that died in our own sockets may have made one sample bad."""
    own = doubt(DoubtKind.OWN_LOSS, ONLY_BROKEN, failures=failures)
    assert outcome("session_drop_ratio", ratio(20, 200), 0.02, 150, own) is expected
    assert outcome("silence_ms_p99", quantile([10.0] * 180 + [1000.0] * 20), 250.0, 150, own) is expected


@pytest.mark.parametrize(("failures", "expected"), [(5, BROKEN), (19, INCONCLUSIVE), (math.inf, INCONCLUSIVE)])
def test_own_losses_are_forgiven_to_a_share_of_successes_too(failures: float, expected: Outcome) -> None:
    """A freeze may be made of packets that died in our own sockets."""
    own = doubt(DoubtKind.OWN_LOSS, ONLY_BROKEN, failures=failures)
    assert outcome("media_continuity_ratio", ratio(180, 200), 0.98, 150, own) is expected


@pytest.mark.parametrize(("claim", "harmless_ms"), [
    ("session_setup_success_ratio", 400.0), ("handshake_failure_ratio", 400.0), ("packets_lost_ratio", 400.0),
    ("session_drop_ratio", 150.0), ("media_continuity_ratio", 150.0), ("signaling_continuity_ratio", 2000.0),
])  # fmt: skip
def test_a_stall_too_short_to_make_a_failure_excuses_none(claim: str, harmless_ms: float) -> None:
    """A failed set-up needs a time-out of a second to run out."""
    limit = 0.98 if CLAIMS[claim].shape is Shape.RATIO_MIN else 0.02
    evidence = ratio(100, 200)
    assert outcome(claim, evidence, limit, 1, doubt(DoubtKind.GENERATOR, most_ms=harmless_ms)) is BROKEN
    assert outcome(claim, evidence, limit, 1, doubt(DoubtKind.GENERATOR, most_ms=2 * harmless_ms)) is INCONCLUSIVE
    if claim != "packets_lost_ratio":  # starvation loses packets only through a socket that runs over
        assert outcome(claim, evidence, limit, 1, doubt(DoubtKind.STARVED, most_ms=harmless_ms)) is BROKEN
        assert outcome(claim, evidence, limit, 1, doubt(DoubtKind.STARVED, most_ms=2 * harmless_ms)) is INCONCLUSIVE


@pytest.mark.parametrize(("dropped", "expected"), [(0, BROKEN), (40, BROKEN), (100, INCONCLUSIVE)])
def test_a_starved_relay_excuses_as_many_losses_as_its_socket_dropped(dropped: int, expected: object) -> None:
    """A relay that only waited for a CPU loses nothing until its receive buffer runs over."""
    starved = doubt(DoubtKind.STARVED, ONLY_BROKEN, failures=dropped, most_ms=280.0)
    assert outcome("packets_lost_ratio", ratio(100, 1000), 0.005, 600, starved) is expected


def test_a_gap_of_our_generator_excuses_no_more_packets_than_it_can_have_touched() -> None:
    """A stall of 50 ms in a window of ten seconds does not make every input late."""
    evidence = quantile([100.0] * 5000, "input_to_present_ms_p95")
    small = replace(doubt(DoubtKind.GENERATOR, most_ms=51.0), most_share=0.02)
    large = replace(doubt(DoubtKind.GENERATOR, most_ms=51.0), most_share=1.0)
    assert outcome("input_to_present_ms_p95", evidence, 70.0, 5000, small) is BROKEN
    assert outcome("input_to_present_ms_p95", evidence, 70.0, 5000, large) is INCONCLUSIVE


def test_a_late_return_is_excused_by_as_much_as_its_relay_waited() -> None:
    """Two seconds too late, of which a starved machine explains one or three."""
    late = Evidence(1, 6.0)
    assert outcome("relay_back_s", late, 4.0, 1, doubt(DoubtKind.STARVED, ONLY_BROKEN, most_ms=1000.0)) is BROKEN
    assert outcome("relay_back_s", late, 4.0, 1, doubt(DoubtKind.STARVED, ONLY_BROKEN, most_ms=3000.0)) is INCONCLUSIVE


def test_what_is_missing_from_the_record_does_not_take_back_what_was_seen() -> None:
    """Seen once is seen; not seen may have been lost."""
    lost = doubt(DoubtKind.RECORD)
    assert outcome("no_lease_lands_on_a_draining_relay", Evidence(40, 3.0), 0, 40, lost) is BROKEN
    assert outcome("drain_holds", Evidence(12, 2.0, past=True), 6, 20, lost) is BROKEN
    assert outcome("no_lease_lands_on_a_draining_relay", Evidence(40, 0.0), 0, 40, lost) is INCONCLUSIVE


def test_the_first_doubt_that_voids_gives_its_words() -> None:
    """A doubt that cannot explain the outcome does not stand before one that can."""
    small, large = doubt(DoubtKind.GENERATOR, most_ms=50.0), doubt(DoubtKind.INTERRUPTED)
    evidence = quantile([10.0] * 180 + [1000.0] * 20)
    assert weighed(CLAIMS["silence_ms_p99"], evidence, 250.0, 1, [small, large])[1].startswith("because of interrupted")


@pytest.mark.parametrize("claim", ["setup_outage_s", "rebind_storm_s"])
@pytest.mark.parametrize(("stall_ms", "expected"), [(60.0, BROKEN), (600.0, INCONCLUSIVE), (math.inf, INCONCLUSIVE)])
def test_a_generator_that_paused_for_a_moment_does_not_explain_an_outage(
    claim: str, stall_ms: float, expected: Outcome
) -> None:
    """A short stall makes no set-up fail and holds no end back; a long one may, or may hide as much as it lasted."""
    late = doubt(DoubtKind.GENERATOR, most_ms=stall_ms)
    assert outcome(claim, Evidence(100, 30.0), 5.0, 1, late) is expected
    assert outcome(claim, Evidence(100, 3.0), 5.0, 1, late) is (HELD if stall_ms < 2000.0 else INCONCLUSIVE)


@pytest.mark.parametrize("claim", ["signals_flow_both_ways", "newer_socket_reachable"])
@pytest.mark.parametrize(("stall_ms", "expected"), [(200.0, BROKEN), (1500.0, INCONCLUSIVE), (math.inf, INCONCLUSIVE)])
def test_a_gateway_that_waited_for_a_moment_has_not_lost_a_message_by_it(
    claim: str, stall_ms: float, expected: Outcome
) -> None:
    """Each message is waited for two seconds."""
    starved = doubt(DoubtKind.STARVED, ONLY_BROKEN, most_ms=stall_ms)
    assert outcome(claim, Evidence(8, 4.0), 0.0, 8, starved) is expected
    assert outcome(claim, Evidence(8, 0.0), 0.0, 8, starved) is HELD


@pytest.mark.parametrize(("kind", "most_ms", "expected"), [
    (DoubtKind.GENERATOR, 60.0, False), (DoubtKind.GENERATOR, 600.0, True), (DoubtKind.STARVED, 600.0, True),
    (DoubtKind.INTERRUPTED, math.inf, True), (DoubtKind.OWN_LOSS, math.inf, False),
])  # fmt: skip
def test_failures_that_a_doubt_can_explain_are_excused(kind: DoubtKind, most_ms: float, expected: bool) -> None:
    """A set-up fails by a stall of half a second, and not by packets that were lost."""
    found = excused([doubt(kind, most_ms=most_ms)])
    assert ("session_setup_success_ratio" in found) is expected
    assert excused([doubt(kind, ONLY_HELD, most_ms=most_ms)]) == frozenset()


@pytest.mark.parametrize(("most_ms", "expected"), [(300.0, HELD), (490.0, INCONCLUSIVE), (math.inf, INCONCLUSIVE)])
@pytest.mark.parametrize("claim", ["sessions_lost_with_relay", "leases_kept"])
def test_a_count_that_held_holds_only_where_a_stop_cannot_have_hidden_one(
    claim: str, most_ms: float, expected: Outcome
) -> None:
    """That it can make none bad does not mean that it hides none; where that is not known it is inconclusive."""
    stopped = doubt(DoubtKind.GENERATOR, most_ms=most_ms)
    hiding = Evidence(6, 0.0, hiding=lambda ms: 6.0 if ms > 400.0 else 0.0)
    assert outcome(claim, hiding, 0.0, 4, stopped) is expected
    assert outcome(claim, Evidence(6, 0.0), 0.0, 4, stopped) is INCONCLUSIVE


@pytest.mark.parametrize(("figure", "expected"), [(5.2, INCONCLUSIVE), (5.6, BROKEN)])
@pytest.mark.parametrize("claim", ["setup_outage_s", "rebind_storm_s"])
def test_a_short_stop_is_taken_off_a_time_too(claim: str, figure: float, expected: Outcome) -> None:
    """It fails nobody, and may have held the last one up for as long as it was."""
    assert outcome(claim, Evidence(100, figure), 5.0, 1, doubt(DoubtKind.GENERATOR, most_ms=400.0)) is expected


@pytest.mark.parametrize(("figure", "expected"), [(11.0, INCONCLUSIVE), (11.2, BROKEN)])
def test_what_held_up_one_time_is_added_up(figure: float, expected: Outcome) -> None:
    """A stop of ours and two services that waited, one after another: 700 ms together, and alone too little."""
    doubts = [doubt(DoubtKind.GENERATOR, most_ms=300.0),
              *[doubt(DoubtKind.STARVED, ONLY_BROKEN, most_ms=ms) for ms in (280.0, 110.0)]]  # fmt: skip
    assert outcome("loss_recovered_s", Evidence(6, figure), 10.5, 4, *doubts) is expected
    assert all(outcome("loss_recovered_s", Evidence(6, figure), 10.5, 4, one) is BROKEN for one in doubts)


@pytest.mark.parametrize("claim", ["packets_lost_ratio", "frames_lost_ratio"])
def test_what_died_on_our_side_in_two_places_is_added_up(claim: str) -> None:
    """In our sockets and in the UDP proxy: each leaves the promise broken, both do not."""
    doubts = [replace(doubt(DoubtKind.OWN_LOSS, failures=35), reason=where) for where in ("sockets", "proxy")]
    assert outcome(claim, ratio(110, 10_000), 0.005, 600, *doubts) is INCONCLUSIVE
    assert all(outcome(claim, ratio(110, 10_000), 0.005, 600, one) is BROKEN for one in doubts)


@pytest.mark.parametrize(("late_ms", "expected"), [(80.0, INCONCLUSIVE), (500.0, BROKEN)])
def test_late_inputs_of_two_causes_are_added_up(late_ms: float, expected: Outcome) -> None:
    """Those that a stop of ours bears on and those that died in our sockets; no stop of 50 ms explains 400."""
    stopped = replace(doubt(DoubtKind.GENERATOR, most_ms=50.0), most_share=0.012)
    died = doubt(DoubtKind.OWN_LOSS, failures=100)
    evidence = quantile([20.0] * 9700 + [late_ms] * 300, "input_to_present_ms_p99")
    assert outcome("input_to_present_ms_p99", evidence, 70.0, 5000, stopped, died) is expected
    assert all(outcome("input_to_present_ms_p99", evidence, 70.0, 5000, one) is BROKEN for one in (stopped, died))

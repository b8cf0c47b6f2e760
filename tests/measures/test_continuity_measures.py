"""The ledger against brute force, and what it takes for an end's signaling to have gone on."""

from __future__ import annotations

import random

import numpy
import pytest

from drills.measures.continuity import (
    SILENCES_MS,
    auth_continuity,
    ledger,
    media_continuity,
    signaling_continuity,
)
from drills.measures.evidence import Evidence
from drills.measures.media import longest_silences, losses
from drills.measures.packets import FRAME, INPUT, Packets
from drills.measures.sessions import drops
from drills.objectives import CLAIMS
from tests.record_builder import RecordBuilder, ns, sound

SIGNALING, AUTH = CLAIMS["signaling_continuity_ratio"], CLAIMS["auth_continuity_ratio"]


def rows_of(packets: Packets) -> list[dict[str, int]]:
    """The columns as one dict a packet."""
    names = list(packets.columns)
    return [dict(zip(names, map(int, row), strict=True)) for row in zip(*packets.columns.values(), strict=True)]


def shuffled(seed: int) -> RecordBuilder:
    """Sessions over three windows, with losses, copies, and arrivals in any order, also several at one moment."""
    chance = random.Random(seed)
    builder = RecordBuilder().windows(calm=(0.0, 10.0), fault=(10.0, 30.0), recovery=(30.0, 40.0)).witnessed(40)
    for session in range(1, chance.randint(2, 6)):
        from_s, to_s = chance.uniform(1.0, 15.0), chance.uniform(16.0, 38.0)
        for direction in (INPUT, FRAME):
            due = numpy.arange(from_s, to_s, chance.choice([0.03, 0.2, 1.2]))
            delays = [chance.choice([0.005, 0.02, 0.3]) for _ in due]
            builder.packets(session, direction, due, delay_s=delays, lost=[chance.random() < 0.2 for _ in due])
    for block in builder.blocks:
        block["copies"] = block["copies"] * [chance.choice([1, 1, 2, 4]) for _ in block["copies"]]
        block["received_ns"] = block["received_ns"] // 10_000_000 * 10_000_000  # many at the same moment
        if chance.random() < 0.5:  # rows on disk need not be in the order in which they were numbered
            order = numpy.array(chance.sample(range(len(block["session"])), len(block["session"])))
            for name, column in block.items():
                block[name] = column[order]
    return builder


@pytest.mark.parametrize("seed", range(20))
def test_the_counts_are_those_of_counting_by_hand(seed: int) -> None:
    """Packet by packet: sent, lost, duplicated, and arrived after one with a higher number."""
    record = shuffled(seed).record()
    packets = rows_of(record.packets)
    for window, span in record.windows.items():
        for row in (row for row in ledger(record) if row.window == window):
            mine = [one for one in packets if one["session"] == row.session and one["intended_ns"] in span]
            heard = [one for one in packets if one["session"] == row.session and one["received_ns"]]
            overtaken = [
                one for one in mine if one["received_ns"] and any(
                    other["direction"] == one["direction"] and other["sequence"] > one["sequence"]
                    and other["received_ns"] < one["received_ns"] for other in heard)
            ]  # fmt: skip
            assert row.sent == len(mine)
            assert row.lost == sum(not one["received_ns"] for one in mine)
            assert row.duplicated == sum(max(0, one["copies"] - 1) for one in mine)
            assert row.reordered == len(overtaken)


@pytest.mark.parametrize("seed", range(8))
def test_figures_can_be_worked_out_again_from_the_ledger(seed: int) -> None:
    """Losses, the percentile of silences, media continuity and drops are sums over its rows."""
    record = shuffled(seed).record()
    for window, span in record.windows.items():
        rows = [row for row in ledger(record) if row.window == window]
        assert losses(record, span, CLAIMS["packets_lost_ratio"]).hits == sum(row.lost for row in rows)
        silences = longest_silences(record, span, CLAIMS["silence_ms_p99"])
        assert sorted(row.longest_ms for row in rows if row.sent) == sorted(numpy.asarray(silences.values).tolist())
        assert drops(record, span, CLAIMS["session_drop_ratio"]).hits == sum(bool(row.cut) for row in rows)
        went_on = media_continuity(record, span, CLAIMS["media_continuity_ratio"])
        assert (went_on.hits, went_on.samples) == (sum(row.continuous for row in rows), len(rows))


def test_a_silence_is_counted_by_its_length_and_has_its_moments() -> None:
    """300 ms: over 50, 100 and 250, both ways; the longest says from when to when."""
    record = sound(0).session(1, 12.0, 15.0, quiet=(13.0, 13.3)).over().record()
    (row,) = ledger(record)
    counts = dict(zip(SILENCES_MS, row.silences, strict=True))
    assert (counts[100], counts[250], counts[1000]) == (2, 2, 0)
    assert 300 <= row.longest_ms <= 400
    assert ns(12.9) <= row.longest_from_ns < ns(13.0) and ns(13.3) <= row.longest_to_ns < ns(13.4)
    assert not row.continuous


def test_a_row_says_what_its_session_had_to_do() -> None:
    """Another lease, the signaling bound again, a new login; each with its moment and in its window."""
    builder = sound(0).setup(11.0, 1, pair="v1").session(1, 11.0, 29.0).setup(11.0, 1, pair="v1")
    builder.event(13.0, "session.released", session=1, cause="silence", began_ns=ns(12.5))
    builder.bound(11.0, "v1c").signal_lost(14.0, "v1c", again_s=15.0, logged_in=True)
    (row,) = ledger(builder.over().record())
    assert (row.key, row.unplanned, row.released_cause, row.released_ns) == ("1-fault", 1, "silence", ns(12.5))
    assert (row.signal_lost_ns, row.rebound_ns, row.logged_in_ns) == (ns(14.0), ns(15.0), ns(15.0))


def test_a_lease_that_the_drill_asked_for_is_not_held_against_anybody() -> None:
    """Told is told."""
    builder = sound(0).session(1, 11.0, 29.0).event(13.0, "session.released", session=1, cause="told")
    (row,) = ledger(builder.over().record())
    assert (row.told, row.unplanned, row.continuous) == (1, 0, True)


def test_a_record_without_packets_has_no_rows() -> None:
    """A run that was stopped before anything flowed."""
    assert ledger(sound(0).over().record()) == []


def signaling(builder: RecordBuilder) -> Evidence:
    record = builder.over().record()
    return signaling_continuity(record, record.windows["fault"], SIGNALING)


@pytest.mark.parametrize(("again_s", "logged_in", "hits"), [
    (13.0, False, 1), (16.9, False, 1), (17.1, False, 0), (13.0, True, 0), (None, False, 0),
])  # fmt: skip
def test_a_lost_end_must_be_bound_again_soon_and_by_its_old_token(
    again_s: float | None, logged_in: bool, hits: int
) -> None:
    """Within five seconds, without a new login."""
    found = signaling(sound(0).bound(5.0, "v1c").signal_lost(12.0, "v1c", again_s=again_s, logged_in=logged_in))
    assert (found.hits, found.samples) == (hits, 1)


def test_an_end_that_hung_up_at_once_after_its_loss_says_nothing() -> None:
    """It might have been bound again in time."""
    builder = sound(0).bound(5.0, "v1c").signal_lost(12.0, "v1c").event(13.0, "signal.released", end="v1c")
    assert signaling(builder).samples == 0


def test_a_loss_counts_in_its_window_only() -> None:
    """An end bound in the fault window, and lost after it, went on through it."""
    found = signaling(sound(0).bound(5.0, "v1c").signal_lost(31.0, "v1c"))
    assert (found.hits, found.samples) == (1, 1)


@pytest.mark.parametrize(("again_s", "hits"), [(9.995, 1), (12.0, 1), (14.9, 1), (15.1, 0), (None, 0)])
def test_who_comes_into_the_window_without_a_socket_must_be_bound_soon(again_s: float | None, hits: int) -> None:
    """Lost a moment before the window, and unreachable all through it."""
    found = signaling(sound(0).bound(5.0, "v1c").signal_lost(9.99, "v1c", again_s=again_s))
    assert (found.hits, found.samples) == (hits, 1)


def test_a_login_before_the_window_is_not_the_windows() -> None:
    """Its loss was judged where it was."""
    found = signaling(sound(0).bound(5.0, "v1c").signal_lost(9.0, "v1c", again_s=10.5, logged_in=True))
    assert found.hits == 1


def test_who_hung_up_before_the_window_is_not_in_it() -> None:
    """Neither for it nor against it."""
    assert signaling(sound(0).bound(5.0, "v1c", until_s=6.0)).samples == 0


def test_a_refused_token_counts_once_whatever_its_end_does_then() -> None:
    """Bound after a new login is no second use of a token."""
    record = sound(0).bound(12.0, "v1c", logged_in=True).bound(13.0, "v2c").over().record()
    found = auth_continuity(record, record.windows["fault"], AUTH)
    assert (found.hits, found.samples) == (1, 2)


def test_what_the_path_alone_comes_to_is_forgiven_before_a_stop_of_ours_is() -> None:
    """A path on which silences of 300 ms are usual freezes nobody, with or without something taken off."""
    builder = sound(20)
    builder.blocks = []
    for session in range(1, 21):
        builder.packets(session, FRAME, numpy.arange(1.0, 9.0, 0.32))
    record = builder.record()
    record.provenance["floors"] = {"calm": {"silence_ms": 150.0}}
    found = media_continuity(record, record.windows["calm"], CLAIMS["media_continuity_ratio"])
    assert found.forgiving and (found.figure, found.forgiving(0.0), found.forgiving(60.0)) == (1.0, 1.0, 1.0)


def test_a_stop_of_ours_may_hide_that_somebody_would_have_asked_for_another_lease() -> None:
    """After two seconds of silence; sound sessions are never silent for long."""
    record = sound(20).record()
    kept = CLAIMS["leases_kept"]
    found = kept.measure(record, record.windows["fault"], kept)
    assert found.hiding and (found.figure, found.hiding(1900.0), found.hiding(2000.0)) == (0.0, 0.0, 20.0)

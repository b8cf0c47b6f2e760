"""What packets say, against brute force on small random cases and on the cases that deceive."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import numpy
import pytest

from drills.measures.media import input_to_present, longest_silences, losses, presented, silences_by_session
from drills.measures.packets import FRAME, INPUT, Packets
from drills.objectives import CLAIMS
from drills.record import Record, Span
from tests.record_builder import RecordBuilder, ns

SPAN = Span(ns(10.0), ns(20.0))
P99 = CLAIMS["input_to_present_ms_p99"]
Rows = list[dict[str, int]]


def rows_of(packets: Packets) -> Rows:
    """The columns as one dict a packet."""
    names = list(packets.columns)
    return [dict(zip(names, map(int, row), strict=True)) for row in zip(*packets.columns.values(), strict=True)]


def random_record(seed: int) -> Record:
    """A few sessions with losses, reordering, skipped sends, late starts and silences; frames show what was read."""
    chance = random.Random(seed)
    builder = RecordBuilder()
    for session in range(1, chance.randint(2, 5)):
        from_s, to_s = chance.uniform(8.0, 14.0), chance.uniform(14.5, 22.0)
        loss = chance.choice([0.0, 0.1, 0.9])
        inputs = numpy.arange(from_s, to_s, chance.choice([0.05, 0.2]))
        arrivals = [at_s + chance.expovariate(50) for at_s in inputs]
        lost = [chance.random() < loss for _ in inputs]
        builder.packets(session, INPUT, inputs, delay_s=numpy.array(arrivals) - inputs, lost=lost)
        frames = numpy.arange(from_s + 0.02, to_s - chance.choice([0.0, 1.0]), 0.1)
        read = [(at_s, number + 1) for number, at_s in enumerate(arrivals) if not lost[number]]
        shows = [max((number for at_s, number in read if at_s <= frame), default=-1) for frame in frames]
        builder.packets(session, FRAME, frames, delay_s=[chance.expovariate(20) for _ in frames],
                        lost=[chance.random() < loss for _ in frames], shows=shows)  # fmt: skip
    for block in builder.blocks:
        skipped = numpy.array([chance.random() < 0.03 for _ in block["session"]])
        block["sent_ns"][skipped] = block["received_ns"][skipped] = 0
    return builder.record()


def presented_by_hand(rows: Rows, span: Span) -> list[float]:
    """Every input against every frame of its session."""
    found = []
    for one in rows:
        if one["direction"] != INPUT or not one["received_ns"] or one["intended_ns"] not in span:
            continue
        frames = [frame for frame in rows if frame["direction"] == FRAME and frame["session"] == one["session"]]
        showing = [
            frame["received_ns"] for frame in frames if frame["received_ns"] and frame["shows"] >= one["sequence"]
        ]
        if showing:
            found.append((min(showing) - one["intended_ns"]) / 1e6)
        elif any(frame["sent_ns"] > one["received_ns"] for frame in frames):
            found.append(math.inf)
    return found


def silences_by_hand(rows: Rows, span: Span) -> dict[int, float]:
    """Every stretch between neighbouring arrivals of a session and direction."""
    longest = {row["session"]: 0.0 for row in rows if row["intended_ns"] in span and row["sent_ns"]}
    for session in longest:
        for direction in (INPUT, FRAME):
            sent = [
                row for row in rows if (row["session"], row["direction"]) == (session, direction) and row["sent_ns"]
            ]
            heard = sorted(row["received_ns"] for row in sent if row["received_ns"])
            begins = min((row["sent_ns"] for row in sent), default=0)
            ends = max([row["sent_ns"] for row in sent] + heard, default=0)
            moments = [begins, *heard, ends]
            for before, after in pairwise(moments):
                if before + (after - before) // 2 in span:
                    longest[session] = max(longest[session], (after - before) / 1e6)
    return longest


@pytest.mark.parametrize("seed", range(25))
def test_input_to_present_is_what_brute_force_says(seed: int) -> None:
    """One search for all sessions finds what comparing every input with every frame does."""
    record = random_record(seed)
    expected = presented_by_hand(rows_of(record.packets), SPAN)
    assert sorted(presented(record.packets, SPAN)[1].tolist()) == pytest.approx(sorted(expected))


@pytest.mark.parametrize("seed", range(25))
def test_silences_are_what_brute_force_says(seed: int) -> None:
    """The sorted differences find what walking from arrival to arrival does."""
    record = random_record(seed)
    expected = silences_by_hand(rows_of(record.packets), SPAN)
    assert silences_by_session(record, SPAN) == pytest.approx(expected)


def test_no_packets_are_no_evidence() -> None:
    """Nothing measured is nothing, not zero."""
    record = RecordBuilder().event(0.0, "run.started").record()
    for measure in (losses, longest_silences, input_to_present):
        evidence = measure(record, SPAN, P99)
        assert (evidence.samples, evidence.figure) == (0, None)


def test_packets_that_we_did_not_send_are_not_lost() -> None:
    """A packet we were too late for counts neither as sent nor as lost."""
    builder = RecordBuilder().packets(1, INPUT, [12.0, 12.1, 12.2, 12.3], lost=[False, True, False, False])
    builder.blocks[0]["sent_ns"][0] = builder.blocks[0]["received_ns"][0] = 0
    evidence = losses(builder.record(), SPAN, CLAIMS["packets_lost_ratio"])
    assert (evidence.hits, evidence.samples) == (1, 3)


def test_a_packet_that_arrived_twice_is_not_lost_and_counts_once() -> None:
    """Duplicates are no second sample."""
    builder = RecordBuilder().packets(1, INPUT, [12.0, 12.1])
    builder.blocks[0]["copies"][:] = 2
    assert losses(builder.record(), SPAN, CLAIMS["packets_lost_ratio"]).samples == 2


def test_a_session_that_heard_nothing_at_all_was_silent_all_its_life() -> None:
    """All lost is the longest silence there is."""
    builder = RecordBuilder().packets(1, INPUT, numpy.arange(12.0, 15.05, 0.1), lost=True)
    assert silences_by_session(builder.record(), SPAN)[1] == pytest.approx(3000.0)


def test_a_session_that_is_heard_in_one_direction_only_was_silent() -> None:
    """Each direction is somebody's screen or somebody's keyboard."""
    times = numpy.arange(12.0, 15.05, 0.1)
    builder = RecordBuilder().packets(1, INPUT, times).packets(1, FRAME, times, lost=True)
    assert silences_by_session(builder.record(), SPAN)[1] == pytest.approx(3000.0)


@pytest.mark.parametrize("border_s", [12.15, 12.24, 12.26, 12.35])
def test_a_silence_across_a_border_stays_one_silence(border_s: float) -> None:
    """Cut in two it would be two that are allowed; whole, it belongs where most of it lies."""
    times = numpy.arange(11.0, 13.0, 0.05)
    builder = RecordBuilder().packets(1, INPUT, times, lost=(times > 12.001) & (times < 12.48))
    record = builder.record()
    before, after = Span(ns(10), ns(border_s)), Span(ns(border_s), ns(20))
    found = sorted((silences_by_session(record, before)[1], silences_by_session(record, after)[1]))
    assert found == pytest.approx([50.0, 500.0])
    assert (silences_by_session(record, after)[1] > 400) is (border_s < 12.255)


def test_a_silence_that_begins_as_the_fault_begins_is_the_faults() -> None:
    """The last packet of calm arrived 5 ms before the fault: calm has nothing to answer for."""
    times = numpy.arange(8.0, 12.0, 0.05)
    builder = RecordBuilder().packets(1, INPUT, times, lost=(times > 9.999) & (times < 11.0))
    assert silences_by_session(builder.record(), Span(ns(0), ns(10)))[1] == pytest.approx(50.0)
    assert silences_by_session(builder.record(), SPAN)[1] == pytest.approx(1050.0, abs=51)


def test_a_relay_that_swallows_every_frame_is_not_fast() -> None:
    """Inputs that the host read and whose frames were all lost were never seen: a second each, not no evidence."""
    times = numpy.arange(11.0, 15.0, 0.1)
    builder = RecordBuilder().packets(1, INPUT, times)
    builder.packets(1, FRAME, times + 0.05, shows=numpy.arange(1, 41), lost=times > 12.95)
    evidence = input_to_present(builder.record(), SPAN, P99)
    assert evidence.samples == 40
    assert evidence.figure == 1000.0
    assert evidence.says == "20 inputs were never seen in a frame"
    silent = RecordBuilder().packets(1, INPUT, times).packets(1, FRAME, times + 0.05, shows=1, lost=True).record()
    assert input_to_present(silent, SPAN, P99).figure == 1000.0


def test_an_input_after_which_no_frame_was_sent_is_no_evidence() -> None:
    """The session was over before it could be shown."""
    builder = RecordBuilder().packets(1, INPUT, [12.0, 12.1]).packets(1, FRAME, [12.05], shows=1)
    assert input_to_present(builder.record(), SPAN, P99).samples == 1


def test_a_newer_input_in_a_frame_shows_the_older_ones_too() -> None:
    """A frame that shows input 3 shows 1 and 2 as well."""
    builder = RecordBuilder().packets(1, INPUT, [12.0, 12.1, 12.2]).packets(1, FRAME, [12.3], shows=3, delay_s=0.01)
    assert sorted(presented(builder.record().packets, SPAN)[1].tolist()) == pytest.approx([110.0, 210.0, 310.0])


def test_sessions_do_not_show_each_others_inputs() -> None:
    """Sequence numbers are a session's own."""
    builder = RecordBuilder().packets(1, INPUT, [12.0]).packets(2, FRAME, [12.1], shows=9)
    assert input_to_present(builder.record(), SPAN, P99).samples == 0

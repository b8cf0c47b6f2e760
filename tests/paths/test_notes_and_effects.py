"""What canaries noted, read: shares with their error, delays, order; and what a toxic ought to look like."""

from __future__ import annotations

import pytest

from drills.paths.canaries import number_of, packet
from drills.paths.effects import EFFECTS
from drills.paths.notes import Notes, seen, together
from drills.record import Span

MS = 1_000_000


def notes(count: int, lost: set[int] = frozenset(), twice: set[int] = frozenset()) -> Notes:  # type: ignore[assignment]
    """A packet every 10 ms, each 3 ms on its way."""
    made = Notes([number * 10 * MS for number in range(count)])
    for number in range(count):
        for _ in range(0 if number in lost else 2 if number in twice else 1):
            made.arrivals.append((number, made.sent_ns[number] + 3 * MS, True))
    return made


def test_packets_belong_to_the_moment_at_which_they_were_sent() -> None:
    """Those before and after a stretch are not in it."""
    found = seen(notes(100, lost={5, 50, 51}), Span(200 * MS, 600 * MS))
    assert (found.sent, found.lost, found.doubled) == (40, 2, 0)
    assert found.hits_ns == (500 * MS, 510 * MS)
    assert found.delay_ms() == pytest.approx(3.0)


def test_copies_alterations_and_overtaking_are_told_apart() -> None:
    """Each by its own count."""
    made = notes(10, twice={4})
    made.arrivals.append((9, 500 * MS, False))
    made.arrivals.insert(3, made.arrivals.pop(1))
    found = seen(made, Span(0, 200 * MS))
    assert (found.doubled, found.altered, found.overtaken) == (2, 1, 1)


def test_several_directions_are_read_as_one() -> None:
    """For the words of a receipt."""
    one = seen(notes(50, lost={1}), Span(0, 10**9))
    assert (together([one, one]).sent, together([one, one]).lost) == (100, 2)


def test_a_packet_is_known_by_its_number_though_a_bit_of_it_is_flipped() -> None:
    """It says it three times."""
    payload = bytearray(packet(1234))
    payload[2] ^= 1
    assert number_of(bytes(payload)) == 1234
    assert number_of(b"no canary") == -1


def test_a_share_is_believed_within_four_deviations_and_not_beyond() -> None:
    """5 % of 1000 packets is 50 ± 7."""
    effect, asked = EFFECTS["loss"], {"probability": 0.05}
    for lost, believed in ((50, True), (75, True), (79, False), (22, False), (0, False)):
        now = seen(notes(1000, lost=set(range(lost))), Span(0, 10**11))
        assert effect.on(asked, now, 0.0).seen is believed, lost


def test_a_share_that_is_still_there_is_not_off() -> None:
    """Less than a third of what was asked may be left."""
    effect, asked = EFFECTS["loss"], {"probability": 0.3}
    assert effect.off(asked, seen(notes(100, lost={1, 2}), Span(0, 10**10)), 0.0).seen
    assert not effect.off(asked, seen(notes(100, lost=set(range(20))), Span(0, 10**10)), 0.0).seen


def test_a_blackhole_lets_nothing_through_and_one_packet_refutes_it() -> None:
    """Either way."""
    effect = EFFECTS["blackhole"]
    assert effect.on({}, seen(notes(50, lost=set(range(50))), Span(0, 10**10)), 0.0).seen
    assert not effect.on({}, seen(notes(50, lost=set(range(49))), Span(0, 10**10)), 0.0).seen
    assert not effect.off({}, seen(notes(50, lost=set(range(50))), Span(0, 10**10)), 0.0).seen

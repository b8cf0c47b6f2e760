"""The samples as columns: rows are picked without copying what nobody asks for, and sorted by two columns at once."""

from __future__ import annotations

import random

import numpy
import pytest

from drills.measures.packets import Packets, in_order, order_of

SMALL, HUGE = 1, 2**40  # with the second, two columns do not fit into one number of 63 bits


def packets_of(count: int) -> Packets:
    """Sessions 0 to 4 in turn, inputs and frames."""
    rows = numpy.arange(count)
    columns = {"session": rows % 5, "direction": rows % 2, "sequence": rows, "sent_ns": rows * 10}
    return Packets(columns, 1, ())


def test_rows_are_picked_by_all_masks_one_after_another() -> None:
    """As plain columns would be."""
    packets = packets_of(100)
    picked = packets.where(packets.session == 2).where(packets.sequence[packets.session == 2] > 50)
    expected = [row for row in range(100) if row % 5 == 2 and row > 50]
    assert picked.sequence.tolist() == expected
    assert picked.sent_ns.tolist() == [10 * row for row in expected]
    assert len(picked) == len(expected)
    assert [*picked.columns] == [*packets.columns]


def test_a_mask_that_leaves_nothing_out_copies_nothing() -> None:
    """Most masks are such: hardly ever is a packet lost or skipped."""
    packets = packets_of(10)
    assert packets.where(packets.sent_ns >= 0) is packets


def test_a_column_that_is_not_there_is_said_to_be_missing() -> None:
    """Like any attribute."""
    packets = packets_of(10)
    with pytest.raises(AttributeError):
        _ = packets.where(packets.session == 1).nonsense


def test_each_flow_has_one_number() -> None:
    """Twice the session, plus the direction."""
    numbers, code = packets_of(20).flows()
    assert numbers.tolist() == list(range(10))
    assert numbers[code].tolist() == [2 * (row % 5) + row % 2 for row in range(20)]


def test_what_follows_from_packets_is_worked_out_once() -> None:
    """Six objectives in three windows ask for the same."""
    asked = []
    packets = packets_of(3)
    for _ in range(2):
        assert packets.remembered("answer", lambda: asked.append(1) or 42) == 42  # type: ignore[func-returns-value]
    assert asked == [1]


@pytest.mark.parametrize("scale", [SMALL, HUGE])
def test_two_columns_are_sorted_as_pairs_are(scale: int) -> None:
    """Whether or not both fit into one number."""
    chance = random.Random(1)
    pairs = [(chance.randrange(5) * scale, chance.randrange(-50, 50) * scale) for _ in range(200)]
    major, minor = (numpy.array(column, dtype=numpy.int64) for column in zip(*pairs, strict=True))
    order = order_of(major, minor)
    assert list(zip(major[order].tolist(), minor[order].tolist(), strict=True)) == sorted(pairs)
    assert list(zip(*(column.tolist() for column in in_order(major, minor)), strict=True)) == sorted(pairs)


def test_nothing_is_in_order() -> None:
    """A record without packets is one too."""
    nothing = numpy.zeros(0, dtype=numpy.int64)
    assert [len(column) for column in in_order(nothing, nothing)] == [0, 0]
    assert len(order_of(nothing, nothing)) == 0

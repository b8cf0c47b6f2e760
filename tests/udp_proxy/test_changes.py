"""What duplicate, corrupt and rebind decide, over fixed counts and seeds."""

from __future__ import annotations

import pytest

from drills.udp_proxy.toxics.changes import Corrupt, Duplicate, Rebind
from tests.udp_proxy.decisions import FEWER, SEEDS, as_asked, asked, fates


@pytest.mark.parametrize("seed", SEEDS)
def test_as_many_packets_come_again_as_asked_for(seed: int) -> None:
    """Within four standard deviations, each as often as configured."""
    copies = [fate.copies for fate in fates(Duplicate(0.02, copies=2), seed, FEWER) if fate.copies]
    assert as_asked(len(copies), FEWER, 0.02)
    assert {*copies} == {2}


@pytest.mark.parametrize("seed", SEEDS)
def test_as_many_packets_are_corrupted_as_asked_for(seed: int) -> None:
    """Within four standard deviations, as many different bits as configured, all inside the payload."""
    places = [fate.flipped for fate in fates(Corrupt(0.1, bits=3), seed, FEWER) if fate.flipped]
    assert as_asked(len(places), FEWER, 0.1)
    assert {len({*one}) for one in places} == {3}
    assert all(0 <= place < 1600 for one in places for place in one)
    assert len({place // 8 for one in places for place in one}) == 200  # every byte is hit some time


def test_a_payload_with_fewer_bits_than_are_to_be_flipped_loses_what_it_has() -> None:
    """One byte has eight, none has none."""
    assert [next(fates(Corrupt(1.0, bits=64), 0, 1, size)).flipped for size in (1, 0)] == [tuple(range(8)), ()]


def test_a_rebind_happens_once_in_a_flow_that_is_under_way() -> None:
    """At its next packet; a flow that begins now has a new port anyway."""
    under_way, fresh = asked(Rebind(), 0), asked(Rebind(), 0)
    assert [under_way(number, 200, 0).rebound for number in (17, 18, 19)] == [True, False, False]
    assert [fresh(number, 200, 0).rebound for number in (0, 1, 2)] == [False, False, False]


def test_a_rebind_may_come_again_and_again() -> None:
    """Before every so many packets."""
    assert [number for number, fate in enumerate(fates(Rebind(every=30), 0, 100)) if fate.rebound] == [30, 60, 90]

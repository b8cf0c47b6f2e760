"""What latency, reorder and bandwidth decide, over fixed counts and seeds."""

from __future__ import annotations

from statistics import median

import pytest

from drills.udp_proxy.toxics.delays import DISTRIBUTIONS, MS, Bandwidth, Latency, Reorder
from tests.udp_proxy.decisions import FEWER, SEEDS, as_asked, asked, fates

TWENTY = 20.0


def delays_ms(toxic: Latency, seed: int, packets: int = FEWER) -> list[float]:
    """In ms, of packets that arrive at once."""
    return [fate.delay_ns / MS for fate in fates(toxic, seed, packets)]


def test_latency_without_jitter_is_exact() -> None:
    """To the nanosecond."""
    assert {*delays_ms(Latency(12.5), 0, 100)} == {12.5}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("distribution", [*DISTRIBUTIONS])
def test_the_median_delay_is_the_latency(seed: int, distribution: str) -> None:
    """Within 1 ms at a jitter of 5 ms, whatever the distribution, where no packet waits for another."""
    assert abs(median(delays_ms(Latency(TWENTY, 5.0, distribution, "free"), seed)) - TWENTY) <= 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_each_distribution_is_as_wide_as_its_jitter_says(seed: int) -> None:
    """Uniform between both ends; 68 % of the normal within one deviation; the pareto's tail is one-sided and long."""
    uniform, normal, pareto = (delays_ms(Latency(TWENTY, 5.0, name, "free"), seed) for name in DISTRIBUTIONS)
    assert 15.0 <= min(uniform) < 15.1
    assert 24.9 < max(uniform) <= 25.0
    assert as_asked(sum(abs(one - TWENTY) < 5.0 for one in normal), FEWER, 0.6827)
    assert TWENTY - 1.51 < min(pareto) < TWENTY - 1.49  # jitter × (1 - 2^(1/3)) / sqrt(3/4)
    assert max(pareto) > TWENTY + 50.0
    assert as_asked(sum(one > TWENTY for one in pareto), FEWER, 0.5)


@pytest.mark.parametrize("distribution", [*DISTRIBUTIONS])
def test_no_packet_leaves_before_it_came(distribution: str) -> None:
    """Where the jitter is larger than the latency."""
    assert min(delays_ms(Latency(1.0, 50.0, distribution, "free"), 0, 5000)) >= 0.0


@pytest.mark.parametrize("order", ["kept", "free"])
def test_order_is_kept_where_it_was_asked_for(order: str) -> None:
    """A packet a millisecond under 10 ms of jitter; free, some overtake."""
    decide = asked(Latency(TWENTY, 10.0, order=order), 0)
    leaves = [number * MS + decide(number, 200, number * MS).delay_ns for number in range(5000)]
    assert (leaves == sorted(leaves)) is (order == "kept")


@pytest.mark.parametrize("seed", SEEDS)
def test_as_many_packets_are_held_back_as_asked_for(seed: int) -> None:
    """Within four standard deviations, each with the depth and the longest wait."""
    held = [fate for fate in fates(Reorder(0.05, depth=3, delay=40), seed, FEWER) if fate.delay_ns]
    assert as_asked(len(held), FEWER, 0.05)
    assert {(fate.overtaken_by, fate.delay_ns) for fate in held} == {(3, 40 * MS)}


def test_a_line_passes_packets_at_its_rate() -> None:
    """100 KB/s are 2 ms for 200 bytes; those that arrive together leave one after the other."""
    decide = asked(Bandwidth(rate=100, queue=10_000), 0)
    assert [decide(number, 200, 0).delay_ns / MS for number in range(4)] == [2.0, 4.0, 6.0, 8.0]
    assert decide(4, 200, 100 * MS).delay_ns / MS == 2.0


def test_a_full_queue_drops() -> None:
    """Three fit behind the one on the line; when it has moved on, one more."""
    decide = asked(Bandwidth(rate=100, queue=800), 0)
    assert [decide(number, 200, 0).dropped for number in range(6)] == [False] * 4 + [True] * 2
    assert [decide(number, 200, 2 * MS).dropped for number in (6, 7)] == [False, True]


def test_a_line_without_a_queue_takes_what_finds_it_free() -> None:
    """However large the packet is."""
    decide = asked(Bandwidth(rate=1, queue=0), 0)
    assert [decide(0, 1400, 0).dropped, decide(1, 1, 0).dropped] == [False, True]

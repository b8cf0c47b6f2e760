"""What loss, bursty_loss, blackhole and mtu decide, over fixed counts and seeds."""

from __future__ import annotations

import random
from itertools import pairwise
from math import sqrt

import pytest

from drills.udp_proxy.attributes import Refused
from drills.udp_proxy.draws import COPY_SHIFT
from drills.udp_proxy.toxics.losses import Blackhole, BurstyLoss, Loss, Mtu
from tests.udp_proxy.decisions import PACKETS, SEEDS, asked, fates, lost, runs

BURSTY = BurstyLoss(p=0.02, r=0.25)
LEAKY = BurstyLoss(p=0.01, r=0.1, loss_good=0.005, loss_bad=0.6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("probability", [0.01, 0.05])
def test_independent_loss_is_what_was_asked_for(seed: int, probability: float) -> None:
    """Within 0.3 points over 10^5 packets."""
    assert abs(sum(lost(Loss(probability), seed)) / PACKETS - probability) <= 0.003


@pytest.mark.parametrize("seed", SEEDS)
def test_independent_loss_is_independent(seed: int) -> None:
    """What follows a lost packet is lost as often as any, within four standard deviations."""
    flags = lost(Loss(0.05), seed)
    after = [later for earlier, later in pairwise(flags) if earlier]
    assert abs(sum(after) - 0.05 * len(after)) <= 4 * sqrt(len(after) * 0.05 * 0.95)


def test_no_loss_and_all_loss_leave_nothing_to_chance() -> None:
    """0 and 1 are exact."""
    assert not any(lost(Loss(0.0), 0, 1000))
    assert all(lost(Loss(1.0), 0, 1000))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("toxic", [BURSTY, LEAKY, BurstyLoss(p=0.9, r=0.9)])
def test_bursty_loss_is_that_of_the_model(seed: int, toxic: BurstyLoss) -> None:
    """Within four standard deviations of the chain's own, which is wider than that of independent losses."""
    bad = toxic.p / (toxic.p + toxic.r)
    mean = bad * toxic.loss_bad + (1 - bad) * toxic.loss_good
    memory = 1 - toxic.p - toxic.r
    together = 2 * (toxic.loss_bad - toxic.loss_good) ** 2 * bad * (1 - bad) * memory / (1 - memory)
    deviation = sqrt(PACKETS * (mean * (1 - mean) + together))
    assert abs(sum(lost(toxic, seed)) - PACKETS * mean) <= 4 * deviation


@pytest.mark.parametrize("seed", SEEDS)
def test_bursts_are_as_long_as_configured(seed: int) -> None:
    """1/r packets in the mean, a share of r of them one packet long; each within four standard deviations."""
    lengths, r = runs(lost(BURSTY, seed)), BURSTY.r
    assert len(lengths) > 1000
    assert abs(sum(lengths) / len(lengths) - 1 / r) <= 4 * sqrt((1 - r) / r**2 / len(lengths))
    assert abs(lengths.count(1) - r * len(lengths)) <= 4 * sqrt(len(lengths) * r * (1 - r))


@pytest.mark.parametrize("seed", SEEDS)
def test_bursts_are_the_same_whenever_the_toxic_was_put_on(seed: int) -> None:
    """And in whatever order packets reach it: the state at a packet depends on its number alone."""
    whole = lost(BURSTY, seed, 3000)
    late = asked(BURSTY, seed)
    assert [late(number, 200, 0).dropped for number in range(1000, 3000)] == whole[1000:]
    order = [*range(3000)]
    random.Random(seed).shuffle(order)
    mixed = asked(BURSTY, seed)
    assert {number: mixed(number, 200, 0).dropped for number in order} == dict(enumerate(whole))


def test_a_burst_may_be_met_by_the_first_packet() -> None:
    """The chain has run for ever: among many flows, as many begin in a burst as the model says."""
    first = sum(asked(BurstyLoss(p=0.1, r=0.1), 0, flow)(0, 200, 0).dropped for flow in range(2000))
    assert abs(first - 1000) <= 4 * sqrt(500)


def test_a_copy_meets_the_state_of_its_original() -> None:
    """And does not disturb what comes after it."""
    toxic = asked(BURSTY, 3)
    plain = lost(BURSTY, 3, 500)
    pairs = [(number, number + (1 << COPY_SHIFT)) for number in range(500)]
    found = [(toxic(first, 200, 0).dropped, toxic(second, 200, 0).dropped) for first, second in pairs]
    assert found == [(flag, flag) for flag in plain]


@pytest.mark.parametrize(("p", "r"), [(1.0, 1.0), (0.9995, 1.0)])
def test_states_that_would_not_last_are_refused(p: float, r: float) -> None:
    """Every packet would change the state; nothing would ever say which it is."""
    with pytest.raises(Refused, match="p \\+ r"):
        BurstyLoss(p=p, r=r)


def test_the_longest_bursts_that_may_be_asked_for_are_found_in_bounded_time() -> None:
    """p and r at their lower bounds: the state is searched for, packet by packet, and found."""
    toxic = BurstyLoss(p=1e-6, r=1e-3)
    assert sum(asked(toxic, seed)(50, 200, 0).dropped for seed in SEEDS) <= 1


def test_a_black_hole_lets_nothing_through() -> None:
    """Without exception."""
    assert all(lost(Blackhole(), 0, 100))


def test_what_fits_the_mtu_passes_and_one_byte_more_does_not() -> None:
    """20 bytes of IPv4 and 8 of UDP are part of it."""
    assert [next(fates(Mtu(1280), 0, 1, size)).dropped for size in (0, 1252, 1253, 65_507)] == [
        False, False, True, True,
    ]  # fmt: skip

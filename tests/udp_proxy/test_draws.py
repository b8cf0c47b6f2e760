"""Draws are a function of who asks and of the number, and of nothing else."""

from __future__ import annotations

from drills.udp_proxy.draws import DRAWS, Draws, threshold


def test_a_draw_does_not_depend_on_the_draws_before_it() -> None:
    """Forwards, backwards and by itself, also before the first packet."""
    numbers = range(-200, 200)
    forwards = Draws(7, "path", 3)
    backwards = Draws(7, "path", 3)
    in_order = [forwards.at(number) for number in numbers]
    assert in_order == [backwards.at(number) for number in reversed(numbers)][::-1]
    assert in_order[42] == Draws(7, "path", 3).at(numbers[42])
    assert len(set(in_order)) == len(in_order)


def test_draws_are_the_same_in_every_version() -> None:
    """A record of last year can be made again with its seed."""
    assert [Draws(0, "path", 0, "loss_upstream", "upstream").at(number) for number in (0, 1, 64)] == PINNED


PINNED = [14464349083538365099, 7836180445491237460, 1785941388988486746]


def test_everybody_has_draws_of_his_own() -> None:
    """Seed, proxy, toxic, direction and flow each make others; so does a lane."""
    asker = (0, "path", 0, "loss", "upstream")
    others = [(1, *asker[1:]), (0, "way", *asker[2:]), (0, "path", 1, *asker[3:]), (*asker[:3], "loss2", "upstream"),
              (*asker[:4], "downstream")]  # fmt: skip
    first = {Draws(*one).at(0) for one in (asker, *others)} | {Draws(*asker).lane("toxicity").at(0)}
    assert len(first) == len(others) + 2


def test_draws_are_spread_evenly() -> None:
    """A tenth of them lies in each tenth, within four standard deviations of 10^5."""
    draws, tenths = Draws(1, "path"), [0] * 10
    for number in range(100_000):
        tenths[draws.at(number) * 10 // DRAWS] += 1
    assert max(abs(count - 10_000) for count in tenths) < 4 * 95


def test_never_is_never_and_always_is_always() -> None:
    """At the ends of the scale no rounding decides."""
    assert threshold(0.0) == 0
    assert threshold(1.0) == DRAWS

"""Which relay the reference master hands out: the scores and shares of contract §2.8."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from drills.reference.master.quota import Quota
from drills.reference.master.selection import Candidate, choose, freshness, nearest, score, weights
from drills.reference.master.states import State


def candidate(relay_id: str = "a", state: State = State.ACTIVE, load_pct: float = 0, **said: Any) -> Candidate:
    """A candidate without feedback in Wavry's sense, success rate 0, as the contract's numbers assume."""
    return replace(Candidate(relay_id, "", state, load_pct, success_rate=0.0), **said)


def shares(candidates: Sequence[Candidate]) -> list[float]:
    """The probability of each."""
    each = weights(candidates)
    return [weight / sum(each) for weight in each]


@pytest.mark.parametrize(
    ("one", "worth"),
    [
        (candidate(), 65.0),
        (candidate(load_pct=50), 63.25),
        (candidate(state=State.PROBATION, load_pct=85), 40.316),
        (candidate(state=State.DEGRADED, load_pct=95), 24.67),
        (candidate(state=State.NEW), 16.25),
        (candidate(success_rate=1.0), 90.0),
    ],
)
def test_scores_are_those_of_the_contract(one: Candidate, worth: float) -> None:
    """The numbers for predictions of §2.8, which rounds two of them; D-29 makes 90 the start."""
    assert score(one) == pytest.approx(worth, abs=0.01)


@pytest.mark.parametrize(
    ("age_s", "factor"),
    [(0, 1.0), (30.9, 1.0), (31, 0.9), (90, 0.9), (91, 0.65), (180, 0.65), (181, 0.4), (300, 0.4), (301, 0.2)],
)
def test_freshness_counts_whole_seconds(age_s: float, factor: float) -> None:
    """The bands of §2.8, and their edges."""
    assert freshness(age_s) == factor


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ([candidate("a"), candidate("b", age_s=30)], [0.50, 0.50]),
        ([candidate("a"), candidate("b", age_s=60)], [0.62, 0.38]),
        ([candidate("a"), candidate("b", age_s=120)], [0.77, 0.23]),
        ([candidate("a"), candidate("b"), candidate("c", age_s=60)], [0.38, 0.38, 0.23]),
        ([candidate("a"), candidate("b", State.NEW)], [0.85, 0.15]),
        ([candidate("a"), candidate("b", State.DEGRADED, 95)], [0.83, 0.17]),
        ([candidate("a"), candidate("b", State.PROBATION, 85)], [0.74, 0.26]),
    ],
)
def test_shares_are_those_of_the_contract(pool: list[Candidate], expected: list[float]) -> None:
    """The table of §2.8, to the percent."""
    assert shares(pool) == pytest.approx(expected, abs=0.01)


def test_the_draw_follows_the_weights() -> None:
    """2000 draws give an idle relay and one on Probation 74 to 26."""
    pool, random = [candidate("a"), candidate("b", State.PROBATION, 85)], Random(1)
    drawn = Counter(chosen.relay_id for _ in range(2000) if (chosen := choose(pool, None, random)))
    assert drawn["b"] / 2000 == pytest.approx(0.26, abs=0.04)


def test_no_candidate_no_choice() -> None:
    """With and without a region."""
    assert choose([], None, Random(1)) is None
    assert choose([], "eu-west", Random(1)) is None


def test_a_region_takes_the_nearest_ten() -> None:
    """The same region first, then the same continent, then the rest; no region counts as far away."""
    regions = ["us-east", None, "eu-north", "eu-west", *(["ap-south"] * 9)]
    pool = [candidate(f"r{number}", region=region) for number, region in enumerate(regions)]
    taken = nearest(pool, "eu-west")
    assert [one.relay_id for one in taken[:2]] == ["r3", "r2"]
    assert len(taken) == 10


def test_at_most_two_relays_of_one_known_asn_are_considered_in_a_region() -> None:
    """Five of AS 64500 and one of AS 64501 leave three."""
    pool = [candidate(f"r{number}", asn=64500) for number in range(5)] + [candidate("other", asn=64501)]
    assert [one.relay_id for one in nearest(pool, "eu-west")] == ["r0", "r1", "other"]


def test_relays_without_an_asn_are_not_taken_for_one_network() -> None:
    """All six get leases when a region is given (D-30)."""
    pool, random = [candidate(f"r{number}") for number in range(6)], Random(1)
    drawn = {chosen.relay_id for _ in range(200) if (chosen := choose(pool, "eu-west", random))}
    assert len(drawn) == 6


def test_an_eleventh_equally_near_relay_is_not_left_out_for_ever() -> None:
    """Ten are considered, but not always the same ten."""
    pool, random = [candidate(f"r{number}") for number in range(12)], Random(1)
    drawn = {chosen.relay_id for _ in range(500) if (chosen := choose(pool, "eu-west", random))}
    assert len(drawn) == 12


def test_without_a_region_no_asn_is_limited() -> None:
    """The cut is skipped entirely (§2.8)."""
    pool, random = [candidate(f"r{number}", asn=64500) for number in range(6)], Random(1)
    drawn = {chosen.relay_id for _ in range(200) if (chosen := choose(pool, None, random))}
    assert len(drawn) == 6


def test_a_name_has_ten_leases_in_any_sixty_seconds() -> None:
    """The window slides: what was spent first comes back first."""
    quota = Quota()
    for second in range(10):
        assert quota.left("user_a", second) == 10 - second
        quota.spend("user_a", second)
    assert (quota.left("user_a", 59.9), quota.left("user_a", 60), quota.left("user_a", 61)) == (0, 1, 2)
    assert quota.left("user_b", 10) == 10


def test_quotas_of_silent_names_are_forgotten() -> None:
    """The map holds only names with a lease in the window."""
    quota = Quota()
    quota.spend("user_a", 0)
    quota.spend("user_b", 30)
    quota.forget(70)
    assert len(quota) == 1

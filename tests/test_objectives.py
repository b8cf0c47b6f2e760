"""Every claim has a record in which it holds, one in which it is broken, and one that says too little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from drills.objectives import ALWAYS, CLAIMS, DoubtKind, Shape
from drills.scenario.durations import Duration
from drills.verdict import Outcome, judge
from tests.record_builder import A, RecordBuilder, promise, scenario_of, sound, tiers_of

Make = Callable[[], RecordBuilder]


def drain(**story: object) -> Make:
    """A sound record with the story of relay_drain, told in this way."""
    return lambda: sound(10).drained(**story)  # type: ignore[arg-type]


def setups(failed: int, count: int = 200) -> Make:
    def make() -> RecordBuilder:
        builder = sound(0)
        for number in range(count):
            builder.setup(11.0 + number / 20, number + 1, ok=number >= failed)
        return builder

    return make


def some_quiet(quiet: int, count: int = 200, seconds: float = 0.6) -> Make:
    """Sessions of which some hear nothing for a while, everything coming late in a burst."""

    def make() -> RecordBuilder:
        builder = sound(0)
        for number in range(1, count + 1):
            from_s = 10.1 + 18.0 * number / count
            silence = (from_s + 0.2, from_s + 0.2 + seconds) if number <= quiet else None
            builder.session(number, from_s, from_s + 1.5, quiet=silence)
        return builder

    return make


def bound(lost: int, count: int = 200) -> Make:
    """Ends that bind before the fault; some lose their sockets in it, half of those for too long, the others' token."""

    def make() -> RecordBuilder:
        builder = sound(0)
        for number in range(count):
            builder.bound(5.0 + number / 100, f"v{number}h")
            if number < lost:
                builder.signal_lost(12.0, f"v{number}h", again_s=18.0 if number % 2 else 13.0, logged_in=not number % 2)
        return builder

    return make


def tokens(refused: int, count: int = 200) -> Make:
    def make() -> RecordBuilder:
        builder = sound(0)
        for number in range(count):
            builder.bound(11.0 + number / 20, f"v{number}c", until_s=11.5 + number / 20, logged_in=number < refused)
        return builder

    return make


@dataclass(frozen=True)
class Case:
    """One claim with the limit it is held to and the three records."""

    limit: float | Duration
    samples_min: int
    held: Make
    broken: Make
    too_little: Make


CASES = {
    "session_setup_success_ratio": Case(0.98, 150, setups(2), setups(20), setups(0, 149)),
    "setup_outage_s": Case(Duration(5.0), 20, setups(40), setups(150), setups(0, 10)),
    "handshake_failure_ratio": Case(
        0.02, 200, lambda: sound(0).handshakes(15.0, 400, 4), lambda: sound(0).handshakes(15.0, 400, 40),
        lambda: sound(0).handshakes(15.0, 199, 0),
    ),
    "session_drop_ratio": Case(
        0.02, 150, lambda: sound(200), some_quiet(20, seconds=1.1), lambda: sound(149),
    ),
    "packets_lost_ratio": Case(
        0.005, 5000, lambda: sound(200, lost_every=500), lambda: sound(200, lost_every=20), lambda: sound(20),
    ),
    "silence_ms_p99": Case(250.0, 150, lambda: sound(200), some_quiet(20), lambda: sound(149)),
    "media_continuity_ratio": Case(0.98, 150, some_quiet(2), some_quiet(20), lambda: sound(149)),
    "signaling_continuity_ratio": Case(0.98, 150, bound(2), bound(20), bound(0, 149)),
    "auth_continuity_ratio": Case(0.98, 150, tokens(2), tokens(20), tokens(0, 149)),
    "input_to_present_ms_p95": Case(
        70.0, 2000, lambda: sound(200), lambda: sound(200, delay_s=0.08), lambda: sound(20),
    ),
    "input_to_present_ms_p99": Case(
        85.0, 2000, lambda: sound(200), lambda: sound(200, delay_s=0.08), lambda: sound(20),
    ),
    "no_lease_lands_on_a_draining_relay": Case(
        0.0, 40, drain(), drain(lease=lambda at_s: A if at_s > 18 else "relay-b"), lambda: sound(10),
    ),
    "drain_holds": Case(
        6.0, 20, drain(), drain(state=lambda at_s: "Draining" if at_s < 11.4 else "Active"),
        drain(looks=lambda at_s: at_s < 11.0),
    ),
    "reregistration_seen": Case(
        1.0, 1, drain(), drain(registered_s=None, said=False), drain(registered_s=None, said=False, waited=False),
    ),
    "drain_survives_reregistration": Case(
        0.0, 5, drain(), drain(state=lambda at_s: "Draining" if at_s < 17.8 else "Active"),
        drain(looks=lambda at_s: at_s < 17.8),
    ),
    "relay_back_s": Case(Duration(4.0), 1, drain(), drain(back_s=25.0), drain(back_s=None)),
}  # fmt: skip


def outcome(claim: str, make: Make) -> Outcome:
    """What the whole verdict says of one claim over one record."""
    case = CASES[claim]
    builder = make()
    scenario = scenario_of(promise(claim, case.limit, case.samples_min))
    verdict = judge(builder.over().record(), scenario, tiers_of())
    assert verdict.doubts == ()
    return verdict.judgements[0].verdict


def test_every_claim_has_its_three_records() -> None:
    """A claim added to the table without its three records fails here."""
    assert set(CASES) == set(CLAIMS)


@pytest.mark.parametrize("claim", CASES)
def test_a_claim_says_yes_of_a_sound_system(claim: str) -> None:
    """What keeps the promise is held."""
    assert outcome(claim, CASES[claim].held) is Outcome.HELD


@pytest.mark.parametrize("claim", CASES)
def test_a_claim_says_no_of_a_broken_system(claim: str) -> None:
    """What plainly breaks the promise is broken."""
    assert outcome(claim, CASES[claim].broken) is Outcome.BROKEN


@pytest.mark.parametrize("claim", CASES)
def test_a_claim_says_inconclusive_of_too_little_evidence(claim: str) -> None:
    """Too few samples, or none, are never held."""
    assert outcome(claim, CASES[claim].too_little) is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_without_any_evidence_is_inconclusive(claim: str) -> None:
    """An empty record holds nothing and breaks nothing."""
    assert outcome(claim, lambda: sound(0)) is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=str)
def test_every_claim_names_a_measure_that_exists(claim: object) -> None:
    """The lazily found measure is a function of the package, and a percentile has its quantile."""
    assert callable(claim.measure)  # type: ignore[attr-defined]
    assert (claim.quantile is not None) == (claim.shape is Shape.QUANTILE_MAX)  # type: ignore[attr-defined]


def test_no_claim_about_a_drain_is_excused_by_our_generator() -> None:
    """A lease that names a draining relay stays broken under a late generator (design §4)."""
    drains = [claim for claim in CLAIMS.values() if claim.measure_name.startswith("drain:")]
    assert drains
    assert not any(DoubtKind.GENERATOR in claim.doubts | ALWAYS for claim in drains)

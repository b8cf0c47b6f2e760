"""Every claim has a record in which it holds, one in which it is broken, and one that says too little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from drills.objectives import ALWAYS, CLAIMS, DoubtKind, Shape
from drills.scenario.durations import Duration
from drills.verdict import Outcome, judge
from tests.gateway_record import half_open, restarted
from tests.record_builder import A, RecordBuilder, promise, scenario_of, sound, tiers_of

Make = Callable[[], RecordBuilder]


def drain(**story: object) -> Make:
    """A sound record with the story of relay_drain, told in this way."""
    return lambda: sound(10).drained(**story)  # type: ignore[arg-type]


def restart(**story: object) -> Make:
    """A sound record with the story of gateway_restart, told in this way."""
    return lambda: restarted(sound(10), **story)  # type: ignore[arg-type]


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
    "gateway_back_s": Case(Duration(12.0), 1, restart(), restart(back_s=27.5), restart(back_s=None)),
    "old_token_binds": Case(0.0, 4, restart(), restart(after={"bind": "refused"}), restart(looked=False)),
    "revoked_token_refused": Case(0.0, 1, restart(), restart(after={"revoked": "bound"}), restart(looked=False)),
    "lockout_kept": Case(
        0.0, 2, restart(), restart(after={"lock": "in"}), restart(before={"locked": "refused"}),
    ),
    "known_account_logs_in": Case(0.0, 4, restart(), restart(after={"login": "refused"}), restart(looked=False)),
    "signals_flow_both_ways": Case(
        0.0, 8, restart(), restart(after={"lost": ("answer",)}), restart(after={"bind": "refused"}),
    ),
    "rebind_storm_s": Case(Duration(5.0), 48, restart(), restart(last_s=22.0), restart(ends=40)),
    "relogins": Case(0.0, 48, restart(), restart(refused=1), restart(ends=40)),
    "newer_socket_reachable": Case(
        0.0, 5, lambda: half_open(sound(0)), lambda: half_open(sound(0), lost=5), lambda: half_open(sound(0), rounds=4),
    ),
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

"""Every claim has a record in which it holds, one in which it is broken, and one that says too little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from drills.objectives import ALWAYS, CLAIMS, DoubtKind, Shape
from drills.scenario.durations import Duration
from drills.verdict import Outcome, judge
from tests.backup_records import GRANTED, NO_ANSWER, ROWS, in_trouble, refused, restored
from tests.gateway_record import half_open, restarted
from tests.record_builder import A, B, RecordBuilder, ns, promise, scenario_of, sound, tiers_of

Make = Callable[[], RecordBuilder]


def drain(**story: object) -> Make:
    """A sound record with the story of relay_drain, told in this way."""
    return lambda: sound(10).drained(**story)  # type: ignore[arg-type]


def restart(**story: object) -> Make:
    """A sound record with the story of master_restart, told in this way."""
    return lambda: sound(10).restarted(**story)  # type: ignore[arg-type]


def again(**story: object) -> Make:
    """A sound record with the story of gateway_restart, told in this way."""
    return lambda: restarted(sound(10), **story)  # type: ignore[arg-type]


def drained_restart(after: str | None) -> Make:
    """A drain during which the master is restarted at 12 s; how the relay is listed from 13 s on."""

    def make() -> RecordBuilder:
        def state(at_s: float) -> str | None:
            return "Draining" if at_s < 12.0 else None if at_s < 13.0 else after

        return sound(10).drained(state=state).fault("restart", "master", 12.0, 12.25, mending_ns=ns(12.2))

    return make


def unreachable(noticed_s: dict[str, float | None]) -> Make:
    """A master that stands still, noticed by each relay at these times."""
    return lambda: sound(10).unreachable(noticed_s)


def rollback(**story: object) -> Make:
    """A sound record with the story of rollback, told in this way."""
    return lambda: sound(0).rolled_back(**story)  # type: ignore[arg-type]


def lost_relay(**story: object) -> Make:
    """A sound record with the story of relay_loss, told in this way."""
    return lambda: sound(10).relay_lost(**story)  # type: ignore[arg-type]
    """A sound record with the story of gateway_restart, told in this way."""
    return lambda: restarted(sound(10), **story)  # type: ignore[arg-type]


def on_path(direct: int, of: int = 200) -> Make:
    """Set-ups of which so many came up by the direct path."""

    def make() -> RecordBuilder:
        builder = sound(0)
        for number in range(of):
            builder.setup(11.0 + number / 20, number + 1, path="direct" if number < direct else "relay")
        return builder

    return make


def fell_back(took_s: float, sessions: int = 12) -> Make:
    """The direct path closes at 12 s; these sessions are served by a relay so much later."""

    def make() -> RecordBuilder:
        builder = sound(10).fault("direct_blocked", "direct", 12.0, 18.0)
        for session in range(sessions):
            builder.event(12.0 + took_s, "path.fell_back", session=session, heard_ns=ns(11.99), began_ns=ns(12.5),
                          served_ns=ns(12.0 + took_s), ok=True, reason="")  # fmt: skip
        return builder

    return make


def relay_looks(unready: tuple[float, ...] = (), from_s: float = 10.0) -> Make:
    """Two relays, each looked at twice a second; relay_a is not ready at these moments."""

    def make() -> RecordBuilder:
        builder = sound(10)
        for half in range(int(2 * from_s), 40):
            for name in ("relay_a", "relay_b"):
                ready = name == "relay_b" or half / 2 not in unready
                builder.relay_look(half / 2, name, ready=ready)
        for name in ("relay_a", "relay_b"):
            builder.event(5.0, "relay.known", service=name, relay_id=name)
        return builder

    return make


def partitions(ready_s: tuple[float, ...]) -> Make:
    """relay_a is cut off from 12 to 13 s and from 15 to 16 s, and ready again at these times."""

    def make() -> RecordBuilder:
        builder = sound(10).fault("down", "relay_a_to_master", 12.0, 13.0, mending_ns=ns(13.0))
        builder.fault("black_hole", "relay_a_to_master", 15.0, 16.0, mending_ns=ns(16.0))
        for tenth in range(110, 200 if len(ready_s) > 1 else 150):
            at_s = tenth / 10
            away = any(from_s <= at_s < to_s for from_s, to_s in zip((12.0, 15.0), ready_s, strict=False))
            builder.relay_look(at_s, "relay_a", ready=not away)
        return builder

    return make


def sockets(orphans: int, held: int = 30) -> Make:
    """A gateway that holds so many sockets, of which some have lost their other end."""
    fields = {"service": "gateway", "held": held, "orphans": orphans, "waited_s": 5.0, "first": []}
    return lambda: sound(10).event(15.0, "sockets.held", **fields)


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


def moved(sessions: int) -> Make:
    """Sessions of which some set out for another lease that nobody had told them to take."""

    def make() -> RecordBuilder:
        builder = sound(200)
        for number in range(1, sessions + 1):
            builder.event(15.0, "session.released", session=number, cause="reject", began_ns=ns(15.0), ok=True)
        return builder

    return make


def nat(back_after_s: float, sessions: int = 40) -> Make:
    """A NAT that forgets everybody at 15 s; they are heard again after so long."""

    def make() -> RecordBuilder:
        builder = sound(0).fault("udp_rebind", "clients", 15.0, 15.3)
        for number in range(1, sessions + 1):
            builder.rebound(number, 15.02, 15.02 + back_after_s)
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
    "candidate_not_worse": Case(0.0, 150, rollback(), rollback(slow_logins=200), rollback(visits=100)),
    "rollback_s": Case(Duration(10.0), 1, rollback(), rollback(judged_s=15.0), rollback(looked_s=None)),
    "releases_verified": Case(0.0, 4, rollback(), rollback(runs={"relay_b": "other"}), rollback(looked_s=None)),
    "rollback_needs_no_restore": Case(0.0, 2, rollback(), rollback(restored=True), rollback(mended=False)),
    "accounts_survive": Case(
        0.0, 2, rollback(), rollback(logged_in={"before": "ok", "during": "refused"}),
        rollback(logged_in={"before": "ok", "during": "unanswered"}),
    ),
    "back_in_band_ms_p95": Case(250.0, 100, rollback(), rollback(after_ms=900.0), rollback(after=99)),
    "dead_relay_named_s": Case(
        Duration(0.0, 4.0), 40, lost_relay(), lost_relay(named_s=5.0), lost_relay(asked_until_s=14.0),
    ),
    "loss_recovered_s": Case(
        Duration(9.0, 3.0), 4, lost_relay(), lost_relay(served_after_s=12.0), lost_relay(sessions=3),
    ),
    "sessions_lost_with_relay": Case(
        0.0, 4, lost_relay(), lost_relay(heard=False), lost_relay(sessions=3),
    ),
    "bystanders_silence_ms_p99": Case(
        250.0, 60, lambda: sound(200).relay_lost(), lambda: some_quiet(20)().relay_lost(),
        lambda: sound(50).relay_lost(),
    ),
    "relay_back_s": Case(Duration(4.0), 1, drain(), drain(back_s=25.0), drain(back_s=None)),
    "master_back_s": Case(Duration(4.0), 1, restart(), restart(back_s=17.0), restart(back_s=None, waited=False)),
    "relays_back_s": Case(
        Duration(6.0), 2, restart(), restart(relays_s={A: 12.8, B: 99.0}),
        restart(relays_s={A: 12.8, B: 99.0}, waited=False),
    ),
    "ready_is_truthful": Case(
        0.0, 20, restart(), restart(lies=lambda at_s, truth: True), restart(looks=lambda at_s: at_s < 13.0),
    ),
    "key_identity_unchanged": Case(
        0.0, 20, restart(), restart(key="k2"), restart(looks=lambda at_s: at_s > 12.0),
    ),
    "fresh_lease_accepted_s": Case(
        Duration(4.0), 1, restart(), restart(outcome="server end: reject invalid_signature"),
        restart(accepted_s=None, waited=False),
    ),
    "ready_relays_accept_leases": Case(
        0.0, 1, restart(), restart(outcome="server end: reject invalid_signature"),
        restart(accepted_s=None),
    ),
    "drain_survives_master_restart": Case(
        0.0, 20, drained_restart("Draining"), drained_restart("Active"), drained_restart(None),
    ),
    "master_loss_noticed_s": Case(
        Duration(2.5), 2, unreachable({"relay_a": 13.0, "relay_b": 14.0}),
        unreachable({"relay_a": 13.0, "relay_b": None}), unreachable({"relay_a": 13.0}),
    ),
    "direct_path_ratio": Case(0.98, 150, on_path(200), on_path(100), on_path(100, of=100)),
    "fell_back_s": Case(Duration(2.0), 10, fell_back(1.0), fell_back(3.0), fell_back(1.0, sessions=3)),
    "relays_stay_ready": Case(0.0, 20, relay_looks(), relay_looks(unready=(14.0, 14.5)), relay_looks(from_s=19.0)),
    "partition_healed_s": Case(
        Duration(2.0), 2, partitions(ready_s=(13.5, 16.5)), partitions(ready_s=(13.5, 19.0)),
        partitions(ready_s=(13.5,)),
    ),
    "sockets_let_go": Case(0.0, 20, sockets(0), sockets(3), sockets(0, held=3)),
    "restore_s": Case(
        Duration(10.0), 1, restored, lambda: restored(login_s=28.0), lambda: restored(login=None),
    ),
    "data_loss_s": Case(
        Duration(10.0), 50, restored, lambda: restored(lost=["r03h"]), lambda: restored(looked=False),
    ),
    "backup_age_s": Case(
        Duration(3600.0), 1, restored, lambda: restored(age_s=90_000.0), lambda: sound(0),
    ),
    "restored_rows_match": Case(
        0.0, 5, restored, lambda: restored(rows={**ROWS, "login_failures": 0}), lambda: restored(looked=False),
    ),
    "restored_login_works": Case(
        1.0, 1, restored, lambda: restored(login=refused()), lambda: restored(login=NO_ANSWER),
    ),
    "restored_write_works": Case(
        1.0, 1, restored, lambda: restored(write=refused("500 Database error")), lambda: restored(write=None),
    ),
    "old_tokens_refused_after_restore": Case(
        0.0, 3, restored, lambda: restored(tokens=[refused(), GRANTED]), lambda: restored(tokens=[refused()]),
    ),
    "totp_login_works_after_restore": Case(
        1.0, 1, restored, lambda: restored(code=refused("500 unavailable")), lambda: restored(code=NO_ANSWER),
    ),
    "totp_fails_without_its_key": Case(
        1.0, 1, restored, lambda: restored(without_key=GRANTED), lambda: restored(without_key=NO_ANSWER),
    ),
    "storage_fault_seen_s": Case(
        Duration(3.0), 3, in_trouble, lambda: in_trouble(health_s=None), lambda: in_trouble(looks=False),
    ),
    "health_tells_of_storage": Case(
        0.0, 3, in_trouble, lambda: in_trouble(health_s=None), lambda: in_trouble(to_s=14.2),
    ),
    "gateway_back_s": Case(Duration(12.0), 1, again(), again(back_s=27.5), again(back_s=None)),
    "old_token_binds": Case(0.0, 4, again(), again(after={"bind": "refused"}), again(looked=False)),
    "revoked_token_refused": Case(0.0, 1, again(), again(after={"revoked": "bound"}), again(looked=False)),
    "lockout_kept": Case(
        0.0, 2, again(), again(after={"lock": "in"}), again(before={"locked": "refused"}),
    ),
    "known_account_logs_in": Case(0.0, 4, again(), again(after={"login": "refused"}), again(looked=False)),
    "signals_flow_both_ways": Case(
        0.0, 8, again(), again(after={"lost": ("answer",)}), again(after={"bind": "refused"}),
    ),
    "rebind_storm_s": Case(Duration(5.0), 48, again(), again(last_s=22.0), again(ends=40)),
    "relogins": Case(0.0, 48, again(), again(refused=1), again(ends=40)),
    "frames_lost_ratio": Case(
        0.005, 600, lambda: sound(200), lambda: sound(200, lost_every=40), lambda: sound(1),
    ),
    "frames_silence_ms_p99": Case(250.0, 150, lambda: sound(200), some_quiet(20), lambda: sound(149)),
    "packets_repeated": Case(0.0, 600, lambda: sound(200), lambda: sound(200).twice(1), lambda: sound(1)),
    "leases_kept": Case(0.0, 150, lambda: sound(200), moved(3), lambda: sound(149)),
    "rebound_s": Case(Duration(4.0), 20, nat(2.1), nat(6.0), nat(2.1, sessions=19)),
    "newer_socket_reachable": Case(
        0.0, 5, lambda: half_open(sound(0)), lambda: half_open(sound(0), lost=5), lambda: half_open(sound(0), rounds=4),
    ),
}  # fmt: skip


def outcome(claim: str, make: Make) -> Outcome:
    """What the whole verdict says of one claim over one record."""
    case = CASES[claim]
    builder = make()
    scenario = scenario_of(promise(claim, case.limit, case.samples_min, windows=CLAIMS[claim].windows[:1] if
                           "fault" not in CLAIMS[claim].windows else ("fault",)))  # fmt: skip
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

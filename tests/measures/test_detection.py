"""How soon a fault was noticed, by whom, and when a fault that hurt users was noticed by nobody."""

from __future__ import annotations

from typing import Any

import pytest

from drills.measures.detection import Detection, detections
from drills.measures.signs import seen
from drills.verdict import judge
from tests.record_builder import A, B, RecordBuilder, ns, promise, scenario_of, sound, tiers_of

Relay = dict[str, Any]


def watched(builder: RecordBuilder, **unlike: Any) -> RecordBuilder:
    """What the watchers see twice a second for 40 s; ``unlike`` names who shows something else from and until when.

    Each is (from, until, fields), or (from, until, reason) for a page that is not to be had.
    """
    for tick in range(1, 80):
        at_s = tick / 2 + 0.01
        look(builder, at_s, "gateway.health", "gateway.unreachable", unlike.get("gateway"),
             {"auth": {"auth_failures": tick // 20, "login_success": tick}})  # fmt: skip
        for service, relay_id in (("relay_a", A), ("relay_b", B)):
            fields = {"service": service, "relay_id": relay_id, "ready": True, "registered_with_master": True,
                      "counters": {"packets_rx": tick * 100, "unknown_peer_packets": 0}}  # fmt: skip
            look(builder, at_s, "relay.health", "relay.unreachable", unlike.get(service), fields)
        relays = [{"relay_id": one, "state": "Active", "age_ms": 100} for one in (A, B)]
        look(builder, at_s, "relays.seen", "master.unreachable", unlike.get("listed"), {"relays": relays})
        page = {"status": "ok", "ready": True, "relays_assignable": 2, "uptime_s": tick / 2}
        look(builder, at_s, "master.seen", "master.silent", unlike.get("master"), page)
    return builder


def look(builder: RecordBuilder, at_s: float, name: str, absent: str, unlike: Any, fields: dict[str, Any]) -> None:
    """One look at one page."""
    from_s, until_s, what = unlike or (99.0, 99.0, {})
    if not from_s <= at_s < until_s:
        what = {}
    if isinstance(what, str):
        builder.event(at_s, absent, reason=what, **({"service": fields["service"]} if "service" in fields else {}))
    else:
        builder.event(at_s, name, **{**fields, **what})


def one_of(builder: RecordBuilder) -> Detection:
    """The only fault's row."""
    (found,) = detections(builder.over().record())
    return found


def paused(**unlike: Any) -> RecordBuilder:
    """The master stands still from 12 to 22 s."""
    return watched(sound(0), **unlike).fault("pause", "master", 12.0, 22.0)


def hurt(builder: RecordBuilder) -> RecordBuilder:
    """Nobody gets a session while the fault lasts."""
    for number in range(20):
        builder.setup(13.0 + number / 5, 100 + number, ok=False)
    return builder


def test_in_calm_there_are_no_signs() -> None:
    """Nothing differs from itself."""
    assert seen(watched(sound(0)).over().record()).signs == ()


@pytest.mark.parametrize(("unlike", "kind", "where", "says"), [
    ({"relay_a": (15.0, 25.0, {"ready": False})}, "ready", "relay_a", "not ready"),
    ({"relay_a": (15.0, 25.0, {"registered_with_master": False})}, "ready", "relay_a", "not registered"),
    ({"master": (15.0, 25.0, {"ready": False})}, "ready", "master", "not ready"),
    ({"master": (15.0, 25.0, {"relays_assignable": 1})}, "ready", "master", "1 relays assignable, 2 in calm"),
    ({"listed": (15.0, 25.0, {"relays": [{"relay_id": A, "state": "Active", "age_ms": 1},
                                         {"relay_id": B, "state": "Quarantined", "age_ms": 1}]})},
     "state", "master", "relay_b is Quarantined"),
    ({"listed": (15.0, 25.0, {"relays": [{"relay_id": A, "state": "Active", "age_ms": 1600},
                                         {"relay_id": B, "state": "Active", "age_ms": 1400}]})},
     "state", "master", "relay_a was last heard 1.6 s ago"),
    ({"listed": (15.0, 25.0, {"relays": []})}, "state", "master", "relay_a is not listed"),
    ({"gateway": (15.0, 25.0, "GET /health: Connection refused")}, "unreachable", "gateway", "Connection refused"),
    ({"relay_b": (15.0, 25.0, {"counters": {"packets_rx": 10**6, "unknown_peer_packets": 7}})},
     "counter", "relay_b", "grew by 7"),
    ({"gateway": (15.0, 25.0, {"auth": {"auth_failures": 41, "login_success": 10**6}})},
     "counter", "gateway", "auth_failures grew by 40"),
])  # fmt: skip
def test_a_sign_is_seen_where_it_is_shown(unlike: dict[str, Any], kind: str, where: str, says: str) -> None:
    """From the first look that shows it, three seconds after the fault began."""
    found = one_of(paused(**unlike))
    assert (found.kind, found.where) == (kind, where)
    assert says in found.says
    assert found.after_s == pytest.approx(3.0, abs=0.02)
    assert not found.silent


def test_the_first_sign_of_every_other_kind_is_told_too() -> None:
    """The black-holed master of D-24: its list knows long before the relays say so themselves."""
    stale = [{"relay_id": one, "state": "Active", "age_ms": 9000} for one in (A, B)]
    found = one_of(
        paused(listed=(14.0, 22.0, {"relays": stale}), relay_a=(19.0, 22.0, {"registered_with_master": False}))
    )
    assert (found.kind, found.after_s) == ("state", pytest.approx(2.0, abs=0.02))
    assert [(one.kind, one.where) for one in found.others] == [("ready", "relay_a")]
    assert found.others[0].after_s == pytest.approx(7.0, abs=0.02)


def test_signs_are_gone_when_the_last_look_no_longer_shows_them() -> None:
    """Three seconds after the fault's end."""
    assert one_of(paused(relay_a=(15.0, 25.0, {"ready": False}))).gone_after_s == pytest.approx(3.0, abs=0.02)


def test_a_sign_that_stays_is_named() -> None:
    """There is no time to tell."""
    found = one_of(paused(relay_a=(15.0, 99.0, {"ready": False})))
    assert found.gone_after_s is None
    assert found.remaining == "relay_a: not ready, still 18.0 s after its end"


def test_what_is_so_in_calm_too_is_no_sign() -> None:
    """A relay that was never ready tells nobody of a fault; a page that cannot be had does."""
    assert one_of(hurt(paused(relay_a=(0.0, 99.0, {"ready": False})))).silent
    flapping = paused(relay_a=(4.0, 4.6, "Connection refused")).event(
        15.0, "relay.unreachable", service="relay_a", reason="refused")  # fmt: skip
    assert one_of(flapping).kind == "unreachable"


@pytest.mark.parametrize(("growth", "sign"), [(2, False), (3, True)])
def test_a_counter_must_grow_by_more_than_a_stray_or_two(growth: int, sign: bool) -> None:
    """One packet from nowhere is no alarm."""
    found = one_of(paused(relay_b=(15.0, 99.0, {"counters": {"packets_rx": 10**6, "unknown_peer_packets": growth}})))
    assert (found.after_s is not None) is sign


def test_a_log_line_unlike_any_in_calm_is_a_sign() -> None:
    """The same complaint as before is none, whatever numbers are in it; good news is none."""
    builder = paused()
    builder.event(5.0, "log", service="relay_a", line="2026-11-03T14:00:05.1Z  WARN wavry_relay: slow (12 ms)")
    builder.event(13.0, "log", service="relay_a", line="2026-11-03T14:00:13.1Z  WARN wavry_relay: slow (99 ms)")
    builder.event(
        13.5, "log", service="relay_a", line="2026-11-03T14:00:13.5Z  INFO wavry_relay: Registered successfully"
    )
    builder.event(14.0, "log", service="relay_a", line="2026-11-03T14:00:14.1Z  WARN wavry_relay: heartbeat failed")
    found = one_of(builder)
    assert (found.kind, found.says) == ("log", "WARN wavry_relay: heartbeat failed")
    assert found.after_s == pytest.approx(2.0, abs=0.02)


def test_users_hurt_and_no_sign_anywhere_is_silent() -> None:
    """The stopped master of D-24: every relay says that all is well."""
    found = one_of(hurt(paused()))
    assert found.silent
    assert found.hurt == "20 of 20 set-ups failed"
    assert found.after_s is None


def test_a_condition_is_no_fault_that_anybody_should_notice() -> None:
    """It is asked for and there all the time: whom a fault hurts meanwhile, that fault has hurt."""
    record = hurt(paused().fault("udp_network", "fibre", 1.0, 39.0)).over().record()
    assert [(one.fault, one.silent) for one in detections(record)] == [("pause", True)]


def test_who_is_left_waiting_outside_is_no_sign_but_is_told() -> None:
    """Nothing in the control plane says a word; a probe from outside would have known."""
    found = one_of(hurt(paused(master=(13.5, 22.0, "GET /health: no answer in time"))))
    assert found.silent
    assert found.outside_s == pytest.approx(1.5, abs=0.02)


def test_a_fault_that_nobody_notices_and_that_hurts_nobody_is_not_silent() -> None:
    """There was nothing to tell."""
    assert not one_of(paused()).silent


def test_two_failed_setups_are_no_harm_and_calms_own_share_is_none() -> None:
    """Beyond luck, and beyond what failed before."""
    few = paused().setup(13.0, 1, ok=False).setup(14.0, 2, ok=False)
    assert one_of(few).hurt == ""
    as_ever = paused()
    for number in range(40):
        for from_s in (1.0, 13.0):
            as_ever.setup(from_s + number / 10, number, ok=number % 4 > 0)
    assert one_of(as_ever).hurt == ""


@pytest.mark.parametrize(("gap", "hurts"), [(None, True), ((13.0, 14.2), False)])
def test_a_silence_of_our_own_making_hurts_nobody(gap: tuple[float, float] | None, hurts: bool) -> None:
    """While our generator stood still nothing is known."""
    builder = paused().session(1, 11.0, 25.0, quiet=(13.0, 14.2))
    if gap:
        builder.gap(*gap)
    assert bool(one_of(builder).hurt) is hurts


def test_what_the_machine_may_have_done_hurts_nobody() -> None:
    """Set-ups that failed while no CPU was left say nothing about the fault."""
    record = hurt(paused()).over().record()
    assert [one.hurt for one in detections(record, (), {"session_setup_success_ratio"})] == [""]
    assert [one.silent for one in detections(record, (), {"session_setup_success_ratio"})] == [False]


def test_where_nobody_looked_nothing_is_said() -> None:
    """A record of before there were such watchers, or whose watcher died."""
    found = one_of(hurt(sound(0).fault("pause", "master", 12.0, 22.0)))
    assert not found.silent
    assert "nobody looked at gateway" in found.unknown


def test_a_fault_that_did_not_land_was_not_to_be_noticed() -> None:
    """Whatever users met came of something else."""
    builder = hurt(watched(sound(0)).fault("pause", "master", 12.0, 22.0, landed=False))
    assert (one_of(builder).silent, one_of(builder).unknown) == (False, "it was not seen to land")


def test_a_sign_that_comes_when_the_fault_is_over_is_no_detection_of_it() -> None:
    """Stale ages that show for a moment when a master wakes up again."""
    found = one_of(hurt(paused(relay_a=(23.0, 25.0, {"ready": False}))))
    assert found.silent
    assert found.gone_after_s == pytest.approx(3.0, abs=0.02)


def test_a_restart_is_noticed_when_it_is_over_already() -> None:
    """It takes a moment; the page that shows it is looked at afterwards."""
    restarted = {"counters": {"packets_rx": 1, "unknown_peer_packets": 0}, "relay_id": "relay-a2"}
    relays = [{"relay_id": "relay-a2", "state": "Active", "age_ms": 1}, {"relay_id": B, "state": "Active", "age_ms": 1}]
    builder = watched(sound(0), relay_a=(12.2, 99.0, restarted), listed=(12.2, 99.0, {"relays": relays}))
    found = one_of(builder.fault("restart", "relay_a", 12.0, 12.1))
    assert (found.kind, found.says) == ("restart", "started anew")
    assert found.remaining == ""


def test_each_fault_has_its_own_signs() -> None:
    """What began before a fault is not its sign; what comes of the next fault does not keep this one's from going."""
    builder = watched(sound(0), relay_a=(13.0, 15.0, {"ready": False}), relay_b=(23.0, 25.0, {"ready": False}))
    builder.fault("down", "relay_a_to_master", 12.0, 14.0).fault("down", "relay_b_to_master", 22.0, 24.0)
    first, second = detections(builder.over().record())
    assert (first.where, first.gone_after_s) == ("relay_a", pytest.approx(1.0, abs=0.02))
    assert (second.where, second.gone_after_s) == ("relay_b", pytest.approx(1.0, abs=0.02))


def test_a_broken_objective_of_users_is_marked_silent() -> None:
    """One of which nothing is known is not."""
    builder = paused()
    for number in range(200):
        builder.setup(12.1 + number / 25, 100 + number, ok=False)
    specs = (promise("session_setup_success_ratio", 0.98, 150), promise("setup_outage_s", 100.0, 1))
    verdict = judge(builder.over().record(), scenario_of(*specs), tiers_of())
    assert [(str(one.verdict), one.silent) for one in verdict.judgements] == [("broken", True), ("inconclusive", False)]
    assert [one.silent for one in verdict.detection] == [True]


def test_users_broken_promise_hurts_where_no_fault_shows_it_by_itself() -> None:
    """Latency is felt though nobody is cut off."""
    judgements = judge(
        watched(sound(200, delay_s=0.08)).fault("latency", "ends_to_gateway", 12.0, 22.0).over().record(),
        scenario_of(promise("input_to_present_ms_p95", 70.0, 2000)), tiers_of(),
    )  # fmt: skip
    (found,) = judgements.detection
    assert (found.hurt, found.silent) == ("input_to_present_ms_p95 broken", True)


def test_a_record_without_faults_detects_nothing() -> None:
    """Calm."""
    assert detections(watched(sound(0)).over().record()) == ()


def test_times_count_from_when_a_fault_was_on() -> None:
    """Not from when it was asked for."""
    found = one_of(paused(relay_a=(15.0, 25.0, {"ready": False})))
    assert found.from_s == pytest.approx((ns(12.01) - ns(0.0)) / 1e9)

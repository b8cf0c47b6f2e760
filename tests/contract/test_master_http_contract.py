"""The master's routes, relay states and choice of relay: contract-master-relay §2.2 to §2.9, §2.11."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from drills.wavry.errors import Refused
from drills.wavry.http_client import Reply
from drills.wavry.lease import SigningKey
from drills.wavry.master import MasterHttp, RelayRecord, RelayState
from tests.contract.services import ADMIN_TOKEN, CALL_S, Master, Stage, Target, eventually

ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
_numbers = itertools.count(1)


@pytest.fixture
def relay_id(master: Master) -> Iterator[str]:
    """A relay of our own, on an address no other shares a prefix with (§2.9); banned afterwards, so never chosen."""
    relay_id = str(uuid4())
    master.http.register_relay(relay_id, [f"198.18.{next(_numbers)}.9:4000"])
    yield relay_id
    master.http.update_state(relay_id, RelayState.BANNED)


def _record(master: Master, relay_id: str) -> RelayRecord:
    (record,) = [record for record in master.http.relays() if record.relay_id == relay_id]
    return record


# --- §2.3, §2.6: pages ------------------------------------------------------------------------------------


def test_the_identity_is_the_keys(master: Master) -> None:
    """§2.3, §2.6: public key in hex, key id from its first eight bytes, version 1.0."""
    identity = master.http.identity()
    assert (identity.public_key, identity.key_id, identity.version) == (
        master.key.public_key,
        master.key.key_id,
        "1.0",
    )


def test_health_and_readiness(stage: Stage) -> None:
    """§2.6: health is always 200; ready needs a provisioned key and an assignable relay, else 503."""
    master = stage.master()
    health = master.http.health()
    assert (health.status, health.ready, health.relays_registered, health.lease_ttl_s) == ("ok", False, 0, 900)
    assert (health.provisioned_signing_key, health.signing_key_id) == (True, master.key.key_id)
    assert master.http.http.call("GET", "/ready").status == 503
    master.http.register_relay(str(uuid4()), ["198.18.0.9:4000"])
    assert master.http.http.call("GET", "/ready").status == 200
    ready, health = master.http.ready(), master.http.health()
    assert (ready.ready, ready.relays_assignable) == (True, 1) == (health.ready, health.relays_registered)


def test_without_a_key_a_master_is_never_ready(stage: Stage) -> None:
    """§2.3: neither variable set: a random key, not provisioned, not ready even with a relay."""
    address = stage.addresses.fresh()
    process = stage.start("master", ["--listen", f"{address}:0"], {})
    bound = eventually(lambda: _listening(process.logged()), within_s=15)
    with MasterHttp(f"http://{bound}", timeout_s=CALL_S) as http:
        http.register_relay(str(uuid4()), ["198.18.0.9:4000"])
        ready = http.ready()
    assert (ready.ready, ready.relays_assignable, ready.provisioned_signing_key) == (False, 1, False)


def _listening(logged: str) -> str | None:
    """The address in the log's anchor (observed.md, log lines)."""
    _, anchor, rest = logged.partition("wavry-master listening on ")
    return rest.split()[0] if anchor and "\n" in rest else None


NO_KEYS = {
    "a seed alone": "07" * 32,
    "halves that do not match": "07" * 32 + "08" * 32,
    "an empty value": "",
    "no hex": "zz" * 64,
}


def test_a_key_that_is_no_key_ends_the_master(target: Target, stage: Stage) -> None:
    """§2.3, observed.md: the master does not start; Wavry's panics (101), the reference says why (1)."""
    listen = ["--listen", f"{stage.addresses.fresh()}:0"]
    processes = [stage.start("master", listen, {"WAVRY_MASTER_SIGNING_KEY": text}) for text in NO_KEYS.values()]
    ended = dict(zip(NO_KEYS, [process.ended() for process in processes], strict=True))
    assert ended == dict.fromkeys(NO_KEYS, target.expects(sound=1, wavry=101))


def test_a_public_address_needs_permission(stage: Stage) -> None:
    """§2.1, §2.2: exit 1 for a non-loopback or unparsable --listen, exit 2 for an unknown flag."""
    codes = {("--listen", "0.0.0.0:0"): 1, ("--listen", "localhost:0"): 1, ("--nonsense",): 2}
    key = {"WAVRY_MASTER_SIGNING_KEY": SigningKey.generate().hex}
    processes = [stage.start("master", list(arguments), key) for arguments in codes]
    assert [process.ended() for process in processes] == list(codes.values())


ABSENT: dict[str, tuple[str, str, int]] = {
    "auth register": ("POST", "/v1/auth/register", 501),
    "auth login": ("POST", "/v1/auth/login", 501),
    "unknown path": ("GET", "/v1/nothing", 404),
    "trailing slash": ("GET", "/health/", 404),
    "wrong method": ("GET", "/v1/relays/register", 405),
}


@pytest.mark.parametrize(("method", "path", "status"), ABSENT.values(), ids=ABSENT.keys())
def test_routes_that_do_nothing(master: Master, method: str, path: str, status: int) -> None:
    """§2.5, §2.6: accounts are not the master's affair (501); 404 and 405 as usual."""
    body = {"wavry_id": "someone", "display_name": "Someone"} if method == "POST" else None
    assert master.http.http.call(method, path, body).status == status


DECODING: dict[str, tuple[Callable[[MasterHttp], Reply], int]] = {
    "no content type": (lambda http: http.http.call("POST", "/v1/relays/heartbeat", raw=b"{}"), 415),
    "not JSON": (lambda http: _posted(http, b"{"), 400),
    "a field missing": (lambda http: _posted(http, b'{"relay_id":"x"}'), 422),
    "a field of another kind": (lambda http: _posted(http, b'{"relay_id":"x","load_pct":"much"}'), 422),
}


def _posted(http: MasterHttp, raw: bytes, path: str = "/v1/relays/heartbeat") -> Reply:
    return http.http.call("POST", path, raw=raw, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(("call", "status"), DECODING.values(), ids=DECODING.keys())
def test_a_body_is_decoded_before_anything_else(
    master: Master, call: Callable[[MasterHttp], Reply], status: int
) -> None:
    """§2.5: 415, 400 and 422 from the decoder."""
    assert call(master.http).status == status


# --- §2.6: register, heartbeat, admin ---------------------------------------------------------------------

REGISTERS: dict[str, tuple[dict[str, Any], int]] = {
    "blank id": ({"relay_id": " "}, 400),
    "no endpoint": ({"endpoints": []}, 400),
    "too slow": ({"max_bitrate_kbps": 9999}, 400),
    "just fast enough": ({"max_bitrate_kbps": 10000}, 200),
    "nothing optional": ({}, 200),
}


@pytest.mark.parametrize(("changed", "status"), REGISTERS.values(), ids=REGISTERS.keys())
def test_what_the_master_registers(master: Master, changed: dict[str, Any], status: int) -> None:
    """§2.6: the checks of a registration, in the contract's order."""
    body = {"relay_id": f"relay-{uuid4()}", "endpoints": [f"198.18.{next(_numbers)}.9:4000"], **changed}
    assert master.http.http.call("POST", "/v1/relays/register", body).status == status
    if status == 200:
        master.http.update_state(body["relay_id"], RelayState.BANNED)


def test_a_registration_is_answered_with_the_key(master: Master) -> None:
    """§2.6: heartbeats every 5 s, the public key as 32 numbers, its id; the record is listed as New."""
    relay_id = str(uuid4())
    endpoint = f"198.18.{next(_numbers)}.9:4000"
    answer = master.http.register_relay(relay_id, [endpoint], max_bitrate_kbps=20_000)
    assert answer.heartbeat_interval_ms == 5000
    assert (answer.public_key, answer.key_id) == (master.key.public_key, master.key.key_id)
    record = _record(master, relay_id)
    assert (record.endpoints, record.load_percent, record.max_bitrate_kbps) == ((endpoint,), 0, 20_000)
    assert record.state == RelayState.NEW
    assert record.last_seen_ms_ago < 2000
    master.http.update_state(relay_id, RelayState.BANNED)


@pytest.mark.parametrize("load", [-1, 100.5])
def test_a_heartbeat_with_an_impossible_load_is_refused(master: Master, relay_id: str, load: float) -> None:
    """§2.6: load outside 0 to 100 is 400, checked before the id."""
    with pytest.raises(Refused, match="400"):
        master.http.heartbeat(relay_id, load)


def test_a_heartbeat_of_an_unknown_relay_is_not_found(master: Master) -> None:
    """§2.6: 404 sends a relay back to registering (§3.5); a blank id is 400."""
    with pytest.raises(Refused, match="404"):
        master.http.heartbeat(str(uuid4()), 0)
    with pytest.raises(Refused, match="400"):
        master.http.heartbeat(" ", 0)


def test_relays_need_the_relay_token_where_there_is_one(stage: Stage) -> None:
    """§2.2, §2.6: register and heartbeat are 401 without it, before anything else is looked at."""
    master = stage.master(relay_token="a-relay-token")
    relay_id = str(uuid4())
    with MasterHttp(master.base_url, timeout_s=CALL_S, relay_token="another") as stranger:
        for body in ({"relay_id": relay_id, "endpoints": ["198.18.0.9:4000"]}, {"relay_id": " ", "endpoints": []}):
            assert stranger.http.call("POST", "/v1/relays/register", body).status == 401
        with pytest.raises(Refused, match="401"):
            stranger.heartbeat(relay_id, 200)
    master.http.register_relay(relay_id, ["198.18.0.9:4000"])
    master.http.heartbeat(relay_id, 1)


def test_operators_need_the_admin_token(master: Master, relay_id: str) -> None:
    """§2.5, §2.6: 401 for a missing, wrong or differently introduced token; 404 for an unknown relay; 422 for a state
    that does not exist."""
    path = "/admin/api/relays/update_state"
    body = {"relay_id": relay_id, "new_state": "Draining"}
    for headers in ({}, {"Authorization": f"Bearer {ADMIN_TOKEN}x"}, {"Authorization": f"bearer {ADMIN_TOKEN}"}):
        assert master.http.http.call("POST", path, body, headers=headers).status == 401
    done = master.http.http.call("POST", path, body, headers=ADMIN)
    assert (done.status, done.text) == (200, "")
    unknown = master.http.http.call("POST", path, {**body, "relay_id": "nobody"}, headers=ADMIN)
    assert (unknown.status, unknown.text) == (404, "")
    assert master.http.http.call("POST", path, {**body, "new_state": "draining"}, headers=ADMIN).status == 422


def test_a_short_admin_token_shuts_the_door(stage: Stage) -> None:
    """§2.2: an ADMIN_PANEL_TOKEN of fewer than 32 bytes means 401 for everyone."""
    master = stage.master({"ADMIN_PANEL_TOKEN": "x" * 31})
    with MasterHttp(master.base_url, timeout_s=CALL_S, admin_token="x" * 31) as http, pytest.raises(Refused) as refused:
        http.revoke("someone")
    assert refused.value.status == 401


def test_feedback_and_revocation_are_accepted(master: Master, relay_id: str) -> None:
    """§2.6, §2.11: ``accepted`` whatever it says; ``banned`` whoever it is."""
    master.http.feedback(uuid4(), relay_id, 255)
    incomplete = {"session_id": str(uuid4()), "relay_id": relay_id}
    assert master.http.http.call("POST", "/v1/feedback", incomplete).status == 422
    assert master.http.revoke("user_nobody00") is True


# --- §2.7: the states of a relay --------------------------------------------------------------------------

LOADS = {
    0: RelayState.ACTIVE,
    84.9: RelayState.ACTIVE,
    85: RelayState.PROBATION,
    94.9: RelayState.PROBATION,
    95: RelayState.DEGRADED,
    100: RelayState.DEGRADED,
}


def test_a_heartbeats_load_sets_the_state(master: Master, relay_id: str) -> None:
    """§2.7 row 3: below 85 Active, below 95 Probation, else Degraded, in either direction."""
    for load, state in [*LOADS.items(), *reversed(LOADS.items())]:
        master.http.heartbeat(relay_id, load)
        record = _record(master, relay_id)
        assert record.state == state and record.load_percent == pytest.approx(load)


@pytest.mark.parametrize("state", [RelayState.DRAINING, RelayState.BANNED])
def test_a_drain_and_a_ban_survive_heartbeats(master: Master, relay_id: str, state: RelayState) -> None:
    """§2.7 row 2: only the load is taken from them."""
    master.http.update_state(relay_id, state)
    for load in (0, 50, 99, 1):
        master.http.heartbeat(relay_id, load)
    record = _record(master, relay_id)
    assert (record.state, record.load_percent) == (state, 1)


def test_an_operator_sets_any_state(master: Master, relay_id: str) -> None:
    """§2.7 row 4: any state to any state."""
    for state in RelayState:
        master.http.update_state(relay_id, state)
        assert _record(master, relay_id).state == state


@pytest.mark.parametrize("state", [RelayState.DRAINING, RelayState.BANNED])
def test_registering_again_under_a_drain_or_a_ban(
    target: Target, master: Master, relay_id: str, state: RelayState
) -> None:
    """§2.7 row 1, D-03: Wavry makes it New, and so assignable; a sound master keeps what the operator set."""
    endpoints = list(_record(master, relay_id).endpoints)
    master.http.update_state(relay_id, state)
    master.http.register_relay(relay_id, endpoints)
    assert _record(master, relay_id).state == target.expects(sound=state, wavry=RelayState.NEW)


def test_a_quarantine_and_the_next_heartbeat(target: Target, master: Master, relay_id: str) -> None:
    """§2.7 row 3, D-44: Wavry forgets an operator's Quarantined at once."""
    master.http.update_state(relay_id, RelayState.QUARANTINED)
    master.http.heartbeat(relay_id, 0)
    expected = target.expects(sound=RelayState.QUARANTINED, wavry=RelayState.ACTIVE)
    assert _record(master, relay_id).state == expected


def test_only_some_states_are_assignable(stage: Stage) -> None:
    """§2.8: New, Active, Probation and Degraded count; Draining, Quarantined and Banned do not."""
    master = stage.master()
    relay_id = str(uuid4())
    master.http.register_relay(relay_id, ["198.18.0.9:4000"])
    assignable = {RelayState.NEW, RelayState.ACTIVE, RelayState.PROBATION, RelayState.DEGRADED}
    for state in RelayState:
        master.http.update_state(relay_id, state)
        assert master.http.ready().relays_assignable == (state in assignable), state


def test_a_silent_relay_is_quarantined_and_then_forgotten(reference_stage: Stage) -> None:
    """§2.7 row "sweeper": 120 to 150 s after its last heartbeat, and 600 to 630 s; at an 800th of the time."""
    divisor = 800
    master = reference_stage.master({"DRILLS_TIME_DIVISOR": str(divisor)})
    master.http.register_relay("silent", ["198.18.0.9:4000"])
    master.http.register_relay("drained", ["198.18.1.9:4000"])
    master.http.update_state("drained", RelayState.DRAINING)
    began = time.monotonic()
    eventually(lambda: _record(master, "silent").state == RelayState.QUARANTINED, within_s=1.0)
    assert 120 <= (time.monotonic() - began) * divisor <= 350
    assert _record(master, "drained").state == RelayState.DRAINING
    eventually(lambda: master.http.relays() == [], within_s=3.0)
    assert 600 <= (time.monotonic() - began) * divisor <= 900


# --- §2.9: how many relays one address may have -----------------------------------------------------------


def test_a_sixth_relay_on_one_address_is_refused(master: Master) -> None:
    """§2.9: five records on an address, then 403."""
    address = f"198.18.{next(_numbers)}.9"
    relay_ids = [str(uuid4()) for _ in range(6)]
    for port, relay_id in enumerate(relay_ids[:5], 4000):
        master.http.register_relay(relay_id, [f"{address}:{port}"])
    with pytest.raises(Refused, match="403"):
        master.http.register_relay(relay_ids[5], [f"{address}:4005"])
    for relay_id in relay_ids[:5]:
        master.http.update_state(relay_id, RelayState.BANNED)


def test_one_of_five_registers_again(target: Target, master: Master) -> None:
    """§2.9, D-02: Wavry counts the caller's own record and refuses; a sound master counts the others."""
    address = f"198.18.{next(_numbers)}.9"
    relay_ids = [str(uuid4()) for _ in range(5)]
    for port, relay_id in enumerate(relay_ids, 4000):
        master.http.register_relay(relay_id, [f"{address}:{port}"])
    body = {"relay_id": relay_ids[0], "endpoints": [f"{address}:4000"]}
    status = master.http.http.call("POST", "/v1/relays/register", body).status
    for relay_id in relay_ids:
        master.http.update_state(relay_id, RelayState.BANNED)
    assert status == target.expects(sound=200, wavry=403)


def test_an_address_that_begins_like_another(target: Target, master: Master) -> None:
    """§2.9, D-02: Wavry compares beginnings of text: five on …10 to …14 refuse one on …1."""
    subnet = f"198.18.{next(_numbers)}"
    relay_ids = [str(uuid4()) for _ in range(6)]
    for last, relay_id in enumerate(relay_ids[:5], 10):
        master.http.register_relay(relay_id, [f"{subnet}.{last}:4000"])
    body = {"relay_id": relay_ids[5], "endpoints": [f"{subnet}.1:4000"]}
    status = master.http.http.call("POST", "/v1/relays/register", body).status
    for relay_id in relay_ids[: 6 if status == 200 else 5]:
        master.http.update_state(relay_id, RelayState.BANNED)
    assert status == target.expects(sound=200, wavry=403)

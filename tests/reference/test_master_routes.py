"""The HTTP and WebSocket surface of the reference master, over sockets on loopback (contract §2.5, §2.6, §2.10)."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from drills.reference.master.master import Master
from drills.reference.master.memory import Memory, Remembered
from drills.reference.master.routes import application
from drills.reference.master.sockets import Sockets
from tests.reference.master_parts import ADMIN_TOKEN, KEY, master

Client = TestClient[Any, Any]
ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
ORIGIN = {"Origin": "http://localhost:1420"}
REGISTER = {"relay_id": "a", "endpoints": ["127.0.0.1:4000"]}
FEEDBACK = {"session_id": str(uuid4()), "relay_id": "a", "quality_score": 80, "issues": [], "signature": ""}
POSTS: dict[str, dict[str, Any]] = {
    "/v1/relays/register": REGISTER,
    "/v1/relays/heartbeat": {"relay_id": "a", "load_pct": 1},
    "/v1/feedback": FEEDBACK,
    "/admin/api/sessions/revoke": {"wavry_id": "user_a"},
    "/admin/api/relays/update_state": {"relay_id": "a", "new_state": "Draining"},
    "/v1/auth/register": {"wavry_id": "a", "display_name": "b"},
    "/v1/auth/login": {"wavry_id": "a", "display_name": "b"},
    "/v1/auth/register/verify": {"wavry_id": "a", "signature_hex": "b"},
}


@contextlib.asynccontextmanager
async def listening(served: Master) -> AsyncIterator[Client]:
    """A client of this master."""
    app = application(served, Sockets(served.switchboard, served.settings.origins))
    async with TestClient(TestServer(app)) as client:
        yield client


def run(act: Callable[[Client], Awaitable[None]], served: Master | None = None) -> None:
    """Run one act against a master, within 10 s."""

    async def bounded() -> None:
        async with asyncio.timeout(10), listening(served or master(admin_token=ADMIN_TOKEN)) as client:
            await act(client)

    asyncio.run(bounded())


async def post(client: Client, path: str, body: Any, **headers: str) -> tuple[int, str]:
    """Status and text of a JSON call."""
    async with client.post(path, json=body, headers={**ADMIN, **headers}) as response:
        return response.status, await response.text()


async def got(client: Client, path: str) -> Any:
    """The JSON of a GET."""
    async with client.get(path) as response:
        return await response.json()


def test_defect_master_ready_lies_says_the_opposite() -> None:
    """200 without a relay, 503 with one; how many there are it still says."""

    async def act(client: Client) -> None:
        async with client.get("/ready") as response:
            assert (response.status, (await response.json())["relays_assignable"]) == (200, 0)
        await post(client, "/v1/relays/register", REGISTER)
        async with client.get("/ready") as response:
            assert (response.status, (await response.json())["relays_assignable"]) == (503, 1)

    run(act, master("master_ready_lies"))


def test_health_and_ready_follow_the_relays() -> None:
    """503 without a relay, 200 with one; /health is 200 throughout."""

    async def act(client: Client) -> None:
        async with client.get("/ready") as response:
            assert response.status == 503
        await post(client, "/v1/relays/register", REGISTER)
        async with client.get("/ready") as response:
            assert (response.status, await response.json()) == (
                200,
                {
                    "ready": True,
                    "relays_assignable": 1,
                    "provisioned_signing_key": True,
                    "signing_key_id": "kea4a6c63e29c520a",
                },
            )
        assert await got(client, "/health") == {
            "status": "ok",
            "ready": True,
            "uptime_secs": 0,
            "peers_connected": 0,
            "relays_registered": 1,
            "relays_assignable": 1,
            "signing_key_id": "kea4a6c63e29c520a",
            "provisioned_signing_key": True,
            "lease_ttl_secs": 900,
        }

    run(act)


def test_the_identity_is_hex_and_the_registrations_key_an_array() -> None:
    """The two spellings of one key (§2.6)."""

    async def act(client: Client) -> None:
        identity = {"public_key": KEY.public_hex, "key_id": "kea4a6c63e29c520a", "version": "1.0"}
        assert await got(client, "/.well-known/wavry-id") == identity
        status, text = await post(client, "/v1/relays/register", REGISTER)
        assert (status, json.loads(text)) == (
            200,
            {
                "heartbeat_interval_ms": 5000,
                "master_public_key": list(KEY.public_key),
                "master_key_id": "kea4a6c63e29c520a",
            },
        )

    run(act)


def test_the_list_of_relays_shows_these_six_fields() -> None:
    """A bare array; the heartbeat's answer names the state."""

    async def act(client: Client) -> None:
        assert await got(client, "/v1/relays") == []
        await post(client, "/v1/relays/register", {**REGISTER, "region": "eu", "asn": 7, "max_sessions": 3})
        beat = await post(client, "/v1/relays/heartbeat", {"relay_id": "a", "load_pct": 33.3})
        assert beat == (200, '{"ok":true,"state":"Active"}')
        (listed,) = await got(client, "/v1/relays")
        assert 0 <= listed.pop("last_seen_ms_ago") < 5000
        assert listed == {
            "relay_id": "a",
            "endpoints": ["127.0.0.1:4000"],
            "load_pct": 33.3,
            "max_bitrate_kbps": 10000,
            "state": "Active",
        }

    run(act)


@pytest.mark.parametrize("path", POSTS)
def test_a_malformed_body_is_refused_before_anybody_asks_who_calls(path: str) -> None:
    """415, 413, 400, 422 without any token (§2.5)."""

    async def status(client: Client, content: bytes, kind: str) -> int:
        async with client.post(path, data=io.BytesIO(content), headers={"Content-Type": kind}) as response:
            return response.status

    async def act(client: Client) -> None:
        assert await status(client, b"{}", "text/plain") == 415
        assert await status(client, b'"' + b"x" * 2**21 + b'"', "application/json") == 413
        for broken in (b"", b"{", b'{"a":NaN}', b"\xff", b"[" * 100_000, b'{"relay_id":"\\ud800"}'):
            assert await status(client, broken, "application/json") == 400, broken[:10]
        for strange in (b"{}", b"[]", b"null"):
            assert await status(client, strange, "application/vnd.x+json; charset=utf-8") == 422

    run(act, master(relay_token="t", admin_token=ADMIN_TOKEN))


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/v1/relays/register", {"asn": -1}),
        ("/v1/relays/register", {"asn": 2**32}),
        ("/v1/relays/register", {"asn": 1.5}),
        ("/v1/relays/register", {"max_sessions": "4"}),
        ("/v1/relays/register", {"features": None}),
        ("/v1/relays/register", {"region": 7}),
        ("/v1/relays/register", {"endpoints": [1]}),
        ("/v1/relays/heartbeat", {"load_pct": True}),
        ("/v1/relays/heartbeat", {"load_pct": None}),
        ("/v1/feedback", {"quality_score": 256}),
        ("/v1/feedback", {"session_id": "x"}),
        ("/v1/feedback", {"issues": [1]}),
        ("/admin/api/relays/update_state", {"new_state": "draining"}),
    ],
)
def test_a_field_of_another_kind_is_422(path: str, wrong: dict[str, Any]) -> None:
    """Whatever else is right."""

    async def act(client: Client) -> None:
        assert (await post(client, path, {**POSTS[path], **wrong}))[0] == 422

    run(act)


def test_routing_refusals_are_empty() -> None:
    """404 for what is not there and for a trailing slash, 405 for another method; OPTIONS is always 200."""

    async def act(client: Client) -> None:
        calls = [("GET", "/nope", 404), ("GET", "/health/", 404), ("POST", "/health", 405), ("OPTIONS", "/health", 200)]
        calls += [("GET", path, 405) for path in POSTS] + [("POST", "/ws", 405), ("HEAD", "/health", 200)]
        for method, path, status in calls:
            async with client.request(method, path) as response:
                assert (response.status, await response.text()) == (status, ""), (method, path)

    run(act)


def test_register_checks_in_the_stated_order() -> None:
    """401, then 400 for what it says, then 403 for who it is."""

    async def act(client: Client) -> None:
        async def register(token: str, **said: Any) -> tuple[int, str]:
            body = {**REGISTER, **said}
            return await post(client, "/v1/relays/register", body, Authorization=token)

        assert await register("bearer t", relay_id=" ", max_bitrate_kbps=1) == (401, "")
        assert await register("Bearer u") == (401, "")
        assert await register("Bearer t", relay_id=" ") == (400, "")
        assert await register("Bearer t", endpoints=[]) == (400, "")
        assert await register("Bearer t", max_bitrate_kbps=9999) == (
            400,
            "Relay must support at least 10Mbps bandwidth",
        )
        for number in range(5):
            assert (await register("Bearer   t ", relay_id=f"r{number}", endpoints=[f"10.0.0.1:{number}"]))[0] == 200
        assert await register("Bearer t", relay_id="r5", endpoints=["10.0.0.1:5"]) == (403, "")
        assert (await register("Bearer t", relay_id="r0", endpoints=["10.0.0.1:0"]))[0] == 200

    run(act, master(relay_token="t"))


def test_heartbeat_checks_in_the_stated_order() -> None:
    """401, then 400, then 404."""

    async def act(client: Client) -> None:
        async def beat(token: str, relay_id: str, load_pct: float) -> int:
            body = {"relay_id": relay_id, "load_pct": load_pct}
            return (await post(client, "/v1/relays/heartbeat", body, Authorization=token))[0]

        assert await beat("", "", 101) == 401
        assert [await beat("Bearer t", "a", load_pct) for load_pct in (-0.1, 100.1)] == [400, 400]
        assert await beat("Bearer t", " ", 1) == 400
        assert await beat("Bearer t", "a", 100) == 404

    run(act, master(relay_token="t"))


def test_operators_need_the_token() -> None:
    """401 without or with another; 404 for an unknown relay; empty 200 and `banned`."""

    async def act(client: Client) -> None:
        state, revoke = "/admin/api/relays/update_state", "/admin/api/sessions/revoke"
        for path in (state, revoke):
            for token in ("", "Bearer " + "b" * 32, "Bearer", f"Basic {ADMIN_TOKEN}"):
                assert await post(client, path, POSTS[path], Authorization=token) == (401, "")
        assert await post(client, state, POSTS[state]) == (404, "")
        await post(client, "/v1/relays/register", REGISTER)
        assert await post(client, state, POSTS[state]) == (200, "")
        assert (await got(client, "/v1/relays"))[0]["state"] == "Draining"
        assert await post(client, revoke, POSTS[revoke]) == (200, '{"banned":true}')

    run(act)


def test_without_an_admin_token_no_operator_is_let_in() -> None:
    """Also with an empty one."""

    async def act(client: Client) -> None:
        for token in ("Bearer ", "Bearer x"):
            path = "/admin/api/sessions/revoke"
            assert (await post(client, path, POSTS[path], Authorization=token))[0] == 401

    run(act, master())


def test_a_drain_that_cannot_be_saved_is_a_500_and_no_drain() -> None:
    """The operator hears of it, and the relay stays as it was."""

    def full(_: Remembered) -> None:
        raise OSError(28, "No space left on device")

    async def act(client: Client) -> None:
        await post(client, "/v1/relays/register", REGISTER)
        path = "/admin/api/relays/update_state"
        assert await post(client, path, POSTS[path]) == (500, "")
        assert (await got(client, "/v1/relays"))[0]["state"] == "New"

    run(act, master(memory=Memory(save=full), admin_token=ADMIN_TOKEN))


def test_feedback_is_always_accepted_and_accounts_never_are() -> None:
    """200 whatever is unknown; 501 three times."""

    async def act(client: Client) -> None:
        assert await post(client, "/v1/feedback", FEEDBACK) == (200, '{"accepted":true}')
        for path in ("/v1/auth/register", "/v1/auth/login", "/v1/auth/register/verify"):
            assert await post(client, path, POSTS[path]) == (501, "")

    run(act)


def test_listed_origins_may_read_answers() -> None:
    """The header comes back for a listed Origin and for no other."""

    async def act(client: Client) -> None:
        for origin, allowed in ((ORIGIN["Origin"], ORIGIN["Origin"]), ("http://evil", None)):
            async with client.get("/health", headers={"Origin": origin}) as response:
                assert response.headers.get("Access-Control-Allow-Origin") == allowed

    run(act)


def test_the_upgrade_rule() -> None:
    """400 for what is no upgrade, 403 for a missing or unlisted Origin, otherwise a socket."""

    async def act(client: Client) -> None:
        async with client.get("/ws", headers=ORIGIN) as response:
            assert response.status == 400
        for headers in ({}, {"Origin": "http://evil"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect("/ws", headers=headers)
            assert refused.value.status == 403
        async with client.ws_connect("/ws", headers=ORIGIN) as socket:
            assert not socket.closed

    run(act)


def test_two_sockets_signal_and_get_their_credentials() -> None:
    """The whole path once: bind, offer, request; what is not understood in between does no harm."""

    async def act(client: Client) -> None:
        await post(client, "/v1/relays/register", REGISTER)
        async with client.ws_connect("/ws", headers=ORIGIN) as one, client.ws_connect("/ws", headers=ORIGIN) as two:
            await two.send_json({"type": "BIND", "token": "bob45678"})
            await two.send_json({"type": "REQUEST_RELAY", "target_username": ""})  # its answer says that it is bound
            assert (await two.receive_json())["code"] == 400
            await one.send_bytes(b"\x00")
            await one.send_str("{")
            await one.send_json({"type": "BIND", "token": "alice123"})
            await one.send_json({"type": "OFFER", "target_username": "user_bob45678", "sdp": "s"})
            await one.send_json({"type": "REQUEST_RELAY", "target_username": "user_bob45678"})
            assert (await two.receive_json())["target_username"] == "user_alice123"
            ours, theirs = await one.receive_json(), await two.receive_json()
            assert ours["session_id"] == theirs["session_id"]
            assert (await got(client, "/health"))["peers_connected"] == 2

    run(act)


def test_a_revoked_users_socket_is_told_and_closed() -> None:
    """ERROR 403, then a Close frame with 1008 (D-25)."""

    async def act(client: Client) -> None:
        async with client.ws_connect("/ws", headers=ORIGIN) as socket:
            await socket.send_json({"type": "BIND", "token": "alice123"})
            await socket.send_json({"type": "REQUEST_RELAY", "target_username": ""})
            await socket.receive_json()
            await post(client, "/admin/api/sessions/revoke", {"wavry_id": "user_alice123"})
            assert (await socket.receive_json())["code"] == 403
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 1008

    run(act)


def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither tokens nor leases, at any level, through registration, refusals, leases and a revocation."""

    async def act(client: Client) -> None:
        for token in ("Bearer relay-secret", "Bearer guessed-secret"):
            await post(client, "/v1/relays/register", REGISTER, Authorization=token)
        async with client.ws_connect("/ws", headers=ORIGIN) as socket:
            await socket.send_json({"type": "BIND", "token": "alice123-user-secret"})
            await socket.send_json({"type": "REQUEST_RELAY", "target_username": "user_b"})
            assert (await socket.receive_json())["token"].startswith("v4.public.")
            await post(client, "/admin/api/sessions/revoke", {"wavry_id": "user_b"})

    with caplog.at_level("DEBUG", "wavry_master"):
        run(act, master(relay_token="relay-secret", admin_token=ADMIN_TOKEN))
    lines = [record.getMessage() for record in caplog.records if record.name == "wavry_master"]
    assert lines == [
        "relay registered: a",
        "relay register rejected: missing/invalid service token",
        "Banned user user_b",
    ]

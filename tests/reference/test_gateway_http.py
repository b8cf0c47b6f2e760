"""The gateway over HTTP: bodies, CORS, limits, status routes, signaling without a socket, reports, the admin API."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from drills.reference.gateway import accounts
from drills.reference.gateway.edge import effective_ip
from drills.reference.gateway.settings import Rate, Rates
from drills.reference.gateway.upkeep import check_database, sweep_sessions
from tests.reference.gateway_house import (
    ADMIN,
    PASSWORD,
    PLENTY,
    WAIT_S,
    Answer,
    House,
    ended,
    error_heard,
    heard,
    standing,
)

Play = Callable[[House], Awaitable[None]]
JSON = {"Content-Type": "application/json"}


def played(folder: Path, play: Play, **settings: Any) -> None:
    """Stand a gateway up, let the test play with it, take it down; bounded in time."""

    async def run() -> None:
        async with asyncio.timeout(4 * WAIT_S), standing(folder, **settings) as house:
            await play(house)

    asyncio.run(run())


def refusal(answer: Answer) -> tuple[int, str]:
    """Status and error text of a refused request."""
    return answer.status, answer.json["error"]


@pytest.mark.parametrize(
    ("raw", "headers", "status", "begins"),
    [
        ("{}", {"Content-Type": "text/plain"}, 415, "Expected request with `Content-Type: application/json`"),
        ('{"a', JSON, 400, "Failed to parse the request body as JSON: "),
        ("", JSON, 400, "Failed to parse the request body as JSON: "),
        ("{}", JSON, 422, "Failed to deserialize the JSON body into the target type: missing field `email`"),
        ('{"email":3}', JSON, 422, "Failed to deserialize the JSON body into the target type: email: invalid type"),
        ("{} more", {"Content-Type": "application/vnd.x+json; charset=utf-8"}, 422, "Failed to deserialize"),
    ],
)
def test_a_body_that_is_not_understood_is_answered_in_plain_text(
    tmp_path: Path, raw: str, headers: dict[str, str], status: int, begins: str
) -> None:
    """Before limiters, counters and admin tokens are looked at."""

    async def play(house: House) -> None:
        answer = await house.ask("POST", "/auth/register", data=raw, headers=headers)
        assert answer.status == status and answer.text.startswith(begins)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert (await house.get("/metrics/auth")).json["register_attempts"] == 0

    played(tmp_path, play)


def test_a_body_over_two_mebibytes_is_refused(tmp_path: Path) -> None:
    """413; the last size that passes is read, and found to be no JSON."""

    async def play(house: House) -> None:
        for size, status in ((2_097_152, 400), (2_097_153, 413)):
            answer = await house.ask("POST", "/auth/login", data=io.BytesIO(b"x" * size), headers=JSON)
            assert answer.status == status
        assert answer.text == "Failed to buffer the request body: length limit exceeded"

    played(tmp_path, play)


def test_unknown_paths_and_methods_have_empty_answers(tmp_path: Path) -> None:
    """404, 405 with Allow, 501 for reputations; HEAD works wherever GET does."""

    async def play(house: House) -> None:
        missing, method = await house.get("/nope"), await house.ask("PUT", "/auth/login")
        assert (missing.status, missing.text, method.status, method.text) == (404, "", 405, "")
        assert method.headers["Allow"] == "POST"
        assert (await house.get("/v1/relays/reputation")).status == 501
        assert (await house.ask("HEAD", "/health")).status == 200

    played(tmp_path, play)


def test_cors_answers_every_preflight_and_echoes_only_listed_origins(tmp_path: Path) -> None:
    """Known path or not; the Vary header is on everything."""

    async def play(house: House) -> None:
        for path in ("/health", "/nope"):
            answer = await house.ask("OPTIONS", path, headers={"Origin": "http://localhost:3000"})
            assert (answer.status, answer.text) == (200, "")
            assert answer.headers["Access-Control-Allow-Methods"] == "GET,POST,OPTIONS"
            assert answer.headers["Access-Control-Allow-Headers"] == "content-type,authorization,x-session-token"
            assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
        other = await house.get("/nope", headers={"Origin": "http://elsewhere.example"})
        assert "Access-Control-Allow-Origin" not in other.headers
        assert other.headers["Vary"] == "origin, access-control-request-method, access-control-request-headers"

    played(tmp_path, play)


def test_the_status_routes_answer_exactly(tmp_path: Path) -> None:
    """The greeting, the counts, the six lines for Prometheus, the endpoints."""

    async def play(house: House) -> None:
        assert (await house.get("/")).text == "Wavry Gateway Online"
        for path in ("/health", "/metrics/runtime"):
            assert (await house.get(path)).text == '{"active_ws_connections":0,"active_relay_sessions":0}'
        metrics = await house.get("/metrics/prometheus")
        assert metrics.headers["Content-Type"] == "text/plain; version=0.0.4"
        assert metrics.text.splitlines()[2] == "wavry_gateway_websocket_connections 0"
        assert metrics.text.endswith("wavry_gateway_relay_sessions 0\n") and metrics.text.count("\n") == 6
        assert list((await house.get("/webrtc/config")).json) == [
            "ws_signaling_url",
            "offer_endpoint",
            "answer_endpoint",
            "candidate_endpoint",
        ]

    played(tmp_path, play)


def test_health_says_so_when_the_database_cannot_be_written(tmp_path: Path) -> None:
    """A file that is gone shows at the next check, and reads still work (D19)."""

    async def play(house: House) -> None:
        await house.register("ann")
        await check_database(house.gateway)
        assert (await house.get("/health")).status == 200
        (tmp_path / "gateway.db").unlink()
        await check_database(house.gateway)
        lost = await house.get("/health")
        assert (lost.status, lost.json["status"], lost.json["active_ws_connections"]) == (503, "degraded", 0)
        assert lost.json["reason"].startswith("database: (code: 1032) ")
        assert (await house.get("/metrics/runtime")).status == 200
        assert "database check failed" in house.log.getvalue()

    played(tmp_path, play)


def test_a_read_only_database_is_served_and_shown(tmp_path: Path) -> None:
    """It starts, reads work, writes are 500s, health is 503 (D19)."""

    async def fill(house: House) -> None:
        await house.register("ann")

    async def play(house: House) -> None:
        await check_database(house.gateway)
        assert (await house.get("/health")).json["status"] == "degraded"
        login = await house.post("/auth/login", {"email": "ann@x.org", "password": PASSWORD})
        assert refusal(login) == (500, "Session creation failed")

    played(tmp_path, fill)
    played(tmp_path, play, database_url=f"sqlite://{tmp_path / 'gateway.db'}?mode=ro")


def test_the_global_limiter_counts_by_route_and_address_and_spares_the_status_routes(tmp_path: Path) -> None:
    """Two of a kind pass, the third does not, other kinds do."""

    async def play(house: House) -> None:
        answers = [await house.get("/webrtc/config?x=1") for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert refusal(answers[2]) == (429, "Too many requests")
        assert [(await house.get("/health")).status for _ in range(4)] == [200] * 4
        assert (await house.get("/v1/relays/reputation")).status == 501

    played(tmp_path, play, rates=Rates(PLENTY, PLENTY, PLENTY, PLENTY, Rate(2, 60, 100)))


def test_a_scanner_cannot_fill_the_global_table(tmp_path: Path) -> None:
    """Unknown paths share one key, so real routes go on being served (D23)."""

    async def play(house: House) -> None:
        for number in range(12):
            assert (await house.get(f"/random/{number}")).status == 404
        assert (await house.get("/webrtc/config")).status == 200

    played(tmp_path, play, rates=Rates(PLENTY, PLENTY, PLENTY, PLENTY, Rate(600, 60, 10)))


@pytest.mark.parametrize(
    ("headers", "trusted", "ip"),
    [
        ({"X-Forwarded-For": "203.0.113.1"}, False, "127.0.0.1"),
        ({"X-Forwarded-For": " 203.0.113.1 , 10.0.0.1"}, True, "203.0.113.1"),
        ({"X-Forwarded-For": "203.0.113.1:80", "X-Real-IP": "2001:db8::1"}, True, "2001:db8::1"),
        ({"X-Forwarded-For": "unknown"}, True, "127.0.0.1"),
    ],
)
def test_the_clients_address_comes_from_the_proxy_only_where_trusted(
    headers: dict[str, str], trusted: bool, ip: str
) -> None:
    """First item of the first header, else X-Real-IP, else the socket."""
    assert effective_ip(CIMultiDictProxy(CIMultiDict(headers)), "127.0.0.1", trusted) == ip


def test_clients_behind_a_trusted_proxy_have_limits_of_their_own(tmp_path: Path) -> None:
    """Sockets, binds and admin calls too, not only the auth routes (D22)."""

    async def play(house: House) -> None:
        first = {"X-Forwarded-For": "203.0.113.1"}
        await house.open(**first)
        with pytest.raises(Exception, match="429"):
            await house.open(**first)
        await house.open(**{"X-Forwarded-For": "203.0.113.2"})
        for client, status in (("203.0.113.1", 401), ("203.0.113.1", 429), ("203.0.113.2", 401)):
            assert (await house.get("/admin/api/audit", headers={"X-Forwarded-For": client})).status == status

    rates = Rates(Rate(1, 60, 10), PLENTY, PLENTY, PLENTY, PLENTY)
    played(tmp_path, play, trust_proxy=True, sockets_per_ip_max=1, rates=rates)


def test_an_offer_over_http_reaches_a_bound_user(tmp_path: Path) -> None:
    """202 with both names, under the sender's name on the wire, the target in any case (D32)."""

    async def play(house: House) -> None:
        ann, bob = await house.register("ann"), await house.register("bob")
        socket = await house.bound(bob)
        body = {"session_token": ann, "target_username": "Bob", "sdp": "v=0"}
        answer = await house.post("/webrtc/offer", body)
        assert (answer.status, answer.text) == (202, '{"from_username":"ann","target_username":"bob","relayed":true}')
        assert await heard(socket) == {"type": "Offer", "payload": {"target_username": "ann", "sdp": "v=0"}}
        await house.post("/webrtc/answer", body)
        assert (await heard(socket))["type"] == "Answer"
        candidate = {"session_token": ann, "target_username": "bob", "candidate": "c"}
        assert (await house.post("/webrtc/candidate", candidate)).status == 202
        assert (await heard(socket))["payload"]["candidate"] == "c"

    played(tmp_path, play)


def test_each_refusal_of_http_signaling_has_its_words(tmp_path: Path) -> None:
    """In the contract's order: token shape, target, size, token, presence."""

    async def play(house: House) -> None:
        good = {"session_token": await house.register("ann"), "target_username": "bob", "sdp": "v=0"}
        for changed, status, text in (
            ({"session_token": "short"}, 400, "Invalid session token"),
            ({"target_username": "b"}, 400, "Invalid target username"),
            ({"sdp": ""}, 400, "Invalid SDP size"),
            ({"sdp": "x" * 32_769}, 400, "Invalid SDP size"),
            ({"session_token": "0" * 64}, 401, "Invalid or expired session token"),
            ({}, 404, "Target user 'bob' is not connected"),
        ):
            assert refusal(await house.post("/webrtc/offer", {**good, **changed})) == (status, text)
        candidate = {"session_token": good["session_token"], "target_username": "bob", "candidate": ""}
        assert refusal(await house.post("/webrtc/candidate", candidate)) == (400, "Invalid ICE candidate size")

    played(tmp_path, play)


def test_http_signaling_has_a_limiter_for_each_kind(tmp_path: Path) -> None:
    """The second offer is refused, an answer still passes the limiter."""

    async def play(house: House) -> None:
        body = {"session_token": "0" * 64, "target_username": "bob", "sdp": "v"}
        answers = [await house.post(f"/webrtc/{kind}", body) for kind in ("offer", "offer", "answer")]
        assert [answer.status for answer in answers] == [401, 429, 401]
        assert answers[1].json["error"] == "Too many signaling requests"

    played(tmp_path, play, rates=Rates(PLENTY, PLENTY, Rate(1, 60, 10), PLENTY, PLENTY))


def test_a_relay_report_is_stored_or_refused_aloud(tmp_path: Path) -> None:
    """200 means it is on disk; a failed write or look-up is a 500 (D30)."""

    async def play(house: House) -> None:
        body = {
            "session_token": await house.register("ann"),
            "relay_id": "r",
            "success": True,
            "bytes_sent": 5,
            "duration_secs": -1,
        }
        assert (await house.post("/v1/relays/report", body)).status == 200
        assert (await house.post("/v1/relays/report", {**body, "success": False})).text == ""
        counts = "SELECT success_count, failure_count FROM relay_reputation"
        assert await house.gateway.database.read(lambda db: db.execute(counts).fetchone()) == (1, 1)
        bad = await house.post("/v1/relays/report", {**body, "session_token": "0" * 64})
        assert refusal(bad) == (401, "Invalid session token")
        await house.gateway.database.write(lambda db: db.execute("DROP TABLE relay_usage"))
        assert refusal(await house.post("/v1/relays/report", body)) == (500, "Relay report failed")
        assert await house.gateway.database.read(lambda db: db.execute(counts).fetchone()) == (1, 1)
        await house.gateway.database.write(lambda db: db.execute("ALTER TABLE sessions RENAME TO away"))
        assert refusal(await house.post("/v1/relays/report", body)) == (500, "Session lookup failed")

    played(tmp_path, play)


def test_the_admin_api_admits_only_its_token(tmp_path: Path) -> None:
    """A short token switches it off; either header will do."""

    async def play(house: House) -> None:
        assert refusal(await house.get("/admin/api/audit")) == (401, "invalid admin token")
        assert (await house.get("/admin/api/audit", headers={"Authorization": f"Bearer {'t' * 32}"})).json == []
        assert (await house.get("/admin")).status == 200

    async def shut(house: House) -> None:
        answer = await house.get("/admin/api/audit", headers={"X-Admin-Token": "short"})
        assert refusal(answer) == (401, "admin panel disabled: set ADMIN_PANEL_TOKEN")

    played(tmp_path, play)
    played(tmp_path, shut, admin_token="short")


def test_the_overview_lists_what_can_be_revoked(tmp_path: Path) -> None:
    """A listed session is revoked by the form it is listed in, and its socket closed (D1, D27, D26)."""

    async def play(house: House) -> None:
        socket = await house.bound(await house.register("ann"))
        overview = (await house.get("/admin/api/overview", headers=ADMIN)).json
        assert (overview["users_total"], overview["sessions_active"], overview["active_bans"]) == (1, 1, [])
        assert overview["recent_users"][0]["has_totp"] is False
        listed = overview["recent_sessions"][0]["token"]
        assert listed.startswith("h1:")
        for revoked in (True, False):
            answer = await house.post("/admin/api/sessions/revoke", {"token": listed}, headers=ADMIN)
            assert answer.json == {"revoked": revoked}
        assert await error_heard(socket) == "Session revoked" and await ended(socket)
        audit = (await house.get("/admin/api/audit", headers=ADMIN)).json
        assert [(row["action"], row["outcome"]) for row in audit] == [
            ("revoke_session", "not_found"),
            ("revoke_session", "success"),
        ]
        assert audit[0]["target_id"] == listed.removeprefix("h1:") and audit[0]["actor_ip_hash"] == "12ca17b49af22894"

    played(tmp_path, play)


def test_a_ban_acts_on_tokens_and_sockets_until_it_is_lifted(tmp_path: Path) -> None:
    """The socket closes, the token finds nobody, login is 403; unban undoes it (D25)."""

    async def play(house: House) -> None:
        token = await house.register("ann")
        socket = await house.bound(token)
        user_id = (await house.get("/admin/api/overview", headers=ADMIN)).json["recent_users"][0]["id"]
        ban = {"user_id": user_id, "reason": "spam", "duration_hours": None}
        assert (await house.post("/admin/api/ban", ban, headers=ADMIN)).json == {"success": True}
        assert await error_heard(socket) == "Account suspended: spam" and await ended(socket)
        offer = {"session_token": token, "target_username": "bob", "sdp": "v"}
        assert (await house.post("/webrtc/offer", offer)).status == 401
        login = await house.post("/auth/login", {"email": "ann@x.org", "password": PASSWORD})
        assert refusal(login) == (403, "Account suspended: spam")
        overview = (await house.get("/admin/api/overview", headers=ADMIN)).json
        assert overview["active_bans"][0]["reason"] == "spam"
        assert (await house.post("/admin/api/unban", {"user_id": user_id}, headers=ADMIN)).json == {"success": True}
        assert refusal(await house.post("/webrtc/offer", offer))[0] == 404

    played(tmp_path, play)


@pytest.mark.parametrize("hours", [0, -1, 87_601, 2**62])
def test_the_length_of_a_ban_is_bounded(tmp_path: Path, hours: int) -> None:
    """One hour to ten years, or for good; anything else is a 400 and no ban (D29)."""

    async def play(house: House) -> None:
        body = {"user_id": "x", "reason": "r", "duration_hours": hours}
        assert refusal(await house.post("/admin/api/ban", body, headers=ADMIN))[0] == 400

    played(tmp_path, play)


def test_nobody_can_ban_a_stranger(tmp_path: Path) -> None:
    """404, and the try is in the audit log."""

    async def play(house: House) -> None:
        body = {"user_id": "x", "reason": "r", "duration_hours": 1}
        assert refusal(await house.post("/admin/api/ban", body, headers=ADMIN)) == (404, "user not found")
        assert (await house.get("/admin/api/audit", headers=ADMIN)).json[0]["outcome"] == "not_found"

    played(tmp_path, play)


def test_a_token_ends_after_a_day_and_is_swept(tmp_path: Path) -> None:
    """24 h to the second, in either stored form (D3)."""

    async def play(house: House) -> None:
        token = await house.register("ann")
        offer = {"session_token": token, "target_username": "bob", "sdp": "v"}
        house.time.pass_s(24 * 3600 - 1)
        assert (await house.post("/webrtc/offer", offer)).status == 404
        house.time.pass_s(1)
        assert (await house.post("/webrtc/offer", offer)).status == 401
        await sweep_sessions(house.gateway)
        assert "cleaned 1 expired auth sessions" in house.log.getvalue()
        assert not await house.gateway.database.write(lambda db: accounts.revoke(db, accounts.token_hash(token)))

    played(tmp_path, play)

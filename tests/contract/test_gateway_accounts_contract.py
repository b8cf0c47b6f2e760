"""Accounts, sessions, limits and pages of the gateway over HTTP: contract-gateway §2 to §4."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from drills.wavry.errors import Refused
from drills.wavry.gateway import Account, Bound, GatewayHttp, Offer
from tests.contract.services import PASSWORD, Gateway, Stage, Target, eventually

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def account(gateway: Gateway) -> Account:
    """One account for all who only read it."""
    return gateway.new_account()


@pytest.fixture
def http(gateway: Gateway) -> Iterator[GatewayHttp]:
    """A client on an address of its own, and so with 20 calls a minute of each kind (§2.5)."""
    with gateway.from_elsewhere() as http:
        yield http


def _form(**changed: Any) -> dict[str, Any]:
    name = f"form{next(_numbers)}"
    form = {
        "email": f"{name}@example.org",
        "password": PASSWORD,
        "display_name": "Somebody",
        "username": name,
        "public_key": "0" * 64,
    }
    return {name: field for name, field in {**form, **changed}.items() if field is not None}


# --- §2.1, §2.2: what every route has in common -----------------------------------------------------------

JSON = {"Content-Type": "application/json"}
EXTRACTION: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "no content type": (b"{}", {}, 415, "Expected request with `Content-Type: application/json`"),
    "not JSON": (b"{", JSON, 400, "Failed to parse the request body as JSON: "),
    "a field missing": (b"{}", JSON, 422, "Failed to deserialize the JSON body into the target type: "),
    "a field of another kind": (
        b'{"email":1,"password":"x"}',
        JSON,
        422,
        "Failed to deserialize the JSON body into the target type: ",
    ),
}


@pytest.mark.parametrize(("raw", "headers", "status", "begins"), EXTRACTION.values(), ids=EXTRACTION.keys())
def test_a_body_is_read_before_anything_else(
    http: GatewayHttp, raw: bytes, headers: dict[str, str], status: int, begins: str
) -> None:
    """§2.1: plain-text refusals of the extractor, before limiters and counters."""
    reply = http.http.call("POST", "/auth/login", raw=raw, headers=headers)
    assert (reply.status, reply.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert reply.text.startswith(begins)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/auth/login", 405)])
def test_unknown_paths_and_methods(http: GatewayHttp, method: str, path: str, status: int) -> None:
    """§2.1: 404 and 405 with empty bodies."""
    reply = http.http.call(method, path)
    assert (reply.status, reply.text) == (status, "")


def test_the_greeting_and_the_pages(http: GatewayHttp) -> None:
    """§3: the root, the reputation that is never there, the web signalling addresses."""
    assert http.http.call("GET", "/").text == "Wavry Gateway Online"
    assert http.http.call("GET", "/v1/relays/reputation").status == 501
    config = http.http.call("GET", "/webrtc/config").decoded()
    assert config["offer_endpoint"] == "/webrtc/offer" and config["ws_signaling_url"].startswith("ws://")


def test_an_answer_to_another_origin(http: GatewayHttp) -> None:
    """§2.2: a listed Origin is echoed, another is not; OPTIONS is answered on any path."""
    listed = http.http.call("GET", "/health", headers={"Origin": "http://localhost:3000"})
    assert listed.headers["access-control-allow-origin"] == "http://localhost:3000"
    other = http.http.call("GET", "/health", headers={"Origin": "http://example.org"})
    assert "access-control-allow-origin" not in other.headers
    assert http.http.call("OPTIONS", "/nothing").status == 200


# --- §3.2: register ---------------------------------------------------------------------------------------


def test_registering_answers_with_an_account_and_a_session(http: GatewayHttp) -> None:
    """§3.2, §4: 201, the auth object, a 64-digit token for 24 h; names in lower case."""
    form = _form(email="  Mixed.Case@Example.org ", username="Mixed.Case", display_name=" Mixed ")
    reply = http.http.call("POST", "/auth/register", form)
    answer = reply.decoded()
    assert reply.status == 201
    assert answer.keys() == {"user", "session", "token", "user_id", "email", "username", "totp_required"}
    assert (answer["email"], answer["username"]) == ("mixed.case@example.org", "mixed.case")
    assert (answer["user"]["display_name"], answer["user"]["public_key"]) == ("Mixed", "0" * 64)
    assert re.fullmatch(r"[0-9a-f]{64}", answer["token"]) and answer["session"]["token"] == answer["token"]
    session = answer["session"]
    lasts = datetime.fromisoformat(session["expires_at"]) - datetime.fromisoformat(session["created_at"])
    assert lasts.total_seconds() == pytest.approx(86_400, abs=1)


BAD_FIELDS = [
    {"email": "no at sign"},
    {"email": "someone@nodot"},
    {"email": "a@b@c.de"},
    {"password": "eleven char"},
    {"password": "x" * 129},
    {"username": "ab"},
    {"username": "a space"},
    {"display_name": " "},
    {"display_name": "x" * 65},
    {"public_key": "0" * 63},
    {"public_key": "g" * 64},
]


@pytest.mark.parametrize("changed", BAD_FIELDS, ids=lambda changed: "-".join(changed))
def test_a_form_against_the_rules_is_refused(http: GatewayHttp, changed: dict[str, str]) -> None:
    """§3.1, §3.2: 400 ``Invalid registration payload`` for any rule."""
    with pytest.raises(Refused) as refused:
        http.http.granted("POST", "/auth/register", _form(**changed))
    assert (refused.value.status, refused.value.text) == (400, "Invalid registration payload")


@pytest.mark.parametrize(("field", "said"), [("email", "Email already exists"), ("username", "Account already exists")])
def test_a_name_can_be_had_once(http: GatewayHttp, account: Account, field: str, said: str) -> None:
    """§3.2: 409, and a letter's case makes no other name."""
    with pytest.raises(Refused) as refused:
        http.http.granted("POST", "/auth/register", _form(**{field: getattr(account, field).upper()}))
    assert (refused.value.status, refused.value.text) == (409, said)


# --- §3.3: login ------------------------------------------------------------------------------------------


def test_a_login_opens_a_further_session(http: GatewayHttp, account: Account) -> None:
    """§3.3, §4: 200; parallel sessions have tokens of their own."""
    again = http.login(account.email.upper(), PASSWORD)
    assert (again.user_id, again.username) == (account.user_id, account.username)
    assert again.token != account.token


@pytest.mark.parametrize(("email", "password"), [(None, "wrong"), ("nobody@example.org", PASSWORD)])
def test_wrong_credentials_are_one_answer(
    http: GatewayHttp, account: Account, email: str | None, password: str
) -> None:
    """§3.3 steps 5 and 8: unknown e-mail and wrong password cannot be told apart."""
    with pytest.raises(Refused) as refused:
        http.login(email or account.email, password)
    assert (refused.value.status, refused.value.text) == (401, "Invalid credentials")


def test_a_login_that_cannot_be_one(http: GatewayHttp) -> None:
    """§3.3 step 4."""
    with pytest.raises(Refused) as refused:
        http.login("no address", PASSWORD)
    assert (refused.value.status, refused.value.text) == (400, "Invalid login payload")


def test_five_failures_lock_the_account_everywhere(gateway: Gateway, http: GatewayHttp) -> None:
    """§3.3: the fifth still says 401, the sixth 429, from another address too; a lockout counts no more failures."""
    account = gateway.new_account()
    for _ in range(5):
        with pytest.raises(Refused, match="401"):
            http.login(account.email, "wrong password")
    with gateway.from_elsewhere() as elsewhere, pytest.raises(Refused) as refused:
        elsewhere.login(account.email, PASSWORD)
    assert refused.value.status == 429
    assert refused.value.text == "Account locked due to too many failed attempts. Try again later."


def test_five_failures_lock_the_address(gateway: Gateway, http: GatewayHttp, account: Account) -> None:
    """§3.3 step 3, D24: unknown e-mails count for the address; others behind it are locked out as well."""
    for number in range(5):
        with pytest.raises(Refused, match="401"):
            http.login(f"nobody{number}@example.org", PASSWORD)
    with pytest.raises(Refused) as refused:
        http.login(account.email, PASSWORD)
    assert refused.value.status == 429
    assert refused.value.text == "Too many failed attempts from this IP. Try again later."


def test_a_success_forgives_the_failures(gateway: Gateway, http: GatewayHttp) -> None:
    """§3.3 step 10: both counters start over."""
    account = gateway.new_account()
    for attempt in range(8):
        if attempt == 4:
            http.login(account.email, PASSWORD)
        else:
            with pytest.raises(Refused, match="401"):
                http.login(account.email, "wrong password")


def test_the_limit_of_logins_per_address(http: GatewayHttp) -> None:
    """§2.5: 20 in 60 s, refused ones included; another kind of call has its own count."""
    for _ in range(20):
        with pytest.raises(Refused, match="400"):
            http.login("no address", PASSWORD)
    with pytest.raises(Refused) as refused:
        http.login("no address", PASSWORD)
    assert (refused.value.status, refused.value.text) == (429, "Too many requests")
    with pytest.raises(Refused, match="400"):
        http.http.granted("POST", "/auth/register", _form(username="-"))


# --- §3.4: logout -----------------------------------------------------------------------------------------


def test_a_logout_ends_one_session(gateway: Gateway, http: GatewayHttp) -> None:
    """§3.4: revoked once, then unknown; the token binds no more, another session's still does."""
    account = gateway.new_account()
    other = http.login(account.email, PASSWORD)
    assert [http.logout(account.token), http.logout(account.token)] == [True, False]
    with gateway.socket() as socket:
        socket.bind(other.token)
        assert socket.receive(5.0) == Bound()


LOGOUTS: dict[str, tuple[dict[str, str], str]] = {
    "nothing": ({}, "Missing bearer token"),
    "lower-case bearer": ({"Authorization": "bearer " + "0" * 64}, "Missing bearer token"),
    "too short": ({"Authorization": "Bearer 0123"}, "Invalid session token"),
}


@pytest.mark.parametrize(("headers", "said"), LOGOUTS.values(), ids=LOGOUTS.keys())
def test_a_logout_without_a_token(http: GatewayHttp, headers: dict[str, str], said: str) -> None:
    """§3.4: 400."""
    with pytest.raises(Refused) as refused:
        http.http.granted("POST", "/auth/logout", headers=headers)
    assert (refused.value.status, refused.value.text) == (400, said)


# --- §3.6: signalling by HTTP -----------------------------------------------------------------------------


def test_an_offer_by_http_reaches_the_targets_socket(gateway: Gateway, http: GatewayHttp, account: Account) -> None:
    """§3.6: 202, and the target's socket gets it under the sender's name; nobody there is 404."""
    target = gateway.new_account()
    with pytest.raises(Refused) as refused:
        http.push_offer(account.token, target.username, "an offer")
    assert (refused.value.status, refused.value.text) == (404, f"Target user '{target.username}' is not connected")
    with gateway.socket() as socket:
        socket.bind(target.token)
        assert socket.receive(5.0) == Bound()
        http.push_offer(account.token, target.username, "an offer")
        assert socket.receive(5.0) == Offer(account.username, "an offer")


def test_an_offer_by_http_needs_a_session(http: GatewayHttp, account: Account) -> None:
    """§3.6: 401 for an unknown token, 400 for an empty or too long offer."""
    with pytest.raises(Refused, match="401 Invalid or expired session token"):
        http.push_offer("0" * 64, account.username, "an offer")
    for sdp in ("", "x" * 32_769):
        with pytest.raises(Refused, match="400 Invalid SDP size"):
            http.push_offer(account.token, account.username, sdp)


# --- §3.7, §3.8: metrics, admin ---------------------------------------------------------------------------


def test_the_counters_of_authentication(stage: Stage) -> None:
    """§3.7: fourteen names in their order; attempts, successes and failures by kind."""
    gateway = stage.gateway()
    account = gateway.new_account()
    with gateway.from_elsewhere() as http:
        http.login(account.email, PASSWORD)
        with pytest.raises(Refused):
            http.login(account.email, "wrong password")
        http.logout(account.token)
        counters = http.metrics_auth()
    totp = ("totp_setup_attempts", "totp_setup_success", "totp_enable_attempts", "totp_enable_success")
    assert list(counters) == [
        *("register_attempts", "register_success", "login_attempts", "login_success", *totp),
        *("logout_attempts", "logout_success", "rate_limited", "validation_errors", "auth_failures", "db_errors"),
    ]
    assert {name: count for name, count in counters.items() if count} == {
        "register_attempts": 1,
        "register_success": 1,
        "login_attempts": 2,
        "login_success": 1,
        "logout_attempts": 1,
        "logout_success": 1,
        "auth_failures": 1,
    }


def test_the_prometheus_page_is_six_lines(gateway: Gateway) -> None:
    """§3.7."""
    page = gateway.http.http.call("GET", "/metrics/prometheus")
    assert page.headers["content-type"] == "text/plain; version=0.0.4"
    lines = page.text.split("\n")
    assert len(lines) == 7 and lines[6] == ""
    assert lines[2].startswith("wavry_gateway_websocket_connections ")
    assert lines[5].startswith("wavry_gateway_relay_sessions ")


def test_an_operator_revokes_a_session(gateway: Gateway, http: GatewayHttp) -> None:
    """§3.8: 401 without the token; the raw session token ends that session."""
    account = gateway.new_account()
    assert http.http.call("POST", "/admin/api/sessions/revoke", {"token": account.token}).status == 401
    admin = {"x-admin-token": "contract-tests-admin-token-of-40-letters"}
    answer = http.http.call("POST", "/admin/api/sessions/revoke", {"token": account.token}, headers=admin)
    assert (answer.status, answer.decoded()) == (200, {"revoked": True})
    assert http.logout(account.token) is False


def test_an_operator_bans_a_user(target: Target, gateway: Gateway, http: GatewayHttp) -> None:
    """§3.8, D1: Wavry's table has another column, every ban is 500; a sound gateway refuses the login with 403."""
    account = gateway.new_account()
    admin = {"x-admin-token": "contract-tests-admin-token-of-40-letters"}
    body = {"user_id": account.user_id, "reason": "testing", "duration_hours": 1}
    answer = http.http.call("POST", "/admin/api/ban", body, headers=admin)
    assert answer.status == target.expects(sound=200, wavry=500)
    if answer.status == 200:
        with pytest.raises(Refused, match="403 Account suspended: testing"):
            http.login(account.email, PASSWORD)


# --- §7, §9: what a restart shows -------------------------------------------------------------------------


def test_what_was_acknowledged_survives_a_kill(stage: Stage) -> None:
    """§7, §9: accounts, sessions and lockouts are on disk; counters, sockets and limiter windows are not."""
    gateway = stage.gateway()
    account, revoked, locked = gateway.new_account(), gateway.new_account(), gateway.new_account()
    with gateway.from_elsewhere() as http:
        assert http.logout(revoked.token)
        for _ in range(5):
            with pytest.raises(Refused, match="401"):
                http.login(locked.email, "wrong password")
    gateway = stage.again(gateway)
    with gateway.socket() as socket:
        socket.bind(account.token)
        assert socket.receive(5.0) == Bound()
    with gateway.from_elsewhere() as http:
        assert http.login(revoked.email, PASSWORD).user_id == revoked.user_id
        assert http.logout(revoked.token) is False
        with pytest.raises(Refused, match="429 Account locked"):
            http.login(locked.email, PASSWORD)
        assert http.metrics_auth()["register_attempts"] == 0
    eventually(lambda: gateway.http.health().active_ws_connections == 0)


def test_a_database_that_is_not_there(stage: Stage) -> None:
    """§1.3: without its file the gateway does not start: exit 101 (a panic), the file named in its words."""
    process = stage.start("gateway", [], {"DATABASE_URL": "sqlite:///nowhere/at/all.db"})
    assert process.ended() == 101
    assert "failed to connect to database" in process.logged()

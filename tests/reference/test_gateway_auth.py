"""Accounts at the gateway: registering, logging in and out, lockouts, two-factor login."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from drills.reference.gateway import totp
from drills.reference.gateway.settings import Rate, Rates
from tests.reference.gateway_house import PASSWORD, PLENTY, WAIT_S, House, registration, standing

KEY = base64.b64encode(bytes(32)).decode()
LOCKED = "Account locked due to too many failed attempts. Try again later."
IP_LOCKED = "Too many failed attempts from this IP. Try again later."
Play = Callable[[House], Awaitable[None]]


def played(folder: Path, play: Play, **settings: Any) -> None:
    """Stand a gateway up, let the test play with it, take it down; bounded in time."""

    async def run() -> None:
        async with asyncio.timeout(4 * WAIT_S), standing(folder, **settings) as house:
            await play(house)

    asyncio.run(run())


def credentials(name: str, **changed: str) -> dict[str, str]:
    """A good body for ``/auth/login``."""
    return {"email": f"{name}@x.org", "password": PASSWORD, **changed}


def test_registering_answers_the_whole_auth_object(tmp_path: Path) -> None:
    """201, keys in order, e-mail and username lower-case, 24 h of session."""

    async def play(house: House) -> None:
        answer = await house.post("/auth/register", registration("ann", email=" ANN@x.org ", username="Ann"))
        assert answer.status == 201
        assert list(answer.json) == ["user", "session", "token", "user_id", "email", "username", "totp_required"]
        assert list(answer.json["user"]) == ["id", "email", "username", "public_key", "display_name", "created_at"]
        assert (answer.json["email"], answer.json["username"], answer.json["totp_required"]) == (
            "ann@x.org",
            "ann",
            False,
        )
        session = answer.json["session"]
        assert list(session) == ["token", "user_id", "expires_at", "ip_address", "created_at"]
        assert (session["created_at"], session["expires_at"]) == ("2026-11-23T12:00:00Z", "2026-11-24T12:00:00Z")
        assert len(answer.json["token"]) == 64 and session["ip_address"] == "127.0.0.1"

    played(tmp_path, play)


@pytest.mark.parametrize(
    "changed",
    [
        {"email": "no"},
        {"password": "x" * 11},
        {"password": "x" * 129},
        {"display_name": "  "},
        {"display_name": "a\x07"},
        {"username": "a!b"},
        {"public_key": "ab" * 31},
        {"public_key": "xy" * 32},
    ],
)
def test_each_registration_field_has_its_rule(tmp_path: Path, changed: dict[str, str]) -> None:
    """One bad field is a 400 and no account."""

    async def play(house: House) -> None:
        answer = await house.post("/auth/register", registration("ann", **changed))
        assert (answer.status, answer.text) == (400, '{"error":"Invalid registration payload"}')

    played(tmp_path, play)


def test_an_address_or_a_name_is_taken_once(tmp_path: Path) -> None:
    """The two clashes have their own words."""

    async def play(house: House) -> None:
        await house.register("ann")
        again = await house.post("/auth/register", registration("ann"))
        name = await house.post("/auth/register", registration("bob", username="ANN"))
        assert (again.status, again.json["error"]) == (409, "Email already exists")
        assert (name.status, name.json["error"]) == (409, "Account already exists")

    played(tmp_path, play)


def test_a_registration_is_whole_or_not_there(tmp_path: Path) -> None:
    """When the session cannot be stored the account is not either, so a retry is no 409 (D31)."""

    async def play(house: House) -> None:
        await house.gateway.database.write(lambda db: db.execute("ALTER TABLE sessions RENAME TO away"))
        failed = await house.post("/auth/register", registration("ann"))
        await house.gateway.database.write(lambda db: db.execute("ALTER TABLE away RENAME TO sessions"))
        assert (failed.status, failed.json["error"]) == (500, "Database error")
        await house.register("ann")

    played(tmp_path, play)


def test_logging_in_needs_the_right_password(tmp_path: Path) -> None:
    """200, 401 for a stranger and a wrong password alike, 400 for nonsense."""

    async def play(house: House) -> None:
        await house.register("ann")
        good = await house.post("/auth/login", credentials("ann", email=" ANN@X.org"))
        assert good.status == 200 and good.json["username"] == "ann"
        for body in (credentials("no"), credentials("ann", password="wrong")):
            bad = await house.post("/auth/login", body)
            assert (bad.status, bad.json["error"]) == (401, "Invalid credentials")
        odd = await house.post("/auth/login", credentials("ann", password=""))
        assert (odd.status, odd.json["error"]) == (400, "Invalid login payload")

    played(tmp_path, play)


def test_the_sixth_try_is_locked_until_fifteen_minutes_have_passed(tmp_path: Path) -> None:
    """Even the right password is refused, then accepted, and one more mistake does not lock again (D24)."""

    async def play(house: House) -> None:
        await house.register("ann")
        wrong = credentials("ann", password="wrong")
        assert [(await house.post("/auth/login", wrong)).status for _ in range(6)] == [401] * 5 + [429]
        locked = await house.post("/auth/login", credentials("ann"))
        assert (locked.status, locked.json["error"]) == (429, LOCKED)
        house.time.pass_s(15 * 60)
        assert (await house.post("/auth/login", wrong)).status == 401
        assert (await house.post("/auth/login", credentials("ann"))).status == 200

    played(tmp_path, play)


def test_a_lock_does_not_tell_which_accounts_exist(tmp_path: Path) -> None:
    """Strangers are locked like users (D24), and another address from the locked IP hears of the IP."""

    async def play(house: House) -> None:
        for _ in range(5):
            await house.post("/auth/login", credentials("stranger"))
        assert (await house.post("/auth/login", credentials("stranger"))).json["error"] == LOCKED
        assert (await house.post("/auth/login", credentials("other"))).json["error"] == IP_LOCKED

    played(tmp_path, play)


def test_a_good_login_forgets_earlier_failures(tmp_path: Path) -> None:
    """Four mistakes, a success, four mistakes: never locked."""

    async def play(house: House) -> None:
        await house.register("ann")
        for _ in range(2):
            for _ in range(4):
                assert (await house.post("/auth/login", credentials("ann", password="wrong"))).status == 401
            assert (await house.post("/auth/login", credentials("ann"))).status == 200

    played(tmp_path, play)


def test_the_twenty_first_login_of_a_minute_is_refused(tmp_path: Path) -> None:
    """Per address, whatever the account; the next minute is new."""

    async def play(house: House) -> None:
        statuses = [(await house.post("/auth/login", credentials("ann", email="no"))).status for _ in range(21)]
        assert statuses == [400] * 20 + [429]
        house.time.pass_s(60)
        assert (await house.post("/auth/login", credentials("ann", email="no"))).status == 400

    played(tmp_path, play, rates=Rates())


def test_a_database_that_cannot_be_asked_lets_nobody_in(tmp_path: Path) -> None:
    """Login and register are 500 with one text; no lock is skipped."""

    async def play(house: House) -> None:
        await house.gateway.database.write(lambda db: db.execute("DROP TABLE login_failures"))
        login = await house.post("/auth/login", credentials("ann"))
        assert (login.status, login.json["error"]) == (500, "Database error")
        counters = (await house.get("/metrics/auth")).json
        assert (counters["login_attempts"], counters["db_errors"]) == (1, 1)

    played(tmp_path, play)


def test_a_stored_hash_that_is_none_is_our_fault(tmp_path: Path) -> None:
    """500, not 401."""

    async def play(house: House) -> None:
        await house.register("ann")
        await house.gateway.database.write(lambda db: db.execute("UPDATE users SET password_hash = 'plain'"))
        answer = await house.post("/auth/login", credentials("ann"))
        assert (answer.status, answer.json["error"]) == (500, "Invalid stored hash")

    played(tmp_path, play)


def test_logging_out_revokes_once(tmp_path: Path) -> None:
    """Either header, trimmed; the second time there is nothing left to revoke."""

    async def play(house: House) -> None:
        token = await house.register("ann")
        first = await house.post("/auth/logout", headers={"Authorization": f"Bearer {token}"})
        second = await house.post("/auth/logout", headers={"X-Session-Token": f"{token} "})
        assert (first.status, first.text, second.text) == (200, '{"revoked":true}', '{"revoked":false}')
        for headers, text in (
            ({}, "Missing bearer token"),
            ({"Authorization": f"bearer {token}"}, "Missing bearer token"),
            ({"X-Session-Token": "short"}, "Invalid session token"),
        ):
            refused = await house.post("/auth/logout", headers=headers)
            assert (refused.status, refused.json["error"]) == (400, text)

    played(tmp_path, play)


def test_one_token_can_be_logged_out_only_so_often(tmp_path: Path) -> None:
    """The limiter behind the limiter has its own words."""

    async def play(house: House) -> None:
        headers = {"X-Session-Token": "f" * 64}
        answers = [await house.post("/auth/logout", headers=headers) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert answers[2].json["error"] == "Too many logout requests"

    played(tmp_path, play, rates=Rates(PLENTY, Rate(2, 60, 10), PLENTY, PLENTY, PLENTY))


def test_a_banned_user_is_told_only_after_the_right_password(tmp_path: Path) -> None:
    """403 with the reason for the owner, 401 for a guesser, and a ban that has ended is none (D25, D3)."""

    async def play(house: House) -> None:
        await house.register("ann")
        ban = "INSERT INTO user_bans SELECT id, ?, '2026-11-01 00:00:00', ? FROM users"
        await house.gateway.database.write(lambda db: db.execute(ban, ("spam", "2026-11-23T12:00:01.0+00:00")))
        wrong = await house.post("/auth/login", credentials("ann", password="wrong"))
        right = await house.post("/auth/login", credentials("ann"))
        assert (wrong.status, right.status, right.json["error"]) == (401, 403, "Account suspended: spam")
        house.time.pass_s(1)
        assert (await house.post("/auth/login", credentials("ann"))).status == 200

    played(tmp_path, play)


async def enabled(house: House, name: str) -> str:
    """Switch two-factor login on for a fresh account; the secret."""
    await house.register(name)
    secret = str((await house.post("/auth/2fa/setup", credentials(name))).json["secret"])
    code = totp.code(secret, house.time.wall.timestamp())
    answer = await house.post("/auth/2fa/enable", credentials(name, secret=secret, code=code))
    assert answer.status == 200 and len(answer.json["token"]) == 64
    return secret


def test_two_factor_login_asks_for_a_code(tmp_path: Path) -> None:
    """Absent is not a failure, malformed and wrong are 401, right is 200; the row at rest is sealed."""

    async def play(house: House) -> None:
        secret = await enabled(house, "ann")
        stored = await house.gateway.database.read(lambda db: db.execute("SELECT totp_secret FROM users").fetchone())
        assert stored[0].startswith("enc:v1:") and secret not in stored[0]
        good = totp.code(secret, house.time.wall.timestamp())
        wrong = f"{(int(good) + 1) % 1_000_000:06d}"
        for code, status, text in (
            (None, 401, "2FA required"),
            ("", 401, "Invalid 2FA code"),
            ("abc", 401, "Invalid 2FA code"),
            (wrong, 401, "Invalid 2FA code"),
            (good, 200, None),
        ):
            answer = await house.post("/auth/login", {**credentials("ann"), "totp_code": code})
            assert (answer.status, answer.json.get("error")) == (status, text)

    played(tmp_path, play, totp_key_b64=KEY)


def test_changing_two_factor_login_asks_for_the_current_code(tmp_path: Path) -> None:
    """Setup and enable, each in its own words."""

    async def play(house: House) -> None:
        secret = await enabled(house, "ann")
        good = totp.code(secret, house.time.wall.timestamp())
        bodies = [credentials("ann"), credentials("ann", totp_code="x"), credentials("ann", totp_code=good)]
        answers = [await house.post("/auth/2fa/setup", body) for body in bodies]
        assert [answer.status for answer in answers] == [401, 400, 200]
        assert answers[0].json["error"] == "Current 2FA code required to change 2FA settings"
        assert answers[1].json["error"] == "Invalid 2FA code format"
        enable = credentials("ann", secret=secret, code=good)
        absent = await house.post("/auth/2fa/enable", enable)
        bad = await house.post("/auth/2fa/enable", {**enable, "existing_totp_code": "x"})
        assert (absent.status, absent.json["error"]) == (401, "Current 2FA code required to replace 2FA settings")
        assert (bad.status, bad.json["error"]) == (400, "Invalid existing 2FA code format")

    played(tmp_path, play, totp_key_b64=KEY)


def test_enabling_needs_a_secret_its_code_and_a_key(tmp_path: Path) -> None:
    """400, 400, and 500 where secrets cannot be sealed."""

    async def play(house: House) -> None:
        await house.register("ann")
        secret = totp.new_secret()
        code = totp.code(secret, house.time.wall.timestamp())
        wrong = f"{(int(code) + 1) % 1_000_000:06d}"
        for changed, status, text in (
            ({"secret": "abc"}, 400, "Invalid TOTP secret"),
            ({"code": wrong}, 400, "Invalid code"),
            ({"code": "x"}, 400, "Invalid 2FA enable payload"),
            ({}, 500, "2FA secret encryption failed"),
        ):
            body = {**credentials("ann", secret=secret, code=code), **changed}
            answer = await house.post("/auth/2fa/enable", body)
            assert (answer.status, answer.json["error"]) == (status, text)

    played(tmp_path, play)


def test_the_two_factor_routes_are_no_way_round_the_lock(tmp_path: Path) -> None:
    """Wrong passwords there count, and a lock holds there too (D24)."""

    async def play(house: House) -> None:
        await house.register("ann")
        wrong = credentials("ann", password="wrong")
        answers = [await house.post("/auth/2fa/setup", wrong) for _ in range(6)]
        assert [answer.status for answer in answers] == [401] * 5 + [429]
        assert answers[0].json["error"] == "Auth failed"
        assert (await house.post("/auth/login", credentials("ann"))).json["error"] == LOCKED

    played(tmp_path, play)


def test_a_new_key_shuts_two_factor_users_out_with_a_500(tmp_path: Path) -> None:
    """A lost key is the gateway's fault, not the user's."""

    async def play(house: House) -> None:
        secret = await enabled(house, "ann")
        house.gateway.vault = totp.Vault(base64.b64encode(bytes([7]) * 32).decode())
        body = credentials("ann", totp_code=totp.code(secret, house.time.wall.timestamp()))
        answer = await house.post("/auth/login", body)
        assert (answer.status, answer.json["error"]) == (500, "2FA verification unavailable")

    played(tmp_path, play, totp_key_b64=KEY)


def test_the_counters_tell_what_happened_in_their_order(tmp_path: Path) -> None:
    """Fourteen of them; a clash is a failure, nonsense a validation error, an unread body nothing."""

    async def play(house: House) -> None:
        await house.register("ann")
        await house.post("/auth/register", registration("ann"))
        await house.post("/auth/register", registration("ann", email="no"))
        await house.post("/auth/register", data="{", headers={"Content-Type": "application/json"})
        answer = await house.get("/metrics/auth")
        names = ["register", "login", "totp_setup", "totp_enable", "logout"]
        expected = [f"{name}_{what}" for name in names for what in ("attempts", "success")]
        assert list(answer.json) == [*expected, "rate_limited", "validation_errors", "auth_failures", "db_errors"]
        assert [count for count in answer.json.values() if count] == [3, 1, 1, 1]

    played(tmp_path, play)


def test_the_log_holds_no_secret_and_no_address(tmp_path: Path) -> None:
    """Tokens, passwords, codes, keys and e-mail addresses stay out of it."""

    async def play(house: House) -> None:
        secret = await enabled(house, "ann")
        token = (await house.post("/auth/login", credentials("ann", password="wrong-password"))).json
        assert token == {"error": "Invalid credentials"}
        socket = await house.open()
        await socket.send_str("f" * 64)
        await socket.receive(timeout=WAIT_S)
        written = house.log.getvalue()
        assert 'event="REGISTRATION"' in written and 'reason="INVALID_PASSWORD"' in written
        for hidden in (PASSWORD, "wrong-password", secret, "ann@x.org", "f" * 64, KEY):
            assert hidden not in written

    played(tmp_path, play, totp_key_b64=KEY)

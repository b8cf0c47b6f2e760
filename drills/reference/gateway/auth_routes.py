"""``/auth/register``, ``/auth/login`` and ``/auth/logout`` (contract §3.2 to §3.4, §4)."""

from __future__ import annotations

import asyncio
from datetime import datetime

from aiohttp import web

from drills.reference.gateway import accounts, moments, rules
from drills.reference.gateway.accounts import Session, User
from drills.reference.gateway.credentials import CodeTexts, check_code, look, proven
from drills.reference.gateway.database import Clash, StoreError
from drills.reference.gateway.edge import client_ip, json_answer, refuse_beyond
from drills.reference.gateway.forms import LoginForm, RegisterForm
from drills.reference.gateway.gateway import GATEWAY, Gateway
from drills.reference.gateway.passwords import HashingFailed
from drills.reference.gateway.refusal import Refused, database_refusal

LOGIN_CODE = CodeTexts(
    "2FA required", "Invalid 2FA code", "Invalid 2FA code", malformed_status=401, empty_is_absent=False
)


def auth_object(user: User, session: Session) -> dict[str, object]:
    """What a successful register, login or 2FA enable answers, in the contract's order of keys."""
    return {
        "user": {
            "id": user.id,
            "email": user.email,
            "username": user.username,
            "public_key": user.public_key,
            "display_name": user.display_name,
            "created_at": moments.shown(user.created_at),
        },
        "session": {
            "token": session.token,
            "user_id": session.user_id,
            "expires_at": moments.shown(session.expires_at),
            "ip_address": session.ip_address,
            "created_at": moments.shown(session.created_at),
        },
        "token": session.token,
        "user_id": user.id,
        "email": user.email,
        "username": user.username,
        "totp_required": False,
    }


async def register(request: web.Request) -> web.Response:
    """Make an account and its first session, both or neither (intended; D31)."""
    form = await RegisterForm.read(request)
    gateway, ip = request.app[GATEWAY], client_ip(request)
    with gateway.counters.attempt("register"):
        refuse_beyond(gateway.limiters.auth, f"register:{ip}", gateway)
        if not form.ok:
            raise Refused(400, "Invalid registration payload")
        await _refuse_taken(gateway, form.email)
        now = gateway.clock.utc()
        user = await _hashed_user(gateway, form, now)
        session = accounts.new_session(user.id, ip, now, gateway.session_life)
        await _store(gateway, user, session)
    gateway.log.audit("User registration", "REGISTRATION", ip, user_id=user.id)
    return json_answer(auth_object(user, session), 201)


async def _refuse_taken(gateway: Gateway, email: str) -> None:
    try:
        taken = await gateway.database.read(lambda db: accounts.email_taken(db, email))
    except StoreError as problem:
        gateway.log.fail(f"registration look-up failed: {problem}", part="auth")
        raise database_refusal() from problem
    if taken:
        raise Refused(409, "Email already exists")


async def _hashed_user(gateway: Gateway, form: RegisterForm, now: datetime) -> User:
    try:
        hashed = await gateway.passwords.hashed(form.password)
    except HashingFailed as problem:
        raise Refused(500, "Hashing failed") from problem
    return accounts.new_user(form.email, hashed, form.display_name, form.username, form.public_key, now)


async def _store(gateway: Gateway, user: User, session: Session) -> None:
    try:
        await gateway.database.write(lambda db: accounts.sign_up(db, user, session))
    except Clash as problem:
        raise Refused(409, "Account already exists") from problem
    except StoreError as problem:
        gateway.log.fail(f"registration failed: {problem}", part="auth")
        raise database_refusal() from problem


async def login(request: web.Request) -> web.Response:
    """A new session for a password, and a code where two-factor login is on."""
    form = await LoginForm.read(request)
    gateway, ip = request.app[GATEWAY], client_ip(request)
    with gateway.counters.attempt("login"):
        refuse_beyond(gateway.limiters.auth, f"login:{ip}", gateway)
        view = await look(gateway, form.email, ip)
        if not form.ok:
            raise Refused(400, "Invalid login payload")
        if gateway.login_held_s:
            await asyncio.sleep(gateway.login_held_s)
        user = await proven(gateway, view, form.email, form.password, ip, "Invalid credentials")
        await check_code(gateway, user, form.code, ip, LOGIN_CODE)
        session = accounts.new_session(user.id, ip, gateway.clock.utc(), gateway.session_life)
        try:
            await gateway.database.write(lambda db: accounts.log_in(db, user.email, session))
        except StoreError as problem:
            gateway.log.fail(f"failed to create session: {problem}", part="auth")
            raise database_refusal("Session creation failed") from problem
    gateway.log.audit("Authentication successful", "LOGIN_SUCCESS", ip, user_id=user.id)
    return json_answer(auth_object(user, session))


async def logout(request: web.Request) -> web.Response:
    """End a session, and the WebSocket bound with it (intended; D26)."""
    gateway, ip = request.app[GATEWAY], client_ip(request)
    with gateway.counters.attempt("logout"):
        refuse_beyond(gateway.limiters.auth, f"logout:{ip}", gateway)
        hashed = accounts.token_hash(_session_token(request))
        key = f"logout:{ip}:{hashed.removeprefix('h1:')}"
        refuse_beyond(gateway.limiters.post_auth, key, gateway, "Too many logout requests")
        try:
            revoked = await _revoked(gateway, hashed)
        except StoreError as problem:
            gateway.log.fail(f"logout failed: {problem}", part="auth")
            raise database_refusal("Logout failed") from problem
    gateway.switchboard.end_token(hashed, "Session revoked")
    gateway.log.audit("Session logout", "LOGOUT", ip)
    return json_answer({"revoked": revoked})


async def _revoked(gateway: Gateway, hashed: str) -> bool:
    if gateway.defects.on("gateway_revives_revoked"):
        gateway.unrevoked.add(hashed)
        return True
    return await gateway.database.write(lambda db: accounts.revoke(db, hashed))


def _session_token(request: web.Request) -> str:
    """The token of a request's headers; Refused when there is none or it has the wrong shape."""
    token = request.headers.get("X-Session-Token", "").strip()
    bearer = request.headers.get("Authorization", "")
    if not token and bearer.startswith("Bearer "):
        token = bearer.removeprefix("Bearer ").strip()
    if not token:
        raise Refused(400, "Missing bearer token")
    if not rules.token_ok(token):
        raise Refused(400, "Invalid session token")
    return token

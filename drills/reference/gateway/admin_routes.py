"""The admin API (contract §3.8), working: in Wavry every ban and every overview is a 500 (intended; D1)."""

from __future__ import annotations

import hmac
from typing import TypeVar

from aiohttp import web

from drills.reference.gateway import ledger
from drills.reference.gateway.database import StoreError, Work
from drills.reference.gateway.edge import body, client_ip, json_answer, refuse_beyond, unfit
from drills.reference.gateway.gateway import GATEWAY, Gateway
from drills.reference.gateway.ledger import Actor
from drills.reference.gateway.refusal import Refused
from drills.reference.strict_json import WrongShape

BAN_HOURS_MAX = 10 * 365 * 24
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Wavry gateway (reference)</title></head>
<body><h1>Wavry gateway (reference)</h1><p>The admin API is under <code>/admin/api/</code>; there is no panel here.</p>
</body></html>
"""

T = TypeVar("T")


async def page(request: web.Request) -> web.Response:
    """A page that says where the API is."""
    return web.Response(text=PAGE, content_type="text/html")


async def overview(request: web.Request) -> web.Response:
    """Users, sessions, bans and the latest admin acts."""
    gateway, actor = _admitted(request)
    return json_answer(await _read(gateway, lambda db: ledger.overview(db, actor.now), "failed to load overview"))


async def audit(request: web.Request) -> web.Response:
    """The latest admin acts."""
    gateway, _ = _admitted(request)
    return json_answer(await _read(gateway, ledger.audit, "failed to load audit log"))


async def revoke(request: web.Request) -> web.Response:
    """End a session by its token or by the form the overview lists (intended; D27), and its sockets (D26)."""
    fields = await body(request)
    try:
        token = fields.text("token")
    except WrongShape as problem:
        raise unfit(problem) from None
    gateway, actor = _admitted(request)
    hashed = ledger.named_token(token)
    revoked = await _write(gateway, lambda db: ledger.revoke_session(db, hashed, actor), "failed to revoke session")
    gateway.switchboard.end_token(hashed, "Session revoked")
    return json_answer({"revoked": revoked})


async def ban(request: web.Request) -> web.Response:
    """Ban a user, close their sockets, make their tokens useless while it lasts (intended; D25)."""
    fields = await body(request)
    try:
        user_id, reason = fields.text("user_id"), fields.text("reason")
        hours = fields.optional_integer("duration_hours")
    except WrongShape as problem:
        raise unfit(problem) from None
    gateway, actor = _admitted(request)
    if hours is not None and not 1 <= hours <= BAN_HOURS_MAX:
        raise Refused(400, f"duration_hours must be 1 to {BAN_HOURS_MAX}")
    known = await _write(gateway, lambda db: ledger.ban(db, user_id, reason, hours, actor), "failed to ban user")
    if not known:
        raise Refused(404, "user not found")
    gateway.switchboard.end_user(user_id, f"Account suspended: {reason}")
    return json_answer({"success": True})


async def unban(request: web.Request) -> web.Response:
    """Lift a ban."""
    fields = await body(request)
    try:
        user_id = fields.text("user_id")
    except WrongShape as problem:
        raise unfit(problem) from None
    gateway, actor = _admitted(request)
    await _write(gateway, lambda db: ledger.unban(db, user_id, actor), "failed to unban user")
    return json_answer({"success": True})


def _admitted(request: web.Request) -> tuple[Gateway, Actor]:
    """The operator behind a request; Refused when there are too many of them or the token is wrong."""
    gateway, ip = request.app[GATEWAY], client_ip(request)
    refuse_beyond(gateway.limiters.auth, f"admin:{ip}", gateway, "Too many admin requests")
    if not gateway.settings.admin_enabled:
        raise Refused(401, "admin panel disabled: set ADMIN_PANEL_TOKEN")
    bearer = request.headers.get("Authorization", "")
    token = request.headers.get("X-Admin-Token") or (bearer.removeprefix("Bearer ") if bearer[:7] == "Bearer " else "")
    if not hmac.compare_digest(token.encode(), gateway.settings.admin_token.encode()):
        raise Refused(401, "invalid admin token")
    return gateway, Actor(ip, gateway.clock.utc())


async def _read(gateway: Gateway, work: Work[T], failed: str) -> T:
    try:
        return await gateway.database.read(work)
    except StoreError as problem:
        raise Refused(500, f"{failed}: {problem}") from problem


async def _write(gateway: Gateway, work: Work[T], failed: str) -> T:
    try:
        return await gateway.database.write(work)
    except StoreError as problem:
        gateway.log.fail(f"{failed}: {problem}", part="admin")
        raise Refused(500, f"{failed}: {problem}") from problem

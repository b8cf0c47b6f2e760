"""Signaling without a WebSocket of one's own, and the relay report (contract §3.6)."""

from __future__ import annotations

from aiohttp import web

from drills.reference.gateway import accounts, dialect, ledger, rules
from drills.reference.gateway.database import StoreError
from drills.reference.gateway.edge import client_ip, json_answer, refuse_beyond
from drills.reference.gateway.forms import ReportForm, SignalForm
from drills.reference.gateway.gateway import GATEWAY, Gateway
from drills.reference.gateway.refusal import Refused, database_refusal
from drills.reference.gateway.switchboard import Holder


async def config(request: web.Request) -> web.Response:
    """Where to signal."""
    return json_answer(
        {
            "ws_signaling_url": request.app[GATEWAY].signaling_url,
            "offer_endpoint": "/webrtc/offer",
            "answer_endpoint": "/webrtc/answer",
            "candidate_endpoint": "/webrtc/candidate",
        }
    )


async def offer(request: web.Request) -> web.Response:
    """Pass an SDP offer on."""
    return await _pass_on(request, "Offer", "offer")


async def answer(request: web.Request) -> web.Response:
    """Pass an SDP answer on."""
    return await _pass_on(request, "Answer", "answer")


async def candidate(request: web.Request) -> web.Response:
    """Pass an ICE candidate on."""
    return await _pass_on(request, "Candidate", "candidate")


async def _pass_on(request: web.Request, tag: str, route: str) -> web.Response:
    kind = dialect.FORWARDED[tag]
    form = await SignalForm.read(request, kind.field)
    gateway = request.app[GATEWAY]
    key = f"{route}:{client_ip(request)}"
    refuse_beyond(gateway.limiters.webrtc, key, gateway, "Too many signaling requests")
    _check(form, tag)
    sender = await _holder(gateway, form.token)
    if sender is None:
        raise Refused(401, "Invalid or expired session token")
    target = gateway.switchboard.find(form.target)
    if target is None or not target.deliver(dialect.forwarded(tag, sender.username, form.content)):
        raise Refused(404, f"Target user '{form.target}' is not connected")
    return json_answer({"from_username": sender.username, "target_username": form.target, "relayed": True}, 202)


def _check(form: SignalForm, tag: str) -> None:
    if not rules.token_ok(form.token):
        raise Refused(400, "Invalid session token")
    if not rules.name_ok(form.target):
        raise Refused(400, "Invalid target username")
    if not 1 <= rules.size(form.content) <= dialect.FORWARDED[tag].bytes_max:
        raise Refused(400, "Invalid ICE candidate size" if tag == "Candidate" else "Invalid SDP size")


async def _holder(gateway: Gateway, token: str) -> Holder | None:
    """Whom a token belongs to; Refused with 500 when that cannot be found out (intended; D30)."""
    hashed, now = accounts.token_hash(token), gateway.clock.utc()
    try:
        return await gateway.database.read(lambda db: accounts.holder(db, hashed, now))
    except StoreError as problem:
        gateway.log.fail(f"session lookup failed: {problem}")
        raise database_refusal("Session lookup failed") from problem


async def report(request: web.Request) -> web.Response:
    """Store a client's word on a relay; 200 only when it is on disk (intended; D30)."""
    form = await ReportForm.read(request)
    gateway = request.app[GATEWAY]
    if not rules.token_ok(form.token) or await _holder(gateway, form.token) is None:
        raise Refused(401, "Invalid session token")
    given = ledger.Report(form.relay_id, form.success, form.bytes_sent, form.duration_s)
    now = gateway.clock.utc()
    try:
        await gateway.database.write(lambda db: ledger.report(db, given, now))
    except StoreError as problem:
        gateway.log.fail(f"relay report failed: {problem}")
        raise database_refusal("Relay report failed") from problem
    return web.Response()


async def reputation(request: web.Request) -> web.Response:
    """Not there, in Wavry neither."""
    return web.Response(status=501)

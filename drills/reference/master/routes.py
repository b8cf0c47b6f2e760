"""The HTTP routes of contract §2.6: decode, check in the stated order, ask the core, answer.

Each handler reads top to bottom as its row in the contract does; the time is taken once, at its start.
"""

from __future__ import annotations

from aiohttp import web

from drills.reference.master import bodies
from drills.reference.master.clock import Moment
from drills.reference.master.log import log
from drills.reference.master.master import Master
from drills.reference.master.registry import Registration, Relay
from drills.reference.master.sockets import Sockets
from drills.reference.master.web_rules import BODY_BYTES_MAX, answer, bears, body_of, conventions, cross_origin

BITRATE_KBPS_MIN = 10_000


class Routes:
    """The handlers of one master."""

    def __init__(self, master: Master, sockets: Sockets) -> None:
        self._master = master
        self._sockets = sockets

    async def health(self, _: web.Request) -> web.Response:
        """``GET /health``: always 200."""
        master, now_s = self._master, Moment.now().steady_s
        return answer(
            {
                "status": "ok",
                "ready": master.ready(now_s),
                "uptime_secs": int(now_s - master.started_s),
                "peers_connected": master.switchboard.peers_connected,
                "relays_registered": len(master.registry.relays()),
                "relays_assignable": master.registry.assignable(now_s),
                "signing_key_id": master.signer.key_id,
                "provisioned_signing_key": master.signer.provisioned,
                "lease_ttl_secs": int(master.signer.lease_ttl.total_seconds()),
            }
        )

    async def ready(self, _: web.Request) -> web.Response:
        """``GET /ready``: 200 or 503."""
        master, now_s = self._master, Moment.now().steady_s
        ready = master.ready(now_s)
        return answer(
            {
                "ready": ready,
                "relays_assignable": master.registry.assignable(now_s),
                "provisioned_signing_key": master.signer.provisioned,
                "signing_key_id": master.signer.key_id,
            },
            200 if ready else 503,
        )

    async def identity(self, _: web.Request) -> web.Response:
        """``GET /.well-known/wavry-id``: the key in hex."""
        signer = self._master.signer
        return answer({"public_key": signer.key.public_hex, "key_id": signer.key_id, "version": "1.0"})

    async def register(self, request: web.Request) -> web.Response:
        """``POST /v1/relays/register``: 401, 400, 403, then stored."""
        said = await body_of(request, bodies.registration)
        if not self._is_relay(request, "register"):
            return web.Response(status=401)
        if not said.relay_id.strip() or not said.endpoints:
            return web.Response(status=400)
        if said.max_bitrate_kbps < BITRATE_KBPS_MIN:
            log.warning("relay %s rejected: %d kbps is too little", said.relay_id, said.max_bitrate_kbps)
            return web.Response(status=400, text="Relay must support at least 10Mbps bandwidth")
        return self._registered(said)

    def _registered(self, said: Registration) -> web.Response:
        now_s, signer = Moment.now().steady_s, self._master.signer
        refusal = self._master.registry.refusal(said, now_s)
        if refusal:
            log.warning("%s", refusal)
            return web.Response(status=403)
        self._master.registry.register(said, now_s)
        log.info("relay registered: %s", said.relay_id)
        return answer(
            {
                "heartbeat_interval_ms": round(self._master.timers.heartbeat_s * 1000),
                "master_public_key": list(signer.key.public_key),
                "master_key_id": signer.key_id,
            }
        )

    async def heartbeat(self, request: web.Request) -> web.Response:
        """``POST /v1/relays/heartbeat``: 401, 400, 404; ``state`` in the answer is ours."""
        beat = await body_of(request, bodies.heartbeat)
        if not self._is_relay(request, "heartbeat"):
            return web.Response(status=401)
        if not 0 <= beat.load_pct <= 100 or not beat.relay_id.strip():
            return web.Response(status=400)
        state = self._master.registry.heartbeat(beat.relay_id, beat.load_pct, Moment.now().steady_s)
        return web.Response(status=404) if state is None else answer({"ok": True, "state": state})

    async def relays(self, _: web.Request) -> web.Response:
        """``GET /v1/relays``: every record, also those that get no leases."""
        now_s = Moment.now().steady_s
        return answer([_listed(relay, now_s) for relay in self._master.registry.relays()])

    async def feedback(self, request: web.Request) -> web.Response:
        """``POST /v1/feedback``: always accepted, and counted if it comes from a session that was lent."""
        feedback = await body_of(request, bodies.feedback)
        if self._master.rated(feedback):
            log.info("feedback received for relay %s: score=%d", feedback.relay_id, feedback.quality_score)
        return answer({"accepted": True})

    async def revoke(self, request: web.Request) -> web.Response:
        """``POST /admin/api/sessions/revoke``: the name loses its sockets and gets no more leases."""
        name = await body_of(request, bodies.revocation)
        if not self._is_operator(request):
            return web.Response(status=401)
        self._master.memory.revoke(name)
        self._sockets.act(self._master.switchboard.revoked(name))
        log.info("Banned user %s", name)
        return answer({"banned": True})

    async def update_state(self, request: web.Request) -> web.Response:
        """``POST /admin/api/relays/update_state``: 401, 404, or an empty 200 once the state is saved."""
        update = await body_of(request, bodies.state_update)
        if not self._is_operator(request):
            return web.Response(status=401)
        before = self._master.registry.set_state(update.relay_id, update.state)
        if before is None:
            return web.Response(status=404)
        log.info("Admin updated relay %s state: %s -> %s", update.relay_id, before, update.state)
        return web.Response()

    async def account(self, request: web.Request) -> web.Response:
        """``POST /v1/auth/register`` and ``/login``: 501."""
        await body_of(request, bodies.account)
        return web.Response(status=501)

    async def verification(self, request: web.Request) -> web.Response:
        """``POST /v1/auth/register/verify``: 501."""
        await body_of(request, bodies.verification)
        return web.Response(status=501)

    def _is_relay(self, request: web.Request, what: str) -> bool:
        token = self._master.settings.relay_token
        if token is None or bears(request, token):
            return True
        log.warning("relay %s rejected: missing/invalid service token", what)
        return False

    def _is_operator(self, request: web.Request) -> bool:
        token = self._master.settings.admin_token
        return token is not None and bears(request, token)


def application(master: Master, sockets: Sockets) -> web.Application:
    """The whole web application."""
    routes = Routes(master, sockets)
    # one more than allowed: aiohttp refuses a body that reaches its limit, Wavry one that goes past it
    app = web.Application(middlewares=[conventions], client_max_size=BODY_BYTES_MAX + 1)
    app.router.add_get("/health", routes.health)
    app.router.add_get("/ready", routes.ready)
    app.router.add_get("/.well-known/wavry-id", routes.identity)
    app.router.add_post("/v1/relays/register", routes.register)
    app.router.add_post("/v1/relays/heartbeat", routes.heartbeat)
    app.router.add_get("/v1/relays", routes.relays)
    app.router.add_post("/v1/feedback", routes.feedback)
    app.router.add_post("/admin/api/sessions/revoke", routes.revoke)
    app.router.add_post("/admin/api/relays/update_state", routes.update_state)
    app.router.add_post("/v1/auth/register", routes.account)
    app.router.add_post("/v1/auth/login", routes.account)
    app.router.add_post("/v1/auth/register/verify", routes.verification)
    app.router.add_get("/ws", sockets.serve)
    app.on_response_prepare.append(cross_origin(master.settings.origins))
    app.on_shutdown.append(sockets.close_all)
    return app


def _listed(relay: Relay, now_s: float) -> dict[str, object]:
    return {
        "relay_id": relay.said.relay_id,
        "endpoints": list(relay.said.endpoints),
        "load_pct": relay.load_pct,
        "last_seen_ms_ago": int((now_s - relay.last_seen_s) * 1000),
        "max_bitrate_kbps": relay.said.max_bitrate_kbps,
        "state": relay.state,
    }

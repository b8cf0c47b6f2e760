"""``/``, ``/health`` and the metrics (contract §3.7)."""

from __future__ import annotations

from aiohttp import web

from drills.reference.gateway.edge import json_answer
from drills.reference.gateway.gateway import GATEWAY, Gateway

GAUGES = (
    ("wavry_gateway_websocket_connections", "Active WebSocket connections", "active_ws_connections"),
    ("wavry_gateway_relay_sessions", "Active relay sessions", "active_relay_sessions"),
)


def counts(gateway: Gateway) -> dict[str, object]:
    """Bound usernames and relay sessions, as ``/health`` names them."""
    return {
        "active_ws_connections": gateway.switchboard.bound_count,
        "active_relay_sessions": len(gateway.relay_sessions),
    }


async def root(request: web.Request) -> web.Response:
    """A word of greeting."""
    return web.Response(text="Wavry Gateway Online")


async def health(request: web.Request) -> web.Response:
    """200 with the counts, or 503 with the reason while the database cannot be written (intended; D19)."""
    gateway = request.app[GATEWAY]
    reason = gateway.health.degraded(gateway.clock.monotonic())
    ignored = any(map(gateway.defects.on, ("health_ignores_database", "gateway_hides_database_trouble")))
    if reason is None or ignored:
        return json_answer(counts(gateway))
    return json_answer({"status": "degraded", "reason": reason, **counts(gateway)}, 503)


async def runtime(request: web.Request) -> web.Response:
    """The counts, whatever the database does."""
    return json_answer(counts(request.app[GATEWAY]))


async def auth(request: web.Request) -> web.Response:
    """The 14 counters of the auth routes."""
    gateway = request.app[GATEWAY]
    counters = gateway.counters.json()
    if gateway.defects.on("gateway_hides_database_trouble"):
        counters["db_errors"] = 0
    return json_answer(counters)


async def prometheus(request: web.Request) -> web.Response:
    """The counts as Prometheus reads them: exactly six lines."""
    values = counts(request.app[GATEWAY])
    text = "".join(f"# HELP {name} {title}\n# TYPE {name} gauge\n{name} {values[key]}\n" for name, title, key in GAUGES)
    return web.Response(body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4"})

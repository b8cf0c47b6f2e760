"""The table of routes (contract §3), and the application they make."""

from __future__ import annotations

from aiohttp import web

from drills.reference.gateway import (
    admin_routes,
    auth_routes,
    signal_routes,
    socket_route,
    status_routes,
    two_factor_routes,
)
from drills.reference.gateway.client_socket import Socket
from drills.reference.gateway.edge import BODY_BYTES_MAX, Handler, add_cors_headers, answered
from drills.reference.gateway.gateway import GATEWAY, Gateway

GET: dict[str, Handler] = {
    "/": status_routes.root,
    "/health": status_routes.health,
    "/metrics/runtime": status_routes.runtime,
    "/metrics/auth": status_routes.auth,
    "/metrics/prometheus": status_routes.prometheus,
    "/webrtc/config": signal_routes.config,
    "/v1/relays/reputation": signal_routes.reputation,
    "/admin": admin_routes.page,
    "/admin/api/overview": admin_routes.overview,
    "/admin/api/audit": admin_routes.audit,
    "/ws": socket_route.ws,
}
POST: dict[str, Handler] = {
    "/auth/register": auth_routes.register,
    "/auth/login": auth_routes.login,
    "/auth/logout": auth_routes.logout,
    "/auth/2fa/setup": two_factor_routes.setup,
    "/auth/2fa/enable": two_factor_routes.enable,
    "/webrtc/offer": signal_routes.offer,
    "/webrtc/answer": signal_routes.answer,
    "/webrtc/candidate": signal_routes.candidate,
    "/v1/relays/report": signal_routes.report,
    "/admin/api/sessions/revoke": admin_routes.revoke,
    "/admin/api/ban": admin_routes.ban,
    "/admin/api/unban": admin_routes.unban,
}


def application(gateway: Gateway) -> web.Application:
    """The gateway as an aiohttp application."""
    made = web.Application(middlewares=[answered], client_max_size=BODY_BYTES_MAX)
    made[GATEWAY] = gateway
    made.router.add_routes([web.get(path, handler) for path, handler in GET.items()])
    made.router.add_routes([web.post(path, handler) for path, handler in POST.items()])
    made.on_response_prepare.append(add_cors_headers)
    made.on_shutdown.append(_send_sockets_away)
    return made


async def _send_sockets_away(made: web.Application) -> None:
    for peer in made[GATEWAY].switchboard.peers:
        if isinstance(peer, Socket):
            peer.go_away()

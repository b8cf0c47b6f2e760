"""``GET /ws``: who may open a socket (contract §5.1), and the accounting around it."""

from __future__ import annotations

from aiohttp import web

from drills.reference.gateway import dialect
from drills.reference.gateway.client_socket import LINGER_S, Socket
from drills.reference.gateway.edge import client_ip
from drills.reference.gateway.gateway import GATEWAY
from drills.reference.gateway.settings import Settings, origin_form
from drills.reference.gateway.switchboard import NoPlace


async def ws(request: web.Request) -> web.StreamResponse:
    """Upgrade and serve one socket; its place is given back however it ends (intended; D14)."""
    # aiohttp refuses a message of exactly max_msg_size, Wavry takes it
    connection = web.WebSocketResponse(
        autoping=False,
        autoclose=False,
        compress=False,
        max_msg_size=dialect.MESSAGE_BYTES_MAX + 1,
        timeout=LINGER_S / 2,
    )
    if not connection.can_prepare(request):
        return web.Response(status=400, text="Connection header did not include 'upgrade'")
    gateway, ip = request.app[GATEWAY], client_ip(request)
    if not origin_ok(request.headers.get("Origin"), gateway.settings):
        return web.Response(status=403)
    try:
        gateway.switchboard.take_place(ip)
    except NoPlace as refusal:
        return web.Response(status=refusal.status)
    try:
        await connection.prepare(request)
        await _serve(request, connection, ip)
    except ConnectionError:
        return web.Response(status=400)  # gone before or while the upgrade was written; nobody reads this
    finally:
        gateway.switchboard.free_place(ip)
    return connection


async def _serve(request: web.Request, connection: web.WebSocketResponse, ip: str) -> None:
    gateway = request.app[GATEWAY]
    if request.transport is None:
        return  # gone since the upgrade was written
    socket = Socket(gateway, connection, request.transport, ip)
    gateway.switchboard.enter(socket)
    try:
        await socket.run()
    finally:
        gateway.switchboard.leave(socket)
        if socket.holder is not None:
            gateway.log.tell(f"client disconnected: {socket.holder.username}", part="signal")


def origin_ok(origin: str | None, settings: Settings) -> bool:
    """Whether this Origin may open a socket; one that is present must be listed whatever else is set."""
    if origin is None:
        return settings.origin_may_be_missing or not settings.origin_required
    return origin_form(origin) in settings.origins

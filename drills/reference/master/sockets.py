"""The WebSockets of the master: one reader and one queue each; what is said is decided by ``switchboard``.

A queue holds 128 texts and drops what does not fit (contract §2.10), so a client that does not read harms only
itself. There are no application pings and no idle limit, as in Wavry. Every close is bounded: a goodbye, then
the connection is cut.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from itertools import count

from aiohttp import WSCloseCode, WSMsgType, web

from drills.reference.master.clock import Moment
from drills.reference.master.settings import Origins
from drills.reference.master.switchboard import Close, Effect, Send, Switchboard

QUEUE = 128
GOODBYE_S = 0.5
ENDINGS = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
IMPATIENT_S = 0.3  # of the defect master_times_out_early
CUT_S = 1.0  # after which a connection that has not closed is cut


class Outlet:
    """The sending half of one WebSocket."""

    def __init__(self, request: web.Request, websocket: web.WebSocketResponse) -> None:
        self._transport = request.transport
        self._websocket = websocket
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE)

    def send(self, text: str) -> None:
        """Queue a text; dropped when the queue is full."""
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(text)

    def close_after_queued(self) -> None:
        """Close once what is queued has left; at once when the queue is full, for then nobody is reading."""
        try:
            self._queue.put_nowait(None)
        except asyncio.QueueFull:
            self._cut()

    async def pump(self) -> None:
        """Send what is queued until told to close or the connection ends."""
        with contextlib.suppress(ConnectionError):
            while (text := await self._queue.get()) is not None:
                await self._websocket.send_str(text)
            await self.close(WSCloseCode.POLICY_VIOLATION)

    async def close(self, code: WSCloseCode) -> None:
        """Say goodbye, and cut the connection if that takes too long."""
        try:
            async with asyncio.timeout(CUT_S):
                await self._websocket.close(code=code)
        except TimeoutError:
            self._cut()

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Sockets:
    """All open WebSockets, by number; ``patience_s`` is for the first thing said, and a sound master has all of it."""

    def __init__(self, switchboard: Switchboard, origins: Origins, patience_s: float | None = None) -> None:
        self._patience_s = patience_s
        self._switchboard = switchboard
        self._origins = origins
        self._outlets: dict[int, Outlet] = {}
        self._numbers = count(1)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """``GET /ws``: 400 without an upgrade, 403 for a wrong Origin, otherwise the whole life of one socket."""
        websocket = web.WebSocketResponse(timeout=GOODBYE_S, compress=False)
        if not websocket.can_prepare(request):
            return web.Response(status=400, text="expected a WebSocket upgrade, version 13")
        if not self._origins.may_open(request.headers.get("Origin")):
            return web.Response(status=403)
        try:
            await websocket.prepare(request)
        except ConnectionError:
            return web.Response(status=400)  # gone while the upgrade was written; nobody reads this
        number = next(self._numbers)
        self._outlets[number] = Outlet(request, websocket)
        pump = asyncio.create_task(self._outlets[number].pump())
        try:
            await self._read(number, websocket)
        finally:
            self._switchboard.gone(number)
            del self._outlets[number]
            pump.cancel()
        return websocket

    def act(self, effects: Iterable[Effect]) -> None:
        """Do what the switchboard decided; sockets that are gone are passed over."""
        for effect in effects:
            outlet = self._outlets.get(effect.socket)
            match effect:
                case Send(_, text) if outlet:
                    outlet.send(text)
                case Close() if outlet:
                    outlet.close_after_queued()

    async def close_all(self, _: web.Application) -> None:
        """Close every socket because the master goes away."""
        outlets = list(self._outlets.values())
        await asyncio.gather(*(outlet.close(WSCloseCode.GOING_AWAY) for outlet in outlets))

    async def _read(self, number: int, websocket: web.WebSocketResponse) -> None:
        patience_s = self._patience_s
        while True:
            try:
                frame = await websocket.receive(timeout=patience_s)
            except TimeoutError:
                self._outlets[number].close_after_queued()
                return
            if frame.type in ENDINGS:
                return
            if frame.type is WSMsgType.TEXT:
                self.act(self._switchboard.received(number, frame.data, Moment.now()))
            patience_s = None  # whoever has spoken may be silent for as long as they like

"""One WebSocket from its upgrade to its end (contract §5).

Four tasks share a socket: one reads, one writes what is queued, one enforces the bind deadline, one pings. The first
to finish ends them all; what is queued is then written for at most two seconds. As in Wavry the connection ends
without a Close frame, except when the gateway itself goes away (1001; intended, D18) and, because that is how
aiohttp refuses it, after a message over the size limit (1009).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from drills.reference.gateway import accounts, dialect, restarts, rules
from drills.reference.gateway.binding import shown
from drills.reference.gateway.database import StoreError
from drills.reference.gateway.dialect import Bind, Forward, Message, RequestRelay, ServerOnly
from drills.reference.gateway.gateway import Gateway
from drills.reference.gateway.limiter import Limiter
from drills.reference.gateway.pulse import Act, Pulse
from drills.reference.gateway.settings import Rate
from drills.reference.gateway.switchboard import Holder

OUTBOX_MAX = 128
MESSAGES = Rate(600, 60.0, 1)  # of one socket; not configurable in Wavry either
LINGER_S = 2.0
FINISHED = ""  # in the outbox: nothing more will come
ENDINGS = {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR}


class Ends(Exception):
    """The socket is told this and closed."""


class Socket:
    """One client's connection."""

    def __init__(self, gateway: Gateway, connection: web.WebSocketResponse, transport: asyncio.Transport, ip: str):
        self.holder: Holder | None = None
        self._gateway = gateway
        self._connection = connection
        self._transport = transport
        self._ip = ip
        self._peer = shown(*(transport.get_extra_info("peername") or (ip, 0))[:2])
        self._outbox: asyncio.Queue[str] = asyncio.Queue(OUTBOX_MAX)
        self._ending = asyncio.Event()
        self._going_away = False
        self._second = _second_owner(transport) if gateway.defects.on("gateway_leaks_sockets") else -1
        self._messages = Limiter(MESSAGES)
        gateway.log.tell(f"client connecting from {self._peer}", part="signal")
        times = gateway.socket_times
        self._pulse = Pulse(times.ping_s, times.pong_s, gateway.clock.monotonic())

    def deliver(self, text: str) -> bool:
        """Queue a peer's message; False when there is no room for it."""
        if self._ending.is_set() or self._outbox.full():
            return False
        self._outbox.put_nowait(text)
        return True

    def end(self, reason: str) -> None:
        """Tell the client why, if there is room for it, then close."""
        self.deliver(dialect.error(reason))
        self._ending.set()

    def go_away(self) -> None:
        """Close because the gateway ends."""
        self._going_away = True
        self._ending.set()

    async def run(self) -> None:
        """Live until the client leaves, is refused, is gone, or the gateway ends."""
        writer = asyncio.create_task(self._write())
        others = [asyncio.create_task(part) for part in (self._read(), self._watch_bind(), self._watch_pulse())]
        tasks = [writer, *others, asyncio.create_task(self._wait_for_end())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._ending.set()
            await _stopped(tasks[1:])
            await self._flush(writer)
            await self._close()

    async def _flush(self, writer: asyncio.Task[None]) -> None:
        """Let the writer send what is queued, for a bounded time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                if not writer.done():
                    await self._outbox.put(FINISHED)
                    await asyncio.wait({writer})
        await _stopped([writer])

    async def _close(self) -> None:
        if self._going_away:
            await self._connection.close(code=WSCloseCode.GOING_AWAY)
        self._transport.close()
        # a peer that does not read would keep a closing transport for ever
        asyncio.get_running_loop().call_later(LINGER_S, self._transport.abort)

    async def _wait_for_end(self) -> None:
        await self._ending.wait()

    async def _write(self) -> None:
        with suppress(ConnectionError):
            while (text := await self._outbox.get()) != FINISHED:
                await self._connection.send_str(text)

    async def _watch_bind(self) -> None:
        """Close a socket that has not bound in time, whether or not it says anything (intended; D15)."""
        await asyncio.sleep(self._gateway.socket_times.bind_s)
        if self.holder is None:
            self.end("Bind timeout")
        await self._wait_for_end()

    async def _watch_pulse(self) -> None:
        """Ping a silent peer and drop one that does not answer (intended; D15)."""
        while True:
            now = self._gateway.clock.monotonic()
            act = self._pulse.act(now)
            if act is Act.DROP:
                self._gateway.log.warn(f"no pong from {self._peer}, dropping its socket", part="signal")
                self._transport.abort()
                return
            if act is Act.PING:
                with suppress(ConnectionError, TimeoutError):
                    await asyncio.wait_for(self._connection.ping(), self._pulse.pong_s)
            await asyncio.sleep(max(0.0, (self._pulse.look_at or now) - now))

    async def _read(self) -> None:
        try:
            while (frame := await self._connection.receive()).type not in ENDINGS:
                self._pulse.heard(self._gateway.clock.monotonic())
                await self._take(frame)
            if self._second >= 0 and frame.type is WSMsgType.CLOSE:
                os.close(self._second)
        except Ends as ending:
            await self._say(dialect.error(str(ending)))

    async def _say(self, text: str) -> None:
        """Queue an answer of our own; unlike a peer's message it waits for room."""
        await self._outbox.put(text)

    async def _take(self, frame: WSMessage) -> None:
        """Do what one frame asks for; Ends in the cases and the order of contract §5.3."""
        if not self._messages.passes("", self._gateway.clock.monotonic()):
            raise Ends("Rate limit exceeded")
        if frame.type is WSMsgType.PING:
            with suppress(ConnectionError):
                await self._connection.pong(frame.data)
        elif frame.type is WSMsgType.BINARY:
            raise Ends("Binary messages are not supported")
        elif frame.type is WSMsgType.TEXT:
            try:
                said = dialect.message(frame.data)
            except (dialect.NotJson, dialect.WrongShape) as problem:
                self._gateway.log.warn(f"invalid JSON from {self._peer}: {problem}", part="signal")
                raise Ends("Invalid JSON") from None
            await self._obey(said)

    async def _obey(self, said: Message) -> None:
        match said:
            case Bind():
                await self._bind(said.token)
            case ServerOnly():
                await self._say(dialect.error("Unsupported client message type"))
            case Forward():
                await self._forward(said, self._bound().username)
            case RequestRelay():
                await self._request_relay(said.target, self._bound().username)

    def _bound(self) -> Holder:
        if self.holder is None:
            raise Ends("Bind required before signaling")
        return self.holder

    async def _bind(self, token: str) -> None:
        """Take the place of the token's user in the map; the socket that had it is told and stays open."""
        gateway = self._gateway
        if self.holder is not None:
            raise Ends("Already bound")
        if not gateway.limiters.ws_bind.passes(f"bind:{self._ip}", gateway.clock.monotonic()):
            raise Ends("Bind rate limit exceeded")
        if not rules.token_ok(token):
            raise Ends("Invalid token format")
        hashed, now = accounts.token_hash(token), gateway.clock.utc()
        try:
            holder = await gateway.database.read(lambda db: accounts.holder(db, hashed, now))
            if await restarts.blind_to(gateway, hashed):
                raise Ends("Token lookup failed")
        except StoreError as problem:
            gateway.log.warn(f"token lookup failed for {self._peer}: {problem}", part="signal")
            raise Ends("Token lookup failed") from problem
        if holder is None or hashed in gateway.unrevoked:
            raise Ends("Invalid Token")
        if gateway.shut_out.get(holder.username, 0.0) > gateway.clock.monotonic():
            raise Ends("Token lookup failed")  # the defect gateway_drops_sockets
        await self._say(dialect.BOUND)
        replaced = gateway.switchboard.bind(self, holder)
        if replaced is not None:
            replaced.deliver(dialect.error("Session replaced by a newer connection"))
        gateway.log.tell(f"bound signaling session for user {holder.username}", part="signal")

    async def _forward(self, said: Forward, sender: str) -> None:
        """Pass a message on under the sender's name; who cannot be reached is named (intended; D20)."""
        if said.problem is not None:
            await self._say(dialect.error(said.problem))
            return
        peer = self._gateway.switchboard.find(said.target)
        if peer is not None and self._loses(said.tag):
            return
        if peer is None or not peer.deliver(said.text_from(sender)):
            self._gateway.log.warn(f"target user not connected: {said.target}", part="signal")
            await self._say(dialect.error(f"Target user '{said.target}' is not connected"))

    def _loses(self, tag: str) -> bool:
        """Whether a defect eats it: every tenth Offer with somewhere to go, Answers after a restart, or Candidates."""
        if tag == "Candidate" and self._gateway.defects.on("gateway_drops_candidates"):
            return True
        if tag == "Answer" and self._gateway.restarted:
            return self._gateway.defects.on("gateway_loses_answers_after_restart")
        if tag != "Offer" or not self._gateway.defects.on("gateway_loses_one_offer_in_ten"):
            return False
        self._gateway.offers_seen += 1
        return self._gateway.offers_seen % 10 == 0

    async def _request_relay(self, target: str, requester: str) -> None:
        """Give both ends the same credentials; only for somebody else who is there (intended; D21)."""
        gateway = self._gateway
        if not rules.name_ok(target) or target == requester:
            await self._say(dialect.error("Invalid target username"))
            return
        peer = gateway.switchboard.find(target)
        if peer is None:
            await self._say(dialect.error(f"Target user '{target}' is not connected"))
            return
        session = gateway.relay_sessions.opened(requester, gateway.clock.monotonic())
        if session is None:
            await self._say(dialect.error("Relay session capacity reached"))
            return
        text = dialect.relay_credentials(session.token, gateway.settings.relay_public_addr, session.session_id)
        peer.deliver(text)
        await self._say(text)


def _second_owner(transport: asyncio.Transport) -> int:
    """By the defect gateway_leaks_sockets: another descriptor of a connection, which only a goodbye closes."""
    connected = transport.get_extra_info("socket")
    return os.dup(connected.fileno()) if connected is not None and connected.fileno() >= 0 else -1


async def _stopped(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)

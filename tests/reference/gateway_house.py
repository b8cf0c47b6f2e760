"""A reference gateway inside the test's own process: real loopback sockets, cheap hashes, a clock that stands still."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientTimeout, ClientWebSocketResponse, WSMsgType, web
from argon2 import PasswordHasher

from drills.reference.defects import Defects
from drills.reference.gateway.database import Database
from drills.reference.gateway.gateway import Clock, Gateway, SocketTimes
from drills.reference.gateway.log import Log
from drills.reference.gateway.passwords import Passwords
from drills.reference.gateway.routes import application
from drills.reference.gateway.settings import Rate, Rates, Settings

ADMIN_TOKEN = "t" * 32
ADMIN = {"X-Admin-Token": ADMIN_TOKEN}
ORIGIN = {"Origin": "http://localhost:3000"}
PASSWORD = "correct horse battery"
PLENTY = Rate(10_000, 60, 10_000)
ROOMY = Rates(PLENTY, PLENTY, PLENTY, PLENTY, PLENTY)
WAIT_S = 5.0


@dataclass
class StandingClock:
    """Time that moves only when told to."""

    wall: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    running_s: float = 1000.0

    def pass_s(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.wall += timedelta(seconds=seconds)
        self.running_s += seconds

    @property
    def clock(self) -> Clock:
        """What the gateway reads."""
        return Clock(lambda: self.wall, lambda: self.running_s)


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, read whole."""

    status: int
    text: str
    headers: Mapping[str, str]
    json: Any = None


@dataclass
class House:
    """A standing gateway and a client for it."""

    gateway: Gateway
    url: str
    session: ClientSession
    time: StandingClock
    log: io.StringIO
    sockets: list[ClientWebSocketResponse] = field(default_factory=list)

    async def ask(self, method: str, path: str, **request: Any) -> Answer:
        """One request; keyword arguments as aiohttp takes them."""
        async with self.session.request(method, self.url + path, **request) as response:
            text = await response.text()
            is_json = response.content_type == "application/json" and text
            return Answer(response.status, text, response.headers, await response.json() if is_json else None)

    async def get(self, path: str, **request: Any) -> Answer:
        """A GET."""
        return await self.ask("GET", path, **request)

    async def post(self, path: str, body: object = None, **request: Any) -> Answer:
        """A POST, of JSON where a body is given."""
        return await self.ask("POST", path, **({"json": body} if body is not None else {}), **request)

    async def register(self, name: str) -> str:
        """Make an account ``name``/``name@x.org`` and return its first token."""
        answer = await self.post("/auth/register", registration(name))
        assert answer.status == 201, answer.text
        return str(answer.json["token"])

    async def open(self, **headers: str) -> ClientWebSocketResponse:
        """Open a WebSocket with an Origin that is allowed."""
        socket = await self.session.ws_connect(self.url + "/ws", headers={**ORIGIN, **headers}, autoclose=False)
        self.sockets.append(socket)
        return socket

    async def bound(self, token: str) -> ClientWebSocketResponse:
        """Open a WebSocket and bind it."""
        socket = await self.open()
        await say(socket, "Bind", token=token)
        assert await heard(socket) == {"type": "Bound"}
        return socket

    async def count(self) -> int:
        """How many usernames ``/metrics/runtime`` counts as bound."""
        return int((await self.get("/metrics/runtime")).json["active_ws_connections"])


def registration(name: str, **changed: str) -> dict[str, str]:
    """A good body for ``/auth/register``, with some fields changed."""
    good = {
        "email": f"{name}@x.org",
        "password": PASSWORD,
        "display_name": name.title(),
        "username": name,
        "public_key": "ab" * 32,
    }
    return {**good, **changed}


async def say(socket: ClientWebSocketResponse, tag: str, **payload: object) -> None:
    """Send one message of the gateway's dialect."""
    await socket.send_json({"type": tag, "payload": payload})


async def heard(socket: ClientWebSocketResponse) -> Any:
    """The next message."""
    return await socket.receive_json(timeout=WAIT_S)


async def error_heard(socket: ClientWebSocketResponse) -> str:
    """The text of the next message, which must be an Error."""
    message = await heard(socket)
    assert message["type"] == "Error", message
    return str(message["payload"]["message"])


async def ended(socket: ClientWebSocketResponse) -> bool:
    """Whether the connection ends here, with nothing more said."""
    last = await socket.receive(timeout=WAIT_S)
    return last.type in {WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.ERROR}


def cheap_passwords() -> Passwords:
    """Argon2id at its smallest: the drills measure the real one, tests do not."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def database_at(folder: Path) -> Path:
    """An empty database file, as the stage makes it."""
    path = folder / "gateway.db"
    path.touch()
    return path


@asynccontextmanager
async def standing(
    folder: Path,
    *,
    rates: Rates = ROOMY,
    defects: tuple[str, ...] = (),
    clock: Clock | None = None,
    socket_times: SocketTimes | None = None,
    **settings: Any,
) -> AsyncIterator[House]:
    """A gateway on a database in this folder, for the length of the block."""
    url = f"sqlite://{database_at(folder)}"
    chosen = Settings(**{"database_url": url, "admin_token": ADMIN_TOKEN, "rates": rates, **settings})
    time, log = StandingClock(), io.StringIO()
    gateway = Gateway(
        chosen,
        Database.opened(chosen.database_url),
        passwords=cheap_passwords(),
        defects=Defects.parse(defects),
        clock=clock or time.clock,
        log=Log(log),
        socket_times=socket_times or SocketTimes(),
    )
    runner = web.AppRunner(application(gateway), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ip, port = runner.addresses[0][:2]
    session = ClientSession(timeout=ClientTimeout(total=WAIT_S))
    house = House(gateway, f"http://{ip}:{port}", session, time, log)
    try:
        yield house
    finally:
        await asyncio.gather(*(socket.close() for socket in house.sockets))
        await session.close()
        await runner.cleanup()
        gateway.passwords.close()
        await gateway.database.close()

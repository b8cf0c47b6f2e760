"""A whole proxy in this process: its loop turned by the test, real sockets on 127.0.0.1, no threads, no sleeping."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from drills.udp_proxy.api import Answer, Api
from drills.udp_proxy.collection import Proxies
from drills.udp_proxy.loop import Loop
from drills.udp_proxy.proxy import Settings
from drills.udp_proxy.sources import Sources, sources

HOST = "127.0.0.1"
WITHIN_S = 10.0
TURN_NS = 10_000_000


def udp(host: str = HOST, port: int = 0) -> socket.socket:
    """A socket that does not block; on a port of its own where none is named."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((host, port))
    return sock


class Stand:
    """A client, one proxy named ``path``, an upstream."""

    def __init__(self, seed: int, source: Sources, idle_s: float) -> None:
        self.loop = Loop()
        self.proxies = Proxies(Settings(self.loop, seed, source, idle_s))
        self.api = Api(self.proxies)
        self.client, self.upstream = udp(), udp()
        self.say("POST", "/proxies", {"name": "path", "listen": f"{HOST}:0", "upstream": self.name(self.upstream)})
        self.proxy = self.proxies.get("path")

    @staticmethod
    def name(sock: socket.socket) -> str:
        """host:port of a socket."""
        host, port = sock.getsockname()
        return f"{host}:{port}"

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """An answer of the API."""
        return self.api.answer(method, path[1:].split("/"), b"" if body is None else json.dumps(body).encode())

    def say(self, method: str, path: str, body: Any = None) -> Any:
        """A call that must go well; returns its JSON."""
        answer = self.ask(method, path, body)
        assert answer.status < 300, answer
        return json.loads(answer.body) if answer.body else None

    def toxic(self, kind: str, stream: str = "upstream", **attributes: Any) -> None:
        """Put a toxic on the path."""
        self.say("POST", "/proxies/path/toxics", {"type": kind, "stream": stream, "attributes": attributes})

    def send(self, payload: bytes, client: socket.socket | None = None) -> None:
        """From the client to the proxy."""
        (client or self.client).sendto(payload, (self.proxy.listen.host, self.proxy.listen.port))

    def until(self, done: Callable[[], Any]) -> Any:
        """Turn the loop until something is so; an assertion says where it never is."""
        deadline = time.monotonic() + WITHIN_S
        while not (found := done()):
            assert time.monotonic() < deadline, "not within its time"
            self.loop.round(TURN_NS)
        return found

    def received(self, sock: socket.socket, count: int = 1) -> list[tuple[bytes, Any]]:
        """The next so many datagrams of a socket, with where they are from."""
        found: list[tuple[bytes, Any]] = []

        def look() -> bool:
            with contextlib.suppress(BlockingIOError):
                while len(found) < count:
                    found.append(sock.recvfrom(65_535))
            return len(found) >= count

        self.until(look)
        return found

    def passes(self, payload: bytes, client: socket.socket | None = None) -> Any:
        """Send one to the upstream; returns where the upstream sees it come from."""
        self.send(payload, client)
        ((seen, source),) = self.received(self.upstream)
        assert seen == payload
        return source

    def counts(self) -> dict[str, Any]:
        """What the API shows beside Toxiproxy's own fields."""
        return dict(self.say("GET", "/proxies/path")["counts"])


@contextlib.contextmanager
def standing(seed: int = 0, source: str = "any", idle_s: float = 60.0) -> Iterator[Stand]:
    """A stand, taken down on the way out."""
    stand = Stand(seed, sources(source), idle_s)
    try:
        yield stand
    finally:
        stand.proxies.close()
        stand.loop.close()
        stand.client.close()
        stand.upstream.close()

"""A canary flow through one TCP path: what a request through a proxy meets, on and off.

Requests go to a route that both gateway and master answer with 200 (`/health`), through the proxy that the fault sits
on, on a connection of their own: TCP accept always succeeds behind Toxiproxy, so only an answer counts.
"""

from __future__ import annotations

import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drills.stage.base import Stage

PATIENCE_S = 1.0
SLOW_MS = 200.0  # one after the other they would take up too much of a fault that is to last some seconds
ASKED = b"GET /health HTTP/1.1\r\nHost: canary\r\n"
CLOSE = b"Connection: close\r\n"
PADDING = b"X-Canary: " + b"c" * 1400 + b"\r\n"  # below the 8190 bytes that a header may have (aiohttp's default)
ANSWERED = b"HTTP/1.1 200"


@dataclass(frozen=True)
class Canary:
    """What one request met: ``ok``, ``refused``, ``silence``, ``reset`` or ``cut``, and how long it took."""

    outcome: str
    ms: float

    def __str__(self) -> str:
        return f"{self.outcome} after {self.ms:.1f} ms"


def through(stage: Stage, proxy: str, patience_s: float = PATIENCE_S) -> Canary:
    """One request through a proxy."""
    import http.client

    host, port = stage.proxied(proxy).rsplit(":", 1)
    began = time.monotonic()
    connection = http.client.HTTPConnection(host, int(port), timeout=patience_s)
    try:
        # kept alive: an answer that is swallowed must not come with the server's own end of the connection
        connection.request("GET", "/health")
        outcome = "ok" if connection.getresponse().read() is not None else "cut"
    except (OSError, http.client.HTTPException) as error:
        outcome = _met(error)
    finally:
        connection.close()
    return Canary(outcome, (time.monotonic() - began) * 1000.0)


def _met(error: Exception) -> str:
    """What an error on a connection means; http.client takes the end of a stream for a ConnectionResetError."""
    import http.client

    if isinstance(error, TimeoutError):
        return "silence"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    ended = isinstance(error, http.client.RemoteDisconnected)
    return "reset" if isinstance(error, ConnectionResetError) and not ended else "cut"


@dataclass(frozen=True)
class Flown:
    """Several requests: the median of their times, and how far the farthest lies from it, in ms."""

    ms: float
    spread_ms: float


def round_trips(stage: Stage, proxy: str, tries: int, patience_s: float) -> Flown | None:
    """Several requests, all but the first at once where that was slow; None where one was not answered."""
    first = through(stage, proxy, patience_s)
    if first.outcome != "ok":
        return None
    with ThreadPoolExecutor(tries - 1 if first.ms > SLOW_MS else 1) as others:
        flown = [first, *others.map(lambda _: through(stage, proxy, patience_s), range(tries - 1))]
    if any(canary.outcome != "ok" for canary in flown):
        return None
    median = statistics.median(canary.ms for canary in flown)
    return Flown(median, max(abs(canary.ms - median) for canary in flown))


@dataclass(frozen=True)
class Bulk:
    """What many requests on one connection met: how it ended, after how long, and the bytes each way."""

    outcome: str
    ms: float  # until the last byte that came
    sent: int
    received: int
    answers: int

    def __str__(self) -> str:
        return (f"{self.answers} answers, {self.outcome} after {self.ms:.1f} ms, "
                f"{self.sent} bytes sent and {self.received} received")  # fmt: skip


def bulk(stage: Stage, proxy: str, requests: int, patience_s: float) -> Bulk:
    """So many padded requests at once on one connection; the server closes it after its last answer."""
    host, port = stage.proxied(proxy).rsplit(":", 1)
    text = (ASKED + PADDING + b"\r\n") * (requests - 1) + ASKED + PADDING + CLOSE + b"\r\n"
    began = last = time.monotonic()
    received = b""
    outcome = "silence"
    try:
        with socket.create_connection((host, int(port)), timeout=patience_s) as canary:
            canary.sendall(text)
            while (left := began + patience_s - time.monotonic()) > 0:
                canary.settimeout(left)
                piece = canary.recv(65536)
                if not piece:
                    outcome = "cut"
                    break
                received, last = received + piece, time.monotonic()
    except OSError as error:
        outcome = _met(error)
    answers = received.count(ANSWERED)
    if outcome == "cut" and answers == requests:
        outcome = "ok"
    return Bulk(outcome, (last - began) * 1000.0, len(text), len(received), answers)


def closed_after_ms(stage: Stage, proxy: str, stream: str, patience_s: float) -> float | None:
    """How long it takes until a connection's end has gone one way and come back; None: not within that time.

    ``downstream``: the server ends it after its answer. ``upstream``: we do, and the server's own end is the echo.
    """
    from http.client import HTTPException, HTTPResponse

    host, port = stage.proxied(proxy).rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), timeout=patience_s) as canary:
            canary.sendall(ASKED + (CLOSE if stream == "downstream" else b"") + b"\r\n")
            answer = HTTPResponse(canary)
            answer.begin()
            answer.read(answer.length)
            began = time.monotonic()
            if stream == "upstream":
                canary.shutdown(socket.SHUT_WR)
            while canary.recv(4096):
                canary.settimeout(max(0.001, began + patience_s - time.monotonic()))
    except (OSError, HTTPException):
        return None
    return (time.monotonic() - began) * 1000.0

"""HTTP calls with one bound each, over kept-alive connections, never through a proxy of the environment.

Why not ``requests``: its time-outs are per read, so a slow drip has no end, and it costs two to five times
the CPU of this (measured on GET /health, over fresh and over kept connections). Nothing is ever tried a
second time: a drill must see the failure. A connection found closed before a request is sent is replaced;
one that breaks during a request is an Unreachable.

Safe to share between threads and greenlets: each call takes a connection of its own from the idle ones.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from drills.wavry.bounded_socket import BoundedSocket
from drills.wavry.closable import Closable
from drills.wavry.errors import Closed, Garbled, Refused, TimedOut, Unreachable, scrubbed

IDLE_MAX = 8  # connections kept for later calls


@dataclass(frozen=True)
class Reply:
    """One HTTP answer, whatever its status; the body may hold a token and is not shown."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # names in lower case; of repeated ones the last
    text: str = field(repr=False)

    def decoded(self) -> Any:
        """The body as JSON; Garbled if it is none."""
        try:
            return json.loads(self.text)
        except ValueError as error:
            raise Garbled(f"a {self.status} answer of {len(self.text)} characters is not JSON") from error


class HttpClient(Closable):
    """Calls to one base URL (``http://host:port``); ``timeout_s`` bounds a call from connect to last byte."""

    def __init__(self, base_url: str, *, timeout_s: float, source_address: str | None = None) -> None:
        parts = urlsplit(base_url)
        if parts.scheme != "http" or parts.hostname is None or parts.path not in ("", "/"):
            raise ValueError(f"not a base URL (http://host:port): {base_url!r}")
        if not (timeout_s > 0 and math.isfinite(timeout_s)):
            raise ValueError(f"timeout_s must be above 0 and finite, found {timeout_s}")
        self.base_url = base_url.rstrip("/")
        self._host, self._port = parts.hostname, parts.port or 80
        self._timeout_s, self._source_address = timeout_s, source_address
        self._idle: deque[http.client.HTTPConnection] = deque()

    def close(self) -> None:
        """Close the idle connections; the client can still be used."""
        while self._idle:
            self._idle.pop().close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """One request (``body`` sent as JSON, or ``raw`` as it is) and its answer, whatever the status.

        Raises TimedOut, Closed, Unreachable or Garbled.
        """
        sent = dict(headers or {})
        payload = raw
        if body is not None:
            payload = json.dumps(body, separators=(",", ":")).encode()
            sent.setdefault("Content-Type", "application/json")
        what = f"{method} {self.base_url}{path}"
        deadline = time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)
        try:
            return self._exchanged(method, path, payload, sent, deadline)
        except TimeoutError:
            raise TimedOut(f"{what}: no answer in time") from None
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, http.client.IncompleteRead):
            raise Closed(f"{what}: closed before the answer was complete") from None
        except OSError as error:
            raise Unreachable(f"{what}: {error.strerror or type(error).__name__}") from None
        except (http.client.HTTPException, UnicodeDecodeError) as error:
            raise Garbled(f"{what}: not an HTTP answer ({type(error).__name__})") from None

    def granted(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
        accepted: tuple[int, ...] = (200,),
    ) -> Reply:
        """As ``call``, with every status but the accepted ones raised as Refused, its text without secrets."""
        reply = self.call(method, path, body, headers=headers)
        if reply.status not in accepted:
            raise Refused(reply.status, scrubbed(_said(reply.text), secrets))
        return reply

    def _exchanged(
        self, method: str, path: str, payload: bytes | None, headers: dict[str, str], deadline: float
    ) -> Reply:
        connection = self._connection(deadline)
        kept = False
        try:
            connection.request(method, path, payload, headers)
            with connection.getresponse() as answer:
                text = answer.read().decode()
                kept = not answer.will_close
                reply = Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)
        finally:
            if kept and len(self._idle) < IDLE_MAX:
                self._idle.append(connection)
            else:
                connection.close()
        return reply

    def _connection(self, deadline: float) -> http.client.HTTPConnection:
        """An idle connection that is still good, or a new one, bound by the deadline."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            bounded: Any = connection.sock
            if bounded.quiet():
                bounded.allow(deadline - time.monotonic())
                return connection
            connection.close()
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        bounded = BoundedSocket.connect(self._host, self._port, timeout_s=left_s, source_address=self._source_address)
        bounded.allow(deadline - time.monotonic())
        connection = http.client.HTTPConnection(self._host, self._port)
        connection.sock = bounded
        connection.auto_open = 0
        return connection


def _said(text: str) -> str:
    """What an error answer says: its ``error`` field, else its text (contract-gateway §2.1)."""
    try:
        said = json.loads(text)
    except ValueError:
        return text
    if isinstance(said, dict) and isinstance(said.get("error"), str):
        return str(said["error"])
    return text


@contextlib.contextmanager
def understood(what: str) -> Iterator[None]:
    """Reading a decoded answer: whatever it lacks, or has of another kind, is Garbled and names ``what``."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Garbled(f"{what} is not as the contract has it ({type(error).__name__})") from None

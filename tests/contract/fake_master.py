"""A master that we play ourselves: it registers whoever asks, signs leases with our key, and fails on command.

A relay takes its verification key and its heartbeat interval from here (contract-master-relay §3.2, §3.5),
so its leases can be minted claim by claim and its failures come every half second.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from drills.wavry.lease import SigningKey, sign_payload

HEARTBEAT_MS = 500  # the least a relay accepts (§3.5)
HANG_UP = 0  # in place of a status: close the connection without an answer
REGISTER = "/v1/relays/register"
HEARTBEAT = "/v1/relays/heartbeat"


@dataclass(frozen=True)
class Call:
    """One request a relay made."""

    path: str
    body: dict[str, Any]
    authorization: str | None
    at_s: float  # monotonic


@dataclass
class FakeMaster:
    """Answers register and heartbeat; ``register_status`` and ``heartbeat_status`` say how."""

    address: str
    key: SigningKey = field(default_factory=SigningKey.generate, repr=False)
    register_status: int = 200
    heartbeat_status: int = 200
    heartbeat_ms: int = HEARTBEAT_MS
    calls: list[Call] = field(default_factory=list)

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"master": self})
        self._server = _Server((self.address, 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join(5.0)
        self._server.server_close()

    @property
    def base_url(self) -> str:
        return f"http://{self.address}:{self._server.server_address[1]}"

    def made(self, path: str, since: int = 0) -> list[Call]:
        """The calls to one path, from the ``since``-th call of any path on."""
        return [call for call in self.calls[since:] if call.path == path]

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        """Status and body for one call."""
        self.calls.append(call)
        if call.path == REGISTER:
            if (self.register_status, self.heartbeat_status) == (200, 404):
                self.heartbeat_status = 200  # a master knows a relay again once it has registered
            accepted = {
                "heartbeat_interval_ms": self.heartbeat_ms,
                "master_public_key": list(self.key.public_key),
                "master_key_id": self.key.key_id,
            }
            return self.register_status, accepted
        return self.heartbeat_status, {"ok": True}

    def lease(self, relay_id: str, session: UUID, role: str, subject: str | None = None, **changed: Any) -> str:
        """A lease as the master writes it (§2.4), with claims changed, or left out where changed to None."""
        return sign_payload(json.dumps(self.claims(relay_id, session, role, subject, **changed)).encode(), self.key)

    def claims(
        self, relay_id: str, session: UUID, role: str, subject: str | None = None, **changed: Any
    ) -> dict[str, Any]:
        """The claims of such a lease."""
        named = subject or f"user_{role}"
        claims = {
            "iat": whole(0),
            "nbf": whole(0),
            "exp": whole(3600),
            "sub": named,
            "wavry_id": named,
            "sid": str(session),
            "role": role,
            "rid": relay_id,
            "kid": self.key.key_id,
            "iat_rfc3339": instant(0),
            "nbf_rfc3339": instant(-5),
            "exp_rfc3339": instant(900),
            "slimit": 50_000,
            "hlimit": 100_000,
            **changed,
        }
        return {name: claim for name, claim in claims.items() if claim is not None}


def instant(from_now_s: float) -> str:
    """A time as the ``*_rfc3339`` claims have it."""
    return (datetime.now(UTC) + timedelta(seconds=from_now_s)).isoformat()


def whole(from_now_s: float) -> str:
    """A time as the library's claims have it: cut to whole seconds (observed.md, D-20)."""
    return (datetime.now(UTC) + timedelta(seconds=from_now_s)).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Server(ThreadingHTTPServer):
    """Ends the connections it has when it is closed, so that no thread and no socket outlives it."""

    daemon_threads = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A relay that was killed leaves a broken connection, which is no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()


class _Handler(BaseHTTPRequestHandler):
    """Reads one POST, asks the FakeMaster, answers."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    master: FakeMaster

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        call = Call(self.path, body, self.headers.get("Authorization"), time.monotonic())
        status, answer = self.master.answer(call)
        if status == HANG_UP:
            self.close_connection = True
            return
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

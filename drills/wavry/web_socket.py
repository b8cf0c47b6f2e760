"""JSON text messages over a WebSocket, each act bounded in time, every failure a WireError.

``receive`` may run out of time in the middle of a frame and be called again: what had come is kept.
Closing never waits for the other end: neither service answers a Close frame (contract-gateway §5.2).
One socket belongs to one thread or greenlet at a time.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any, Self
from urllib.parse import urlsplit

import websocket

from drills.wavry.bounded_socket import BoundedSocket
from drills.wavry.closable import Closable
from drills.wavry.errors import Closed, Garbled, Refused, TimedOut, Unreachable, WireError, scrubbed

CLOSE_S = 0.5  # for the goodbye to leave through a full socket


class JsonSocket(Closable):
    """One WebSocket that carries a JSON object in each text frame."""

    def __init__(self, url: str, bounded: BoundedSocket, connected: Any, *, timeout_s: float) -> None:
        self.url = url
        self._bounded = bounded
        self._connected = connected
        self._timeout_s = timeout_s

    @classmethod
    def connect(cls, url: str, *, timeout_s: float, origin: str | None, source_address: str | None = None) -> Self:
        """Connect and upgrade within ``timeout_s``, which also bounds each later send.

        ``url`` is ``ws://host:port/path``. Without an origin no Origin header is sent. Raises Refused with
        the HTTP status if the upgrade is denied, else Unreachable or Garbled.
        """
        parts = urlsplit(url)
        if parts.scheme != "ws" or parts.hostname is None:
            raise ValueError(f"not a WebSocket URL (ws://host:port/path): {url!r}")
        with _translated(url):
            bounded = BoundedSocket.connect(
                parts.hostname, parts.port or 80, timeout_s=timeout_s, source_address=source_address
            )
        bounded.allow(timeout_s)
        connected: Any = websocket.WebSocket(skip_utf8_validation=True)
        try:
            with _translated(url):
                connected.connect(url, socket=bounded, origin=origin, suppress_origin=origin is None, redirect_limit=0)
        except BaseException:
            bounded.close()
            raise
        return cls(url, bounded, connected, timeout_s=timeout_s)

    def send(self, message: Any) -> None:
        """One object as JSON; Closed or TimedOut if it does not leave."""
        self.send_text(json.dumps(message, separators=(",", ":")))

    def send_text(self, text: str) -> None:
        """One text frame as it is."""
        self._sent(self._connected.send, text)

    def send_binary(self, payload: bytes) -> None:
        """One binary frame, which no service accepts (contract-gateway §5.3)."""
        self._sent(self._connected.send_binary, payload)

    def ping(self) -> None:
        """One ping; the answer is swallowed by the next ``receive``."""
        self._sent(self._connected.ping, b"")

    def _sent(self, send: Callable[[Any], Any], payload: str | bytes) -> None:
        """A send that failed may have left half a frame: the socket is then of no use and is closed."""
        self._bounded.allow(self._timeout_s)
        try:
            with _translated(self.url):
                send(payload)
        except WireError:
            self.abandon()
            raise

    def receive(self, timeout_s: float) -> Any:
        """The next object, or None if none is complete within ``timeout_s``; Closed, Unreachable or Garbled."""
        self._bounded.allow(timeout_s)
        try:
            with _translated(self.url):
                opcode, frame = self._connected.recv_data_frame()
        except TimedOut:
            return None
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise Closed(f"{self.url}: closed by the service")
        try:
            return json.loads(frame.data)
        except ValueError:
            raise Garbled(f"{self.url}: a frame of {len(frame.data)} bytes is not JSON") from None

    def fileno(self) -> int:
        """The descriptor; after it turns readable call ``receive(0)`` until it returns None."""
        return self._bounded.fileno()

    def local_address(self) -> tuple[str, int]:
        """Address and port of this end."""
        return self._bounded.local_address()

    def close(self) -> None:
        """Say goodbye if that needs no waiting, and close; never raises, can be repeated."""
        self._bounded.allow(CLOSE_S)
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._connected.send_close()
        self.abandon()

    def abandon(self) -> None:
        """Close without a goodbye, as a crashed client does."""
        self._connected.sock = None
        self._bounded.close()


@contextlib.contextmanager
def _translated(url: str) -> Iterator[None]:
    """Turns the exceptions of sockets and of websocket-client into WireErrors that name the URL."""
    try:
        yield
    except (TimeoutError, websocket.WebSocketTimeoutException):
        raise TimedOut(f"{url}: no answer in time") from None
    except websocket.WebSocketBadStatusException as denied:
        body = (denied.resp_body or b"").decode(errors="replace")
        raise Refused(denied.status_code, scrubbed(body, ())) from None
    except (websocket.WebSocketConnectionClosedException, ConnectionResetError, BrokenPipeError):
        raise Closed(f"{url}: closed by the service") from None
    except OSError as error:
        raise Unreachable(f"{url}: {error.strerror or type(error).__name__}") from None
    except websocket.WebSocketException as error:
        raise Garbled(f"{url}: not the WebSocket protocol ({type(error).__name__})") from None

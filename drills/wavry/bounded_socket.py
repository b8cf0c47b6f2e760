"""A TCP connection with one deadline for a whole call, however slowly the bytes drip.

A socket's own time-out starts anew with every read: behind a proxy that slices the stream, "5 s" becomes
minutes. Here a call says how long it may take as a whole, and every send and read takes what is left.
The same object carries HTTP (``http.client`` reads it through ``makefile``) and WebSockets
(``websocket-client`` reads single bytes during its handshake, which is why reads are buffered).

Works the same in threads and under gevent: ``socket`` is looked up at each call, never at import.
"""

from __future__ import annotations

import io
import select
import socket
import time

READ_SIZE = 65536


class BoundedSocket:
    """A connected TCP socket, ``TCP_NODELAY`` set, whose sends and reads end with a deadline."""

    def __init__(self, raw: socket.socket) -> None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._raw = raw
        self._deadline = 0.0
        self._last_look = False  # one read past the deadline that does not wait, so that allow(0) sees what has come
        self._unread = b""
        self._taken = 0
        self._readers = 0
        self._closing = False

    @classmethod
    def connect(cls, host: str, port: int, *, timeout_s: float, source_address: str | None = None) -> BoundedSocket:
        """A new connection, made from ``source_address`` if given; OSError if there is none within the time."""
        source = None if source_address is None else (source_address, 0)
        return cls(socket.create_connection((host, port), timeout_s, source))

    def allow(self, timeout_s: float) -> None:
        """Everything from now on must be done within ``timeout_s``."""
        self._deadline = time.monotonic() + timeout_s
        self._last_look = True

    def recv(self, size: int) -> bytes:
        """Up to ``size`` bytes, empty at the end of the stream; TimeoutError once the deadline has passed."""
        if self._taken >= len(self._unread):
            self._unread = self._read()
            self._taken = 0
        chunk = self._unread[self._taken : self._taken + size]
        self._taken += len(chunk)
        return chunk

    def send(self, payload: bytes) -> int:
        """Some of the bytes; how many."""
        return self._timed().send(payload)

    def sendall(self, payload: bytes) -> None:
        """All of the bytes before the deadline (Python's own ``sendall`` already counts as a whole)."""
        self._timed().sendall(payload)

    def quiet(self) -> bool:
        """Whether nothing waits to be read: an idle HTTP connection with bytes or an end on it is spent."""
        if self._taken < len(self._unread):
            return False
        poll = select.poll()
        poll.register(self._raw, select.POLLIN)
        return not poll.poll(0)

    def fileno(self) -> int:
        """The descriptor, for those who wait on it."""
        return self._raw.fileno()

    def local_address(self) -> tuple[str, int]:
        """Address and port of this end."""
        host, port = self._raw.getsockname()[:2]
        return str(host), int(port)

    def gettimeout(self) -> float | None:
        """What libraries ask to know whether the socket blocks; it does."""
        return self._raw.gettimeout()

    def settimeout(self, timeout_s: float | None) -> None:
        """Ignored: libraries may not widen the deadline."""

    def makefile(self, mode: str = "rb") -> io.BufferedReader:
        """What ``http.client`` reads an answer from; the socket outlives ``close`` until it is read."""
        assert mode == "rb", mode
        self._readers += 1
        return io.BufferedReader(_Reader(self))

    def shutdown(self, how: int) -> None:
        """End the stream without giving up the descriptor."""
        self._raw.shutdown(how)

    def close(self) -> None:
        """Give the descriptor up, at once or when the last answer has been read."""
        self._closing = True
        if self._readers <= 0:
            self._raw.close()

    def _reader_closed(self) -> None:
        self._readers -= 1
        if self._closing:
            self.close()

    def _read(self) -> bytes:
        if self._deadline > time.monotonic() or not self._last_look:
            return self._timed().recv(READ_SIZE)
        self._last_look = False
        self._raw.settimeout(0)
        try:
            return self._raw.recv(READ_SIZE)
        except BlockingIOError:
            raise TimeoutError("timed out") from None

    def _timed(self) -> socket.socket:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._raw.settimeout(left_s)
        return self._raw


class _Reader(io.RawIOBase):
    """The reading half of a BoundedSocket as a file."""

    def __init__(self, bounded: BoundedSocket) -> None:
        self._bounded = bounded

    def readable(self) -> bool:
        return True

    def readinto(self, into: memoryview) -> int:  # type: ignore[override]  # io passes a memoryview
        chunk = self._bounded.recv(len(into))
        into[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._bounded._reader_closed()

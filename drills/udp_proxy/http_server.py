"""The API's sockets, in the same loop as the packets: nothing in it waits, everything in it is bounded."""

from __future__ import annotations

import contextlib
import socket
import time

from drills.udp_proxy.api import Answer, Api
from drills.udp_proxy.errors import ApiError
from drills.udp_proxy.http_messages import refusal, request, response
from drills.udp_proxy.loop import WRITE, Loop
from drills.udp_proxy.sockets import Address

CONNECTIONS_MAX = 64
CONNECTION_S_MAX = 10.0  # from accepting to having answered
READ_BYTES = 65_536


class HttpServer:
    """Accepts connections and answers one request on each."""

    def __init__(self, address: Address, api: Api, loop: Loop) -> None:
        """Listen; raises OSError."""
        self._api, self._loop = api, loop
        self._connections: set[_Connection] = set()
        self._socket = socket.create_server((address.host, address.port), family=address.family)
        self._socket.setblocking(False)
        self.address = Address(*self._socket.getsockname()[:2])
        loop.watch(self._socket, self._accept)
        loop.look_around.append(self._end_slow)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # gone before we came, or no descriptor left
            sock, _ = self._socket.accept()
            if len(self._connections) >= CONNECTIONS_MAX:
                sock.close()
            else:
                self._connections.add(_Connection(sock, self))

    def _end_slow(self, now_ns: int) -> None:
        for connection in [one for one in self._connections if now_ns - one.began_ns > CONNECTION_S_MAX * 1e9]:
            self.end(connection)

    def answered(self, read: bytes) -> Answer | None:
        """What to answer to what was read so far, None where more is to come."""
        try:
            asked = request(read)
        except ApiError as error:
            return refusal(error)
        return asked and self._api.answer(asked.method, asked.path, asked.body, asked.user_agent)

    def watch(self, connection: _Connection) -> None:
        """Call a connection while it can be read, or written once it has something to say."""
        if connection.unsent:
            self._loop.watch(connection.sock, connection.write, WRITE)
        else:
            self._loop.watch(connection.sock, connection.read)

    def end(self, connection: _Connection) -> None:
        """Close one connection."""
        self._connections.discard(connection)
        self._loop.forget(connection.sock)
        connection.sock.close()

    def close(self) -> None:
        """Close all of them, and listen no longer."""
        for connection in [*self._connections]:
            self.end(connection)
        self._loop.forget(self._socket)
        self._socket.close()


class _Connection:
    """One connection: reads until there is a whole request, then writes the answer and is over."""

    def __init__(self, sock: socket.socket, server: HttpServer) -> None:
        self.sock, self._server = sock, server
        self.began_ns = time.monotonic_ns()
        self.unsent = b""
        self._read = b""
        sock.setblocking(False)
        server.watch(self)

    def read(self) -> None:
        """Some more of the request has come, or the other side is gone."""
        try:
            more = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        self._read += more
        answer = self._server.answered(self._read) if more else None
        if answer:
            self.unsent = response(answer)
            self._server.watch(self)
        elif not more:
            self._server.end(self)

    def write(self) -> None:
        """Some more of the answer can go."""
        try:
            self.unsent = self.unsent[self.sock.send(self.unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self.unsent = b""
        if not self.unsent:
            self._server.end(self)

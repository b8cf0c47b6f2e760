"""One client of a proxy: its socket towards the upstream and the two directions between them."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterable

from drills.udp_proxy.counts import Counts, Tally
from drills.udp_proxy.link import Link
from drills.udp_proxy.loop import Loop
from drills.udp_proxy.sockets import DATAGRAM_BYTES_MAX, Address, dropped, udp_socket
from drills.udp_proxy.toxic import STREAMS, Toxic, stages

BATCH = 32  # datagrams of one socket before others have their turn


class Flow:
    """Packets of one client address. ``number`` counts the proxy's flows in the order of their first packets."""

    def __init__(
        self, number: int, client: Address, listener: socket.socket, upstream: Address, source: str | None, loop: Loop,
        tally: Tally,
    ) -> None:  # fmt: skip
        """Open a socket for it; raises OSError where there is none to be had."""
        self.number, self.client = number, client
        self._upstream, self._source, self._loop, self._tally = upstream, source, loop, tally
        self._listener, self._peer = listener, (client.host, client.port)
        self._socket = self._opened()
        self._old: socket.socket | None = None
        self.up = Link(self._send_up, loop.held, tally.upstream, tally.losses, self._rebind)
        self.down = Link(self._send_down, loop.held, tally.downstream, tally.losses, self._rebind)
        self.seen_ns = time.monotonic_ns()

    @property
    def links(self) -> tuple[Link, Link]:
        """Upstream and downstream."""
        return self.up, self.down

    def refit(self, toxics: Iterable[Toxic], seed: int, proxy: str) -> set[tuple[Link, int]]:
        """The proxy has other toxics from now on; returns those that are gone or changed, by link and order."""
        toxics = [*toxics]
        gone: set[tuple[Link, int]] = set()
        for stream, link in zip(STREAMS, self.links, strict=True):
            ours = [toxic for toxic in toxics if toxic.stream == stream]
            gone |= link.refit(stages(ours, link.stages, seed, proxy, self.number))
        return gone

    def source(self) -> Address:
        """Where the upstream sees this client."""
        return Address(*self._socket.getsockname()[:2])

    def dropped(self) -> int:
        """What has died in the receive buffer of the present socket."""
        return dropped(self._socket)

    def close(self) -> None:
        """Close its sockets; what is held for its links the caller forgets."""
        self._tally.losses.receive_buffers += self.dropped()
        self._loop.forget(self._socket)
        self._socket.close()
        if self._old:
            self._old.close()

    def _opened(self) -> socket.socket:
        sock = udp_socket(self._upstream.family)
        try:
            if self._source:
                sock.bind((self._source, 0))
            sock.connect((self._upstream.host, self._upstream.port))
            self._loop.watch(sock, self._read)
        except OSError:
            sock.close()
            raise
        return sock

    def _read(self) -> None:
        receive, take, now = self._socket.recv, self.down.take, time.monotonic_ns
        try:
            for _ in range(BATCH):
                take(receive(DATAGRAM_BYTES_MAX), now())
        except BlockingIOError:
            pass
        except OSError:  # ICMP: nobody listens there; the packet that met this has been counted as sent
            self._tally.upstream.refused_packets += 1
        self.seen_ns = now()

    def _send_up(self, payload: bytes) -> None:
        counts = self._tally.upstream
        try:
            self._socket.send(payload)
        except OSError as error:
            self._send_again(payload, error)
        else:
            counts.sent_packets += 1
            counts.sent_bytes += len(payload)

    def _send_again(self, payload: bytes, error: OSError) -> None:
        """A connected socket tells the ICMP error of an earlier packet instead of sending this one."""
        counts = self._tally.upstream
        if error.errno == errno.ECONNREFUSED:
            counts.refused_packets += 1
            try:
                self._socket.send(payload)
            except OSError as second:
                error = second
            else:
                _count(counts, payload)
                return
        self._tally.losses.sends += 1

    def _send_down(self, payload: bytes) -> None:
        counts = self._tally.downstream
        try:
            self._listener.sendto(payload, self._peer)
        except OSError:
            self._tally.losses.sends += 1
        else:
            counts.sent_packets += 1
            counts.sent_bytes += len(payload)

    def _rebind(self) -> None:
        """Another port from now on. The old one stays open, unread and small, so that it is silent, not refused."""
        try:
            fresh = self._opened()
        except OSError:
            self._tally.losses.flows += 1
            return
        old, self._socket = self._socket, fresh
        self._tally.losses.receive_buffers += dropped(old)
        self._loop.forget(old)
        old.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)  # the kernel's least
        if self._old:
            self._old.close()
        self._old = old


def _count(counts: Counts, payload: bytes) -> None:
    counts.sent_packets += 1
    counts.sent_bytes += len(payload)

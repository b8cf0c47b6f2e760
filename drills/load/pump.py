"""One loop that sends and receives the packets of all sessions of a worker.

Locust owns the population, not the packets: a greenlet per end would cost some 30 us of CPU a round trip (design §4).
The pump is one greenlet that wakes every millisecond, reads every socket that has something, and sends what is due.
Sends are open-loop: each has an intended time that does not move when we are late. A send that is overdue by more
than ``OVERDUE_NS`` is not made at all, only recorded as skipped: a generator that catches up in a burst would break
the system under test by itself.

Works in a process that gevent has patched, on sockets that gevent knows nothing of.
"""

from __future__ import annotations

import contextlib
import heapq
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from gevent import monkey
from gevent.queue import Empty, Queue

from drills.load.samples import FRAME, INPUT, Samples
from drills.load.tick import Tick
from drills.wavry import packets

TICK_NS = 1_000_000
OVERDUE_NS = 100_000_000
GAP_NOTED_NS = 10_000_000  # standing still for longer than this is written down, gap by gap
ON_ITS_WAY_NS = 1_000_000_000  # what was sent before a move has arrived or is lost by then (SETTLE_S of the samples)
ODD_NOTED = 20  # so many packets that are not as they were sent are written down one by one; all are counted
READ_BYTES = 2048
READ_PASSES = 64  # a round ends after so many datagrams of one socket; what is left waits for the next
SO_MEMINFO = 55  # linux/asm-generic/socket.h; not in Python's socket module
SK_MEMINFO_DROPS = 8  # index of the drop counter in what SO_MEMINFO returns (linux/sock_diag.h)
HEADER = packets.HEADER_BYTES
# What follows the relay's 8-byte sequence number: the row of this packet in the samples, and for a frame the newest
# input that it shows (design §4, step 5).
_BODY = struct.Struct(">Qqq")  # sequence, row, newest input

_socket: Any = monkey.get_original("socket", "socket")
_epoll: Any = monkey.get_original("select", "epoll")


@dataclass(eq=False)
class End:
    """One end of a session: a UDP socket with an address of its own, and where its relay is."""

    direction: int  # of what it sends: INPUT for the client end, FRAME for the host end
    address: str
    port: int = 0  # 0: any
    sock: Any = None
    relay: tuple[str, int] = ("", 0)
    header: bytes = b""
    left: dict[bytes, int] = field(default_factory=dict)  # headers of leases before, and since when it has left them
    sequence: int = 0
    newest_seen: int = -1  # the host end's newest input
    last_received_ns: int = 0
    replies: Queue = field(default_factory=Queue)  # (ns, datagram): ACK and REJECT
    media: Media | None = None
    interval_ns: int = 0
    drops: int = 0

    def open(self) -> None:
        """Bind a socket to this end's own address."""
        self.sock = _socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind((self.address, self.port))

    def kernel_drops(self) -> int:
        """Packets for this end that died in its own receive buffer (SO_MEMINFO, the counter of SO_RXQ_OVFL)."""
        if self.sock is None or self.sock.fileno() < 0:
            return self.drops
        raw = self.sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * (SK_MEMINFO_DROPS + 1))
        if len(raw) >= 4 * (SK_MEMINFO_DROPS + 1):
            self.drops = struct.unpack_from("=I", raw, 4 * SK_MEMINFO_DROPS)[0]
        return self.drops


@dataclass(eq=False)
class Media:
    """The packets of one session: inputs from client to host, frames from host to client."""

    index: int
    client: End
    host: End
    flowing: bool = False

    def heard_both_ways(self) -> bool:
        """Whether each end has heard the other since the media began."""
        return bool(self.client.last_received_ns and self.host.last_received_ns)


class Pump:
    """Sends and receives for every session of this process; see the module's text."""

    def __init__(
        self, samples: Samples, on_gap: Callable[[int, int], None],
        on_odd: Callable[[str, dict[str, Any]], None] = lambda event, facts: None,
    ) -> None:  # fmt: skip
        self.samples = samples
        self.on_gap = on_gap  # (from_ns, to_ns)
        self.on_odd = on_odd  # a packet that is not as it was sent, or came by a way that its session has left
        self.altered = self.strays = 0
        self._ends: dict[int, End] = {}
        self._due: list[tuple[int, int, End]] = []
        self._tie = 0
        self._epoll = _epoll()
        self.skipped = 0
        self.gap_ns_max = 0
        self.own_drops = 0
        self._running = True

    # -- sessions -----------------------------------------------------------------------------------------------

    def add(self, end: End) -> None:
        """Open an end's socket and listen on it."""
        end.open()
        self._ends[end.sock.fileno()] = end
        self._epoll.register(end.sock.fileno(), 1)  # EPOLLIN

    def remove(self, end: End) -> None:
        """Close an end; what its socket had dropped is kept in ``own_drops``."""
        if end.sock is None or end.sock.fileno() < 0:
            return
        self.own_drops += end.kernel_drops()
        number = end.sock.fileno()
        self._epoll.unregister(number)
        del self._ends[number]
        end.sock.close()

    def point(self, end: End, relay: tuple[str, int], session: UUID) -> None:
        """Send this end's media to another relay or session from now on; numbering goes on (contract 4.9)."""
        if end.header:
            end.left[end.header] = time.monotonic_ns()
        end.relay = relay
        end.header = packets.header_of(packets.FORWARD, session.bytes)

    def start(self, media: Media, inputs_per_s: int, frames_per_s: int) -> None:
        """Let the media of a session flow; the first sends are due at once, half an interval apart."""
        now = time.monotonic_ns()
        media.flowing = True
        media.client.interval_ns, media.host.interval_ns = 10**9 // inputs_per_s, 10**9 // frames_per_s
        for offset, end in ((0, media.client), (media.host.interval_ns // 2, media.host)):
            end.media = media
            self._schedule(now + offset, end)

    def _schedule(self, due_ns: int, end: End) -> None:
        self._tie += 1
        heapq.heappush(self._due, (due_ns, self._tie, end))

    # -- control datagrams ----------------------------------------------------------------------------------------

    def exchange(self, end: End, datagram: bytes, relay: tuple[str, int], *, tries: int, wait_s: float,
                 session: UUID) -> tuple[int, bytes | None, int]:  # fmt: skip
        """Send a PRESENT or RENEW and wait for its ACK or REJECT: (first sent ns, reply or None, answered ns).

        Blocks the calling greenlet for at most ``tries × wait_s``.
        """
        while not end.replies.empty():
            end.replies.get_nowait()
        first_ns = time.monotonic_ns()
        for _ in range(tries):
            self._send(end, datagram, relay)
            until = time.monotonic() + wait_s
            while (left := until - time.monotonic()) > 0:
                try:
                    answered_ns, reply = end.replies.get(timeout=left)
                except Empty:
                    break
                if reply[4:20] == session.bytes:
                    return first_ns, reply, answered_ns
        return first_ns, None, 0

    @staticmethod
    def _send(end: End, datagram: bytes, relay: tuple[str, int]) -> bool:
        try:
            end.sock.sendto(datagram, relay)
        except ConnectionRefusedError:  # the relay's port is closed: to the session it is a packet lost
            return True
        except OSError:  # our own send buffer is full, or the machine is out of memory for it
            return False
        return True

    # -- the loop -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until ``stop``: read, send, wait for the next beat. The time between two rounds is watched for gaps."""
        previous = time.monotonic_ns()
        with contextlib.closing(Tick(TICK_NS)) as tick:
            while self._running:
                now = time.monotonic_ns()
                gap = now - previous
                previous = now
                if gap > self.gap_ns_max:
                    self.gap_ns_max = gap
                if gap > GAP_NOTED_NS:
                    self.on_gap(now - gap, now)
                self._read_all()
                self._send_due()
                tick.wait()

    def stop(self) -> None:
        """Let ``run`` return after this round."""
        self._running = False

    def _read_all(self) -> None:
        """One datagram of each socket that has any, until none has: to ask an empty socket costs more than to read."""
        for _ in range(READ_PASSES):
            ready = self._epoll.poll(0, 512)
            if not ready:
                return
            for number, _ in ready:
                end = self._ends.get(number)
                if end is None:
                    continue
                try:
                    datagram = end.sock.recv(READ_BYTES)
                except (BlockingIOError, ConnectionRefusedError):  # ICMP: the relay's port is closed; silence tells
                    continue
                self._received(end, datagram)

    def _received(self, end: End, datagram: bytes) -> None:
        now = time.monotonic_ns()
        if len(datagram) < HEADER:
            return
        if datagram[2] != packets.FORWARD:
            end.replies.put((now, datagram))
            return
        if not datagram.startswith(end.header) and not self._came_by_a_way_before(end, datagram, now):
            return
        if len(datagram) != HEADER + _BODY.size:
            self._note_altered(end, f"{len(datagram)} bytes instead of {HEADER + _BODY.size}")
            return
        sequence, row, shows = _BODY.unpack_from(datagram, HEADER)
        if not self.samples.is_as_sent(row, end.media.index if end.media else 0, sequence, shows):
            self._note_altered(end, f"packet {sequence} is not as it was sent")
            return
        end.last_received_ns = now
        self.samples.received(row, now)
        if end.direction == FRAME and sequence > end.newest_seen:  # the host end hears inputs
            end.newest_seen = sequence

    def _came_by_a_way_before(self, end: End, datagram: bytes, now: int) -> bool:
        """Whether a packet came under a lease that its session has left; one under no lease of its own is altered."""
        left_ns = end.left.get(datagram[:HEADER])
        if left_ns is None:
            self._note_altered(end, "its header is none of its session's")
            return False
        if now - left_ns > ON_ITS_WAY_NS:
            self.strays += 1
            if self.strays <= ODD_NOTED:
                session = end.media.index if end.media else None
                self.on_odd("packet.stray", {"session": session, "left_ns": left_ns, "heard_ns": now})
        return True

    def _note_altered(self, end: End, what: str) -> None:
        self.altered += 1
        if self.altered <= ODD_NOTED:
            self.on_odd("packet.altered", {"session": end.media.index if end.media else None, "what": what})

    def _send_due(self) -> None:
        due = self._due
        while due:
            now = time.monotonic_ns()
            intended, tie, end = due[0]
            if intended > now:
                return
            media = end.media
            if media is None or not media.flowing:
                heapq.heappop(due)
                continue
            heapq.heapreplace(due, (intended + end.interval_ns, tie, end))
            self._send_media(end, media, intended, now)

    def _send_media(self, end: End, media: Media, intended: int, now: int) -> None:
        sequence = end.sequence = end.sequence + 1
        shows = end.newest_seen if end.direction == FRAME else -1
        if now - intended > OVERDUE_NS:
            self.skipped += 1
            self.samples.add(media.index, end.direction, sequence, intended, 0, shows)
            return
        row = self.samples.add(media.index, end.direction, sequence, intended, now, shows)
        if not self._send(end, end.header + _BODY.pack(sequence, row, shows), end.relay):
            self.skipped += 1
            self.samples.unsent(row)


def client_end(address: str, port: int = 0) -> End:
    """The end that sends inputs."""
    return End(INPUT, address, port)


def host_end(address: str, port: int = 0) -> End:
    """The end that sends frames."""
    return End(FRAME, address, port)

"""The relay's UDP socket: reads in batches, lets the pipeline decide, sends.

More is read than processed in one turn of the loop, so that a burst waits in the relay's own queue, where what does
not fit is counted, and not in the kernel's buffer, where it is lost in no counter (observed.md, corrections).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import deque

from drills.reference.relay.options import HostPort
from drills.reference.relay.pipeline import Outgoing, Pipeline
from drills.wavry.packets import FORWARD, MAX_DATAGRAM

RECEIVE_BUFFER_BYTES = 4 << 20  # asked for; the kernel gives what net.core.rmem_max allows
READ_BATCH = 256
PROCESS_BATCH = 128
HOLD_S = 0.040  # of the defect relay_adds_40ms


def bound_udp(address: HostPort) -> socket.socket:
    """A socket on exactly this address; a taken port raises OSError (Wavry takes another port, D-37)."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        bound.bind((address.host, address.port))
    except OSError:
        bound.close()
        raise
    return bound


class UdpPort:
    """Carries datagrams between the socket and the pipeline."""

    def __init__(self, bound: socket.socket, pipeline: Pipeline, holds_forwards: bool) -> None:
        self._socket = bound
        self._pipeline = pipeline
        self._loop = asyncio.get_running_loop()
        self._turn_is_due = False
        self._holds_forwards = holds_forwards
        self._held: deque[Outgoing] = deque()
        self._broken: asyncio.Future[None] = self._loop.create_future()

    async def until_broken(self) -> None:
        """Wait for the socket to fail, and raise its OSError; a relay that cannot read has to end."""
        await self._broken

    def open(self) -> None:
        """Take what has queued in the kernel since the socket was bound, and everything after."""
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        """Take nothing any more."""
        self._loop.remove_reader(self._socket.fileno())

    def _readable(self) -> None:
        recvfrom, arrive = self._socket.recvfrom, self._pipeline.arrive
        try:
            for _ in range(READ_BATCH):
                arrive(*recvfrom(MAX_DATAGRAM + 1))  # one more, so that a longer datagram is known for one (D-36)
        except BlockingIOError:
            pass
        except OSError as broken:
            self.close()
            self._broken.set_exception(broken)
        if not self._turn_is_due:
            self._process()

    def _process(self) -> None:
        pipeline = self._pipeline
        now, unix_s = time.monotonic(), time.time()
        for _ in range(min(pipeline.waiting, PROCESS_BATCH)):
            outgoing = pipeline.next_outgoing(now, unix_s)
            if outgoing is not None:
                if self._holds_forwards and outgoing[0][2] == FORWARD:
                    self._hold(outgoing)
                else:
                    self._send(outgoing)
        while pipeline.unasked:
            with contextlib.suppress(OSError):
                self._socket.sendto(*pipeline.unasked.popleft())
        self._turn_is_due = pipeline.waiting > 0
        if self._turn_is_due:
            self._loop.call_soon(self._process)

    def _send(self, outgoing: Outgoing) -> None:
        try:
            self._socket.sendto(*outgoing)
        except OSError:  # a full buffer, or no way to that address: either way this datagram is lost
            self._pipeline.unsent()
        else:
            self._pipeline.sent(outgoing[0])

    def _hold(self, outgoing: Outgoing) -> None:
        """All are held equally long, so the oldest held is always the next one due."""
        self._held.append(outgoing)
        self._loop.call_later(HOLD_S, lambda: self._send(self._held.popleft()))

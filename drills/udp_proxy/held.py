"""Packets that are to go on later, by the time they are due.

Most are due no earlier than whoever came before them (with a latency and no jitter all are): those stand in a line,
which costs next to nothing. The others lie in a heap.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drills.udp_proxy.link import Link

BYTES_MAX = 256 * 1024 * 1024
PACKET_BYTES = 300  # what a held packet takes beside its payload, about

# due (ns), tie, link, order of the toxic that holds it, number, payload
Packet = tuple[int, int, "Link", int, int, bytes]


class Held:
    """All held packets of this program; those due at the same moment leave in the order in which they came."""

    def __init__(self) -> None:
        self._line: deque[Packet] = deque()
        self._heap: list[Packet] = []
        self._gone: set[int] = set()  # ties of packets that went on early
        self._tie = 0
        self._bytes = 0
        self.late_ns_max = 0

    def add(self, due_ns: int, link: Link, order: int, number: int, payload: bytes) -> int:
        """Hold a packet; returns the tie that ``take_out`` knows it by, 0 where there is no room for more."""
        if self._bytes > BYTES_MAX:
            return 0
        self._bytes += len(payload) + PACKET_BYTES
        self._tie = tie = self._tie + 1
        line, packet = self._line, (due_ns, tie, link, order, number, payload)
        if not line or line[-1][0] <= due_ns:
            line.append(packet)
        else:
            heapq.heappush(self._heap, packet)
        return tie

    def take_out(self, tie: int) -> None:
        """A packet goes on before it is due; the caller has it."""
        self._gone.add(tie)

    def due_ns(self) -> int | None:
        """When the next packet is due, None where none is held."""
        line, heap = self._line, self._heap
        if line and heap:
            return min(line[0][0], heap[0][0])
        return line[0][0] if line else heap[0][0] if heap else None

    def release(self, now_ns: int) -> None:
        """Let every packet that is due go on through its link."""
        line, heap, gone = self._line, self._heap, self._gone
        while line or heap:
            in_line = not heap or (line and line[0] < heap[0])
            if (line if in_line else heap)[0][0] > now_ns:
                return
            due_ns, tie, link, order, number, payload = line.popleft() if in_line else heapq.heappop(heap)
            self._bytes -= len(payload) + PACKET_BYTES
            if gone and tie in gone:
                gone.discard(tie)
                continue
            if now_ns - due_ns > self.late_ns_max:
                self.late_ns_max = now_ns - due_ns
            link.go_on_behind(order, number, payload, due_ns)

    def hasten(self, holders: set[tuple[Link, int]], now_ns: int) -> None:
        """Packets that toxics of these orders hold on these links are due now: the toxics are gone or others."""
        if holders:
            self._are([(min(packet[0], now_ns), *packet[1:]) if packet[2:4] in holders else packet
                       for packet in self._all()])  # fmt: skip

    def forget(self, links: set[Link]) -> None:
        """Packets of these links will go nowhere. One call for many links: everything that is held is looked at."""
        held = self._all()
        rest = [packet for packet in held if packet[2] not in links]
        self._gone -= {packet[1] for packet in held if packet[2] in links}
        self._bytes = sum(len(packet[5]) + PACKET_BYTES for packet in rest)
        self._are(rest)

    def _all(self) -> list[Packet]:
        return [*self._line, *self._heap]

    def _are(self, packets: list[Packet]) -> None:
        """These are held from now on, and no others."""
        self._line.clear()
        self._heap[:] = packets
        heapq.heapify(self._heap)

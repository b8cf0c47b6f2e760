"""Packets that are to go on later: a heap by the time they are due."""

from __future__ import annotations

import heapq
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
        heapq.heappush(self._heap, (due_ns, tie, link, order, number, payload))
        return tie

    def take_out(self, tie: int) -> None:
        """A packet goes on before it is due; the caller has it."""
        self._gone.add(tie)

    def due_ns(self) -> int | None:
        """When the next packet is due, None where none is held."""
        return self._heap[0][0] if self._heap else None

    def release(self, now_ns: int) -> None:
        """Let every packet that is due go on through its link."""
        heap, gone = self._heap, self._gone
        while heap and heap[0][0] <= now_ns:
            due_ns, tie, link, order, number, payload = heapq.heappop(heap)
            self._bytes -= len(payload) + PACKET_BYTES
            if tie in gone:
                gone.discard(tie)
                continue
            if now_ns - due_ns > self.late_ns_max:
                self.late_ns_max = now_ns - due_ns
            link.go_on_behind(order, number, payload, due_ns)

    def hasten(self, holders: set[tuple[Link, int]], now_ns: int) -> None:
        """Packets that toxics of these orders hold on these links are due now: the toxics are gone or others."""
        theirs = sorted(packet for packet in self._heap if packet[2:4] in holders) if holders else []
        if theirs:
            ties = {packet[1] for packet in theirs}
            rest = [packet for packet in self._heap if packet[1] not in ties]
            self._heap[:] = rest + [(min(packet[0], now_ns), *packet[1:]) for packet in theirs]
            heapq.heapify(self._heap)

    def forget(self, links: set[Link]) -> None:
        """Packets of these links will go nowhere. One call for many links: everything that is held is looked at."""
        rest = [packet for packet in self._heap if packet[2] not in links]
        self._gone -= {packet[1] for packet in self._heap if packet[2] in links}
        self._bytes = sum(len(packet[5]) + PACKET_BYTES for packet in rest)
        self._heap[:] = rest
        heapq.heapify(self._heap)

"""A canary on every UDP path: packets of our own through the same sockets and toxics that everybody's go through.

Both ends of a canary are in this process, so each direction is measured by itself and with one clock. They do not meet
a relay: the proxy sends what comes from a canary to the canary's other end, so that what is measured is the path alone.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from drills.errors import CannotRun
from drills.paths.notes import EVERY_NS, Notes
from drills.record import Journal
from drills.stage.base import Stage
from drills.stage.udp_proxy import UdpProxyServer

COUNTED_EVERY_S = 1.0
BEHIND_NS = 100_000_000  # further behind its beat than this, a canary leaves beats out instead of sending a burst
FILLER = b"canary " * 8
STREAMS = ("upstream", "downstream")


@dataclass
class Canary:
    """One path's canary: its two ends, and what was noted of either direction."""

    proxy: str
    client: socket.socket
    upstream: socket.socket
    notes: dict[str, Notes] = field(default_factory=lambda: {stream: Notes() for stream in STREAMS})
    source: tuple[str, int] | None = None  # where the proxy sends the client's packets from, once it has

    def send(self, now_ns: int) -> None:
        """One packet each way; the way back begins when there is one."""
        self._sent(self.notes["upstream"], self.client, None, now_ns)
        if self.source:
            self._sent(self.notes["downstream"], self.upstream, self.source, now_ns)

    @staticmethod
    def _sent(notes: Notes, sock: socket.socket, to: tuple[str, int] | None, now_ns: int) -> None:
        payload = packet(len(notes.sent_ns))
        notes.sent_ns.append(now_ns)
        with contextlib.suppress(OSError):  # told of an earlier packet that nobody took: this one counts as lost
            if to:
                sock.sendto(payload, to)
            else:
                sock.send(payload)

    def read(self, sock: socket.socket) -> None:
        """Everything that has come to one of its ends."""
        notes = self.notes["upstream" if sock is self.upstream else "downstream"]
        with contextlib.suppress(OSError):
            while True:
                payload, sender = sock.recvfrom(2048)
                number = number_of(payload)
                if not 0 <= number < len(notes.sent_ns):
                    continue  # altered beyond recognition: it counts as lost
                notes.arrivals.append((number, time.monotonic_ns(), payload == packet(number)))
                if sock is self.upstream and sender != self.source:
                    self.source = sender
                    notes.ports.append((time.monotonic_ns(), sender[1]))

    def close(self) -> None:
        """Both ends."""
        self.client.close()
        self.upstream.close()


def packet(number: int) -> bytes:
    """A canary's packet: its number three times over, so that a flipped bit hides it from nobody."""
    return b"%d %d %d " % (number, number, number) + FILLER


def number_of(payload: bytes) -> int:
    """The number that at least two of the three say, −1 where none do."""
    words = payload.split(b" ", 3)[:3]
    said = [int(word) for word in words if word.isdigit() and len(word) < 12]
    return next((number for number in said if said.count(number) > 1), -1)


@dataclass
class Canaries:
    """All canaries of a stage, flying in a thread of their own."""

    by_proxy: dict[str, Canary]

    def on(self, proxies: tuple[str, ...]) -> list[Canary]:
        """Those of these proxies."""
        return [self.by_proxy[name] for name in proxies]

    def fly(self, stop: threading.Event, journal: Journal) -> None:
        """Until told to stop: send at every beat, read in between. A thread's work, which never goes quietly."""
        try:
            self._fly(stop)
        except Exception as error:
            journal.write("watcher.died", watcher="canaries", error=f"{type(error).__name__}: {error}")
            raise

    def _fly(self, stop: threading.Event) -> None:
        ends = {end.fileno(): (canary, end) for canary in self.by_proxy.values()
                for end in (canary.client, canary.upstream)}  # fmt: skip
        due_ns = time.monotonic_ns()
        with select.epoll() as ready:
            for number in ends:
                ready.register(number, select.EPOLLIN)
            while not stop.is_set():
                wait_s = max(0.0, (due_ns - time.monotonic_ns()) / 1e9)
                for number, _ in ready.poll(wait_s):
                    canary, end = ends[number]
                    canary.read(end)
                now_ns = time.monotonic_ns()
                if now_ns >= due_ns:
                    for canary in self.by_proxy.values():
                        canary.send(now_ns)
                    due_ns = max(due_ns + EVERY_NS, now_ns - BEHIND_NS)


@contextlib.contextmanager
def flying(stage: Stage, journal: Journal) -> Iterator[Canaries | None]:
    """A canary on every UDP path of the stage while this lasts; None where no UDP proxy is on stage."""
    server = stage.udp_proxy
    if server is None:
        yield None
        return
    with contextlib.ExitStack() as stack:
        canaries = Canaries(
            {name: hatched(stage, server, name, stage.udp_ways(name)[0], stack) for name in stage.on_path("ends")}
        )
        stop = threading.Event()
        threads = [
            threading.Thread(target=canaries.fly, args=(stop, journal), daemon=True),
            threading.Thread(target=_count, args=(stop, journal, server), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield canaries
        finally:
            stop.set()
            for thread in threads:
                thread.join(5.0)


def hatched(stage: Stage, server: UdpProxyServer, name: str, listen: str, stack: contextlib.ExitStack) -> Canary:
    """The two ends of the canary of a proxy that listens there, known to it; CannotRun where they cannot be had."""
    here = [source or stage.block.host for source in stage.probe_sources()]
    ends = []
    for address in here:
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stack.callback(end.close)
        end.setblocking(False)
        try:
            end.bind((address, 0))
        except OSError as error:
            raise CannotRun(f"no canary can fly from {address}: {error.strerror}") from None
        ends.append(end)
    server.watch(name, *("{}:{}".format(*end.getsockname()) for end in ends))
    host, _, port = listen.rpartition(":")
    ends[0].connect((host, int(port)))
    return Canary(name, ends[0], ends[1])


def _count(stop: threading.Event, journal: Journal, server: UdpProxyServer) -> None:
    """Once a second, what the proxy has lost without being asked to; where it does not say, that is written down."""
    while not stop.wait(COUNTED_EVERY_S):
        try:
            journal.write("udp_proxy.second", own_losses=server.own_losses())
        except CannotRun as error:
            journal.write("udp_proxy.silent", error=str(error))

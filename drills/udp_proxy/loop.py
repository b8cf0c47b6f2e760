"""One loop for everything: sockets that can be read, packets that are due, and a look around once a second.

Not asyncio: what it does for one datagram costs several times what receiving and sending it costs (docs/udp-proxy.md).
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path

from drills.udp_proxy.held import Held

LOOK_AROUND_NS = 1_000_000_000
READ, WRITE = select.EPOLLIN, select.EPOLLOUT


class Loop:
    """Calls whoever's socket is ready, and lets held packets go on when they are due."""

    def __init__(self) -> None:
        self.held = Held()
        self.look_around: list[Callable[[int], None]] = []  # called about once a second with the time in ns
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._running = True
        self._looked_ns = time.monotonic_ns()

    def watch(self, sock: socket.socket, handler: Callable[[], None], events: int = READ) -> None:
        """Call ``handler`` while the socket is ready; again for other events or another handler."""
        number = sock.fileno()
        if number in self._handlers:
            self._epoll.modify(number, events)
        else:
            self._epoll.register(number, events)
        self._handlers[number] = handler

    def forget(self, sock: socket.socket) -> None:
        """Watch a socket no longer; to be called before it is closed."""
        if self._handlers.pop(sock.fileno(), None):
            self._epoll.unregister(sock.fileno())

    def stop(self) -> None:
        """Let ``run`` return after this round."""
        self._running = False

    def close(self) -> None:
        """Give the kernel's part back."""
        self._epoll.close()

    def run(self) -> None:
        """Until ``stop``."""
        _sharpen()
        while self._running:
            self.round()

    def round(self, wait_ns: int = LOOK_AROUND_NS) -> None:
        """Wait until something is ready or due, for so long at most, and do it."""
        handlers, held = self._handlers, self.held
        for number, _ in self._epoll.poll(0) or self._wait(wait_ns):
            handler = handlers.get(number)
            if handler:  # else the handler before this one has closed it
                handler()
            due_ns = held.due_ns()
            if due_ns is not None and due_ns <= (now_ns := time.monotonic_ns()):
                held.release(now_ns)
        now_ns = time.monotonic_ns()
        held.release(now_ns)
        if now_ns - self._looked_ns >= LOOK_AROUND_NS:
            self._looked_ns = now_ns
            for look in self.look_around:
                look(now_ns)

    def _wait(self, wait_ns: int) -> list[tuple[int, int]]:
        """epoll_wait counts in whole milliseconds, select in microseconds, and an epoll is a file too."""
        due_ns = self.held.due_ns()
        if due_ns is None:
            return self._epoll.poll(wait_ns / 1e9)
        wait_ns = min(due_ns - time.monotonic_ns(), wait_ns)
        if wait_ns <= 0 or not select.select([self._epoll], [], [], wait_ns / 1e9)[0]:
            return []
        return self._epoll.poll(0)


def _sharpen() -> None:
    """Wake when asked to, not up to 50 us later, as the kernel does to spare power (proc(5), timerslack_ns)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/timerslack_ns").write_text("1")

"""An end's account at the gateway and its signaling socket there: bound once, and bound again whenever it is lost.

A good client whose socket is closed by the gateway binds again by itself, with the token that it has: soon, then less
and less often. It logs in anew only where the gateway says that the token is no longer good. Every step is told to
``on_signal`` as an event; tokens and passwords are not in it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import gevent
from gevent.lock import Semaphore

from drills.wavry.errors import WireError
from drills.wavry.gateway import GatewayHttp, GatewaySocket, TokenRefused

SIGNAL_TIMEOUT_S = 2.0  # an offer unanswered for this long is a set-up that failed; so is a Bind
KEEP_UP_S = 0.005
# How long a client that has lost its socket waits before it tries again: at first, and at most. Not at once and not in
# step: a gateway that has just started must not be run over by everybody who lost it (contract-gateway §9, storm).
BACK_OFF_FIRST_S, BACK_OFF_MOST_S, JITTER = 0.25, 2.0, 0.25


class Door(Protocol):
    """The gateway as an end uses it; each call raises WireError."""

    def bound(self, token: str) -> GatewaySocket:
        """A socket bound with this token; TokenRefused where the token is the reason that there is none."""

    def logged_in(self, email: str, password: str) -> str:
        """The token of a new session."""


@dataclass(frozen=True)
class GatewayDoor:
    """The real one."""

    url: str  # ws://host:port/ws
    http: GatewayHttp

    def bound(self, token: str) -> GatewaySocket:
        """A socket bound with this token."""
        return GatewaySocket.bound(self.url, token, timeout_s=SIGNAL_TIMEOUT_S)

    def logged_in(self, email: str, password: str) -> str:
        """The token of a new session."""
        return self.http.login(email, password).token


@dataclass
class EndAccount:
    """One end's account at the gateway and its signaling socket there."""

    name: str
    email: str
    password: str = field(repr=False)
    token: str = field(default="", repr=False)
    socket: GatewaySocket | None = None
    lost_ns: int = 0  # since when it has no socket though it means to have one; 0 otherwise
    # held by whoever reads or binds the socket: a set-up, or a greenlet that keeps idle sockets read or binds lost ones
    reading: Semaphore = field(default_factory=Semaphore, repr=False)
    on_signal: Callable[..., None] = lambda event, **fields: None
    on_token: Callable[[str, bool, int], None] = lambda token, accepted, used_ns: None
    on_lost: Callable[[EndAccount], None] = lambda end: None
    _tries: int = 0  # since it was bound last
    _logged_in: bool = False  # whether one of them took a new login
    _releases: int = 0

    def bind(self, door: Door) -> None:
        """Be bound, if it is not yet; raises WireError, and TokenRefused where not even a fresh token is taken."""
        with self.reading:
            if self.socket is None:
                self._bind(door)

    def _bind(self, door: Door) -> None:
        releases, self._tries = self._releases, self._tries + 1
        try:
            socket = self._bound(door)
        except TokenRefused as refused:
            self.on_signal("signal.refused", end=self.name, reason=refused.text)
            self.token = door.logged_in(self.email, self.password)
            self._logged_in = True
            socket = self._bound(door)
        if releases != self._releases:  # hung up while we were at it
            socket.close()
            return
        self.socket = socket
        event = "signal.rebound" if self.lost_ns else "signal.bound"
        self.on_signal(event, end=self.name, lost_ns=self.lost_ns, bound_ns=time.monotonic_ns(), tries=self._tries,
                       logged_in=self._logged_in)  # fmt: skip
        self._forget()

    def _bound(self, door: Door) -> GatewaySocket:
        """Bound with the token that it has; what the gateway makes of that token is told on."""
        used_ns = time.monotonic_ns()
        try:
            socket = door.bound(self.token)
        except TokenRefused:
            self.on_token(self.token, False, used_ns)
            raise
        self.on_token(self.token, True, used_ns)
        return socket

    def keep_up(self) -> None:
        """Read what waits on an idle socket, as every client does: pings must be answered, offers of the past go."""
        socket = self.socket
        if socket is None or not self.reading.acquire(blocking=False):
            return
        try:
            while socket.receive(KEEP_UP_S) is not None:
                continue
        except WireError as error:  # closed by the gateway, or by a visit that ended while we read
            self.lose(socket, str(error))
        finally:
            self.reading.release()

    def lose(self, socket: GatewaySocket, cause: str) -> None:
        """A socket is of no use any more: unless that is known already, say so and see that another is bound."""
        socket.close()
        if self.socket is not socket:
            return
        self.socket = None
        self.lost_ns = time.monotonic_ns()
        self.on_signal("signal.lost", end=self.name, lost_ns=self.lost_ns, cause=cause)
        self.on_lost(self)

    def release(self) -> None:
        """Hang up on purpose; nobody binds it again but the next set-up."""
        self._releases += 1
        socket, lost_ns = self.socket, self.lost_ns
        self.socket = None
        self._forget()
        if socket:
            socket.close()
        if socket or lost_ns:
            self.on_signal("signal.released", end=self.name)

    def _forget(self) -> None:
        self.lost_ns = self._tries = 0
        self._logged_in = False


def bound_again(
    end: EndAccount, door: Door, at_once: AbstractContextManager[object], stopping: Callable[[], bool]
) -> None:
    """A greenlet's work: try, with a growing back-off, until the end is bound again, hangs up, or the run ends.

    ``at_once`` bounds how many ends try at the same time, so that the pump of this process is not kept waiting.
    """
    lost_ns, wait_s = end.lost_ns, BACK_OFF_FIRST_S
    jitter = random.Random(end.name)
    while lost_ns and end.lost_ns == lost_ns and not stopping():
        gevent.sleep(wait_s * jitter.uniform(1 - JITTER, 1 + JITTER))
        wait_s = min(2 * wait_s, BACK_OFF_MOST_S)
        with at_once:
            if end.lost_ns == lost_ns:
                with suppress(WireError):
                    end.bind(door)

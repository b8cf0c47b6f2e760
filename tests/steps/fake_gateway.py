"""A gateway in memory: accounts, tokens, locks by account and address, and sockets that hear each other."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from drills.wavry.errors import Refused, Unreachable, WireError
from drills.wavry.gateway import Answer, GatewayMessage, Offer, TokenRefused

LOCKED_AFTER = 5


@dataclass
class FakeGateway:
    """What it knows; tests change it as a faulty restart would. ``loses``: kinds of message that vanish."""

    passwords: dict[str, tuple[str, str]] = field(default_factory=dict)  # email -> name, password
    tokens: dict[str, str] = field(default_factory=dict)  # token -> name
    revoked: set[str] = field(default_factory=set)
    failures: Counter[str] = field(default_factory=Counter)  # of an e-mail or an address
    bound: dict[str, FakeGatewaySocket] = field(default_factory=dict)
    loses: set[type] = field(default_factory=set)
    forgets_newer: bool = False
    health: list[WireError | None] = field(default_factory=list)  # the next answers; then all is well
    mute: bool = False  # answers nothing any more
    dialled: list[tuple[str, str | None]] = field(default_factory=list)  # where, from which address

    def http(self, url: str, *, timeout_s: float, source_address: str | None = None) -> FakeGatewayHttp:
        """In place of GatewayHttp."""
        self.dialled.append((url, source_address))
        return FakeGatewayHttp(self, source_address or url)

    def socket(self, url: str, token: str, *, timeout_s: float, source_address: str | None = None) -> FakeGatewaySocket:
        """In place of GatewaySocket.bound."""
        self.dialled.append((url, source_address))
        self.check()
        if token not in self.tokens or token in self.revoked:
            raise TokenRefused(101, "Invalid Token")
        return FakeGatewaySocket(self, self.tokens[token])

    def check(self) -> None:
        """Raise where it answers nothing."""
        if self.mute:
            raise Unreachable("no answer")


@dataclass
class FakeGatewayHttp:
    """Its HTTP calls from one address."""

    gateway: FakeGateway
    address: str

    def __enter__(self) -> FakeGatewayHttp:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def register(self, email: str, password: str, *, username: str, **_: str) -> SimpleNamespace:
        self.gateway.check()
        self.gateway.passwords[email] = username, password
        return self._session(username)

    def _session(self, name: str) -> SimpleNamespace:
        token = f"token {len(self.gateway.tokens)}"
        self.gateway.tokens[token] = name
        return SimpleNamespace(token=token)

    def login(self, email: str, password: str) -> SimpleNamespace:
        gateway = self.gateway
        gateway.check()
        for key, what in ((email, "Account locked due to too many"), (self.address, "Too many")):
            if gateway.failures[key] >= LOCKED_AFTER:
                raise Refused(429, f"{what} failed attempts")
        name, right = gateway.passwords.get(email, ("", ""))
        if password != right:
            gateway.failures.update([email, self.address])
            raise Refused(401, "Invalid credentials")
        return self._session(name)

    def logout(self, token: str) -> bool:
        self.gateway.revoked.add(token)
        return True

    def health(self) -> None:
        answers = self.gateway.health
        if answers and (answer := answers.pop(0)) is not None:
            raise answer


class FakeGatewaySocket:
    """One bound socket."""

    def __init__(self, gateway: FakeGateway, name: str) -> None:
        self.gateway, self.name = gateway, name
        self.heard: deque[GatewayMessage] = deque()
        self.closed = False
        gateway.bound[name] = self

    def __enter__(self) -> FakeGatewaySocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send_offer(self, target: str, sdp: str) -> None:
        self._send(target, Offer(self.name, sdp))

    def send_answer(self, target: str, sdp: str) -> None:
        self._send(target, Answer(self.name, sdp))

    def _send(self, target: str, message: Any) -> None:
        peer = self.gateway.bound.get(target)
        if peer and type(message) not in self.gateway.loses:
            peer.heard.append(message)

    def receive(self, timeout_s: float) -> GatewayMessage | None:
        if not self.heard:
            raise Unreachable("nothing comes any more")  # a time-out would take its time
        return self.heard.popleft()

    def close(self) -> None:
        if not self.closed and (self.gateway.forgets_newer or self.gateway.bound.get(self.name) is self):
            self.gateway.bound.pop(self.name, None)
        self.closed = True

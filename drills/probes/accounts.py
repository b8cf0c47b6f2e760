"""Accounts of the drill's own at the gateway: what is known of them before a fault, and what is left of it afterwards.

They go past Toxiproxy, from addresses of their own: a lockout holds for its address too (contract-gateway §3.3), and
the address that the load shares must not be locked. Where this machine has only one address on the stage's network
(containers), that one is locked and everything else goes the load's way, through the proxy. Every look is an event with
its outcome; tokens and passwords stay in memory.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from drills.probes.own_account import OwnAccount
from drills.record import Journal
from drills.stage.base import Stage
from drills.wavry.errors import Refused, WireError
from drills.wavry.gateway import Answer, BindLimited, GatewayHttp, GatewaySocket, Offer, TokenRefused, locked_out

KNOWN, REVOKED, LOCKED = "known", "revoked", "locked"
ANSWER_S = 5.0  # for a password to be hashed, also on a full machine (operations-facts §2.2: handshake abort)
SIGNAL_S = 2.0  # an offer unanswered for this long is a set-up that failed (drills/load/signaling.py)
WRONG_LOGINS = 5  # that many failures lock (contract-gateway §3.3)
Found = TypeVar("Found")
LOOK_TRIES = 3  # of a look that gets no answer at all; any answer is final


@dataclass
class ProbeAccount(OwnAccount):
    """One account, and what it is for: known, revoked or locked."""

    kind: str = KNOWN


@dataclass(frozen=True)
class Way:
    """One way to the gateway: where it is dialled, and from which address."""

    gateway: str  # host:port
    source: str | None

    def http(self) -> GatewayHttp:
        """Its HTTP side."""
        return GatewayHttp(f"http://{self.gateway}", timeout_s=ANSWER_S, source_address=self.source)

    def bound(self, token: str) -> GatewaySocket:
        """A socket bound with this token."""
        return GatewaySocket.bound(f"ws://{self.gateway}/ws", token, timeout_s=ANSWER_S, source_address=self.source)


class AccountProbe:
    """Looks at accounts over two ways, of which one leads from the address that is locked."""

    def __init__(self, stage: Stage, journal: Journal, when: str) -> None:
        direct = stage.http("gateway").removeprefix("http://")
        first, second = stage.probe_sources()
        self.free = Way(direct, first) if first else Way(stage.proxied("ends_to_gateway"), None)
        self.locked = Way(direct, second)
        self.journal, self.when = journal, when

    # -- before ------------------------------------------------------------------------------------------------------

    def made(self, kind: str) -> ProbeAccount:
        """A new account; raises WireError where it cannot be had."""
        account = ProbeAccount(f"probe{kind[0]}{secrets.token_hex(4)}", kind=kind)
        with self.free.http() as gateway:
            account.register(gateway)
        self.journal.write("probe.account", account=account.name, kind=kind)
        return account

    def revoke(self, account: ProbeAccount) -> None:
        """Log its session out; raises WireError where that cannot be said."""
        with self.free.http() as gateway:
            self.journal.write("probe.revoked", account=account.name, revoked=gateway.logout(account.token))

    def lock(self, account: ProbeAccount) -> None:
        """Five wrong logins from the address that is to be locked; raises WireError where one gets no answer."""
        with self.locked.http() as gateway:
            for _ in range(WRONG_LOGINS):
                try:
                    gateway.login(account.email, secrets.token_urlsafe(18))
                except Refused as refused:
                    self.journal.write("probe.wrong_login", account=account.name, status=refused.status)

    # -- before and after ---------------------------------------------------------------------------------------------

    def bind(self, account: ProbeAccount) -> GatewaySocket | None:
        """Whether the account's first token binds; the socket, if it does."""

        def look() -> tuple[str, str, GatewaySocket | None]:
            try:
                return "bound", "", self.free.bound(account.token)
            except TokenRefused as refused:
                return "refused", refused.text, None
            except BindLimited as limited:
                return "unanswered", limited.text, None
            except Refused as refused:
                return "failed", str(refused), None

        return self._looked("bind", account, look)

    def log_in(self, account: ProbeAccount, *, look_name: str = "login", locked_way: bool = False) -> None:
        """Whether the account's own password lets it in: in, locked, or refused."""

        def look() -> tuple[str, str, None]:
            with (self.locked if locked_way else self.free).http() as gateway:
                try:
                    gateway.login(account.email, account.password)
                except Refused as refused:
                    return "locked" if locked_out(refused) else "refused", str(refused), None
            return "in", "", None

        self._looked(look_name, account, look)

    def _looked(
        self, name: str, account: ProbeAccount, look: Callable[[], tuple[str, str, Found | None]]
    ) -> Found | None:
        """One look and its event; tried again only where there was no answer."""
        began_ns = time.monotonic_ns()
        outcome, reason = "unanswered", ""
        found: Found | None = None
        for _ in range(LOOK_TRIES):
            try:
                outcome, reason, found = look()
            except WireError as error:
                outcome, reason = "unanswered", str(error)
            if outcome != "unanswered":
                break
        self.journal.write("account.look", look=name, account=account.name, kind=account.kind, when=self.when,
                           outcome=outcome, reason=reason, began_ns=began_ns)  # fmt: skip
        return found


@dataclass(frozen=True)
class BoundAccount:
    """A known account with its socket."""

    name: str
    socket: GatewaySocket


def offered(journal: Journal, sender: BoundAccount, receiver: BoundAccount, why: str) -> bool:
    """One Offer from one to the other, and whether it arrived under the sender's name within two seconds."""
    return _crossed(journal, sender, receiver, why, Offer, sender.socket.send_offer)


def answered(journal: Journal, sender: BoundAccount, receiver: BoundAccount, why: str) -> bool:
    """One Answer, likewise."""
    return _crossed(journal, sender, receiver, why, Answer, sender.socket.send_answer)


def _crossed(
    journal: Journal, sender: BoundAccount, receiver: BoundAccount, why: str, kind: type[Offer] | type[Answer],
    send: Callable[[str, str], None],
) -> bool:  # fmt: skip
    marker = secrets.token_hex(8)  # a message of an earlier attempt must not pass for this one
    sent_ns = time.monotonic_ns()
    outcome, reason = "lost", f"not received within {SIGNAL_S:g} s"
    try:
        send(receiver.name, json.dumps({"v": 0, "marker": marker}))
    except WireError as error:
        outcome, reason = "unsent", str(error)
    until = time.monotonic() + SIGNAL_S
    while outcome == "lost" and (left := until - time.monotonic()) > 0:
        try:
            message = receiver.socket.receive(left)
        except WireError as error:
            reason = f"the receiver's socket: {error}"
            break  # nothing will come of it any more
        if isinstance(message, kind) and marker in message.sdp:
            outcome, reason = ("received", "") if message.username == sender.name else ("misnamed", message.username)
    took_ms = (time.monotonic_ns() - sent_ns) / 1e6
    journal.write("probe.signal", kind=kind.__name__.lower(), why=why, sender=sender.name, receiver=receiver.name,
                  outcome=outcome, reason=reason, sent_ns=sent_ns, took_ms=took_ms)  # fmt: skip
    return outcome == "received"

"""The drill's own accounts at the gateway, past the proxies: what they are answered says what a user would be.

One knows its password, one has a second factor, one was locked out of nothing yet but has failed once (so that there is
something to forget). Passwords, tokens and secrets stay in memory.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from drills.probes.own_account import OwnAccount
from drills.wavry import totp
from drills.wavry.errors import Refused, WireError
from drills.wavry.gateway import Account, GatewayHttp, GatewaySocket, TokenRefused

if TYPE_CHECKING:
    from drills.stage.base import Stage

HTTP_S = 10.0  # a login waits for its turn among everybody's password hashes
ANSWER_S = 3.0
WRONG_PASSWORD = "not the right password"


@dataclass(frozen=True)
class Tried:
    """One call at the gateway: whether it was granted, else the status and the words (no status: no answer)."""

    ok: bool
    status: int | None
    said: str
    asked_ns: int
    answered_ns: int

    def fields(self) -> dict[str, Any]:
        """As they stand in the journal."""
        return asdict(self)

    def __str__(self) -> str:
        return "granted" if self.ok else self.said


@dataclass
class Witness(OwnAccount):
    """One account that the drill has made; ``tokens`` by what they are."""

    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    totp_secret: str = field(default="", repr=False)


@dataclass
class Witnesses:
    """The accounts of one run, and the calls they make."""

    stage: Stage
    service: str = "gateway"
    known: Witness | None = None
    second: Witness | None = None
    made: int = 0

    def client(self) -> GatewayHttp:
        """A client of the service itself, past the proxies and from an address that it shares with nobody.

        Failed logins lock an address (contract-gateway §3.3): those of the load must not be taken for our own.
        """
        own, _ = self.stage.probe_sources()
        return GatewayHttp(self.stage.http(self.service), timeout_s=HTTP_S, source_address=own)

    def register(self) -> tuple[Witness, Tried]:
        """One more account; a first session comes with it."""
        self.made += 1
        witness = Witness(f"witness{self.made:03d}{secrets.token_hex(2)}")
        with self.client() as http:
            tried = attempt(lambda: witness.register(http))
        witness.tokens |= {"its first": witness.token} if tried.ok else {}
        return witness, tried

    def log_in(self, witness: Witness, what: str = "") -> Tried:
        """A login with its password, and a code where it has a second factor; the token is kept under ``what``."""
        account: list[Account] = []
        code = totp.code(witness.totp_secret, time.time()) if witness.totp_secret else ""
        with self.client() as http:
            tried = attempt(lambda: account.append(http.login(witness.email, witness.password, code)))
        if account and what:
            witness.tokens[what] = account[0].token
        return tried

    def fail_once(self, witness: Witness) -> Tried:
        """A login with a wrong password."""
        with self.client() as http:
            return attempt(lambda: http.login(witness.email, WRONG_PASSWORD))

    def log_out(self, witness: Witness, what: str) -> Tried:
        """Revoke one of its tokens; it is kept, to be tried again."""
        with self.client() as http:
            return attempt(lambda: http.logout(witness.tokens[what]))

    def enable_second_factor(self, witness: Witness) -> Tried:
        """From now on it logs in with a code."""
        with self.client() as http:
            return attempt(lambda: self._enable(http, witness))

    @staticmethod
    def _enable(http: GatewayHttp, witness: Witness) -> None:
        secret = http.propose_second_factor(witness.email, witness.password)
        http.enable_second_factor(witness.email, witness.password, secret, totp.code(secret, time.time()))
        witness.totp_secret = secret

    def bind(self, witness: Witness, what: str) -> Tried:
        """Whether one of its tokens binds a socket; ``status`` 401 where the gateway says that it does not."""
        url = self.stage.http(self.service).replace("http://", "ws://", 1) + "/ws"

        def bound() -> None:
            try:
                GatewaySocket.bound(url, witness.tokens[what], timeout_s=ANSWER_S).close()
            except TokenRefused as refused:
                raise Refused(401, refused.text) from None
            except Refused as undecided:  # it could not look, or would not: that says nothing of the token (§5.3)
                raise WireError(undecided.text) from None

        return attempt(bound)


def attempt(call: Callable[[], object]) -> Tried:
    """Make a call; what comes of it is a result, not an error."""
    asked_ns = time.monotonic_ns()
    ok, status, said = True, None, ""
    try:
        call()
    except Refused as refused:
        ok, status, said = False, refused.status, str(refused)
    except WireError as error:
        ok, said = False, str(error)
    return Tried(ok, status, said, asked_ns, time.monotonic_ns())

"""The gateway as its clients see it: accounts over HTTP, signalling over a WebSocket (contract-gateway §2 to §5).

The gateway's JSON is adjacently tagged (``{"type":…,"payload":{…}}``), unlike the master's. It limits by
address: 20 logins, 20 registers and 10 Binds a minute, 16 sockets (§2.5, §5.1); ``source_address`` gives an
end an address of its own. An Offer to somebody who is not connected vanishes without a word (§5.3).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from drills.wavry.closable import Closable
from drills.wavry.errors import Refused, TimedOut, WireError
from drills.wavry.http_client import HttpClient, Reply, understood
from drills.wavry.web_socket import JsonSocket

ORIGIN = "http://localhost:3000"  # in the gateway's default list (§5.1)
TOKEN_REFUSED = frozenset({"Invalid Token", "Invalid token format"})  # §5.3: no other token, no Bind
BIND_LIMIT = "Bind rate limit exceeded"  # §5.3: says nothing about the token
DENIED = 101  # the upgrade was granted, what was asked for on the socket was not


class TokenRefused(Refused):
    """The gateway will not bind this token, whenever it is asked: only a new login helps."""


class BindLimited(Refused):
    """Too many Binds from this address in this minute; the token was not looked at."""


@dataclass(frozen=True)
class Account:
    """What register and login answer (§4), of which a client needs these."""

    user_id: str
    email: str
    username: str
    expires_at: str  # RFC 3339
    token: str = field(repr=False)  # 64 hex digits, 24 h


@dataclass(frozen=True)
class GatewayHealth:
    """``GET /health`` (§3.7): bound user names, not sockets; relay sessions, also never-used ones."""

    active_ws_connections: int
    active_relay_sessions: int


@dataclass(frozen=True)
class Bound:
    """The answer to Bind."""


@dataclass(frozen=True)
class Offer:
    """An SDP offer from ``username`` (the sender: the gateway replaces the target's name, §5.3)."""

    username: str
    sdp: str


@dataclass(frozen=True)
class Answer:
    """An SDP answer from ``username``."""

    username: str
    sdp: str


@dataclass(frozen=True)
class Candidate:
    """An ICE candidate from ``username``."""

    username: str
    candidate: str


@dataclass(frozen=True)
class OfferRift:
    """A RIFT hello from ``username``."""

    username: str
    hello_base64: str


@dataclass(frozen=True)
class AnswerRift:
    """A RIFT acknowledgement from ``username``."""

    username: str
    ack_base64: str


@dataclass(frozen=True)
class EmbeddedRelayCredentials:
    """A session on the gateway's own UDP relay (§5.4), which is not the master's kind of lease."""

    session_id: str
    address: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class GatewayError:
    """An Error message; after most of them the gateway closes (§5.3)."""

    message: str


GatewayMessage = Bound | Offer | Answer | Candidate | OfferRift | AnswerRift | EmbeddedRelayCredentials | GatewayError

_RECEIVED: Mapping[str, Callable[[Any], GatewayMessage]] = {
    "Bound": lambda payload: Bound(),
    "Offer": lambda payload: Offer(payload["target_username"], payload["sdp"]),
    "Answer": lambda payload: Answer(payload["target_username"], payload["sdp"]),
    "Candidate": lambda payload: Candidate(payload["target_username"], payload["candidate"]),
    "OFFER_RIFT": lambda payload: OfferRift(payload["target_username"], payload["hello_base64"]),
    "ANSWER_RIFT": lambda payload: AnswerRift(payload["target_username"], payload["ack_base64"]),
    "RELAY_CREDENTIALS": lambda payload: EmbeddedRelayCredentials(
        payload["session_id"], payload["addr"], payload["token"]
    ),
    "Error": lambda payload: GatewayError(payload["message"]),
}


class GatewayHttp(Closable):
    """The gateway's HTTP calls; each raises Refused, Unreachable (TimedOut, Closed) or Garbled."""

    def __init__(self, base_url: str, *, timeout_s: float, source_address: str | None = None) -> None:
        self.http = HttpClient(base_url, timeout_s=timeout_s, source_address=source_address)

    def close(self) -> None:
        """Close the idle connections; the client can still be used."""
        self.http.close()

    def register(self, email: str, password: str, *, display_name: str, username: str, public_key: str) -> Account:
        """A new account with a first session (§3.2): password 12 to 128 bytes, public_key 64 to 128 hex digits."""
        body = {
            "email": email,
            "password": password,
            "display_name": display_name,
            "username": username,
            "public_key": public_key,
        }
        return _account(self.http.granted("POST", "/auth/register", body, secrets=(password,), accepted=(201,)))

    def login(self, email: str, password: str, totp_code: str = "") -> Account:
        """A further session of an account (§3.3); with a code where its second factor is on."""
        body = {"email": email, "password": password, **({"totp_code": totp_code} if totp_code else {})}
        return _account(self.http.granted("POST", "/auth/login", body, secrets=(password,)))

    def logout(self, token: str) -> bool:
        """End a session; False if there was none of that token (§3.4). A socket bound with it lives on."""
        headers = {"x-session-token": token}
        answer = self.http.granted("POST", "/auth/logout", headers=headers, secrets=(token,)).decoded()
        with understood("the answer of /auth/logout"):
            return bool(answer["revoked"])

    def propose_second_factor(self, email: str, password: str) -> str:
        """A fresh TOTP secret in base32; nothing is stored yet (§3.5)."""
        body = {"email": email, "password": password}
        answer = self.http.granted("POST", "/auth/2fa/setup", body, secrets=(password,)).decoded()
        with understood("the answer of /auth/2fa/setup"):
            return str(answer["secret"])

    def enable_second_factor(self, email: str, password: str, secret: str, code: str) -> Account:
        """From now on logins need a code; Refused 500 where the gateway has no key to seal the secret (§3.5)."""
        body = {"email": email, "password": password, "secret": secret, "code": code}
        return _account(self.http.granted("POST", "/auth/2fa/enable", body, secrets=(password, secret)))

    def health(self) -> GatewayHealth:
        """The two gauges (§3.7); it answers even with its database gone (D19)."""
        answer = self.http.granted("GET", "/health").decoded()
        with understood("the answer of /health"):
            return GatewayHealth(answer["active_ws_connections"], answer["active_relay_sessions"])

    def metrics_auth(self) -> dict[str, int]:
        """The fourteen counters of authentication since the process started (§3.7)."""
        answer = self.http.granted("GET", "/metrics/auth").decoded()
        with understood("the answer of /metrics/auth"):
            return {name: int(count) for name, count in answer.items()}

    def push_offer(self, token: str, target: str, sdp: str) -> None:
        """An offer by HTTP, which unlike the socket says Refused 404 if the target is not connected (§3.6)."""
        body = {"session_token": token, "target_username": target, "sdp": sdp}
        self.http.granted("POST", "/webrtc/offer", body, secrets=(token, sdp), accepted=(202,))


class GatewaySocket(Closable):
    """One signalling WebSocket (§5); ``timeout_s`` bounds the connect and each send."""

    def __init__(self, json_socket: JsonSocket) -> None:
        self.socket = json_socket

    @classmethod
    def connect(
        cls, url: str, *, timeout_s: float, source_address: str | None = None, origin: str | None = ORIGIN
    ) -> Self:
        """Connect to ``ws://host:port/ws``; Refused 403 for the origin, 429 per address, 503 in total (§5.1)."""
        return cls(JsonSocket.connect(url, timeout_s=timeout_s, origin=origin, source_address=source_address))

    @classmethod
    def bound(cls, url: str, token: str, *, timeout_s: float, source_address: str | None = None) -> Self:
        """A socket connected and bound, each within ``timeout_s``; TokenRefused where the token is not taken.

        Any other Error is Refused, no answer at all TimedOut; peers' messages before ``Bound`` are dropped (§5.3).
        """
        socket = cls.connect(url, timeout_s=timeout_s, source_address=source_address)
        try:
            socket.bind(token)
            socket._await_bound(timeout_s)
        except WireError:
            socket.close()
            raise
        return socket

    def _await_bound(self, timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            match self.receive(left):
                case Bound():
                    return
                case GatewayError(message) if message in TOKEN_REFUSED:
                    raise TokenRefused(DENIED, message)
                case GatewayError(message) if message == BIND_LIMIT:
                    raise BindLimited(DENIED, message)
                case GatewayError(message):
                    raise Refused(DENIED, message)
        raise TimedOut(f"no answer to Bind within {timeout_s:g} s")

    def bind(self, token: str) -> None:
        """Ask to be known by the token's user; the answer (Bound or GatewayError) comes by ``receive``,
        possibly after a peer's message (§5.3)."""
        self._send("Bind", {"token": token})

    def send_offer(self, target: str, sdp: str) -> None:
        """An offer to a user name, exactly as registered in lower case (D32)."""
        self._send("Offer", {"target_username": target, "sdp": sdp})

    def send_answer(self, target: str, sdp: str) -> None:
        """An answer to a user name."""
        self._send("Answer", {"target_username": target, "sdp": sdp})

    def send_candidate(self, target: str, candidate: str) -> None:
        """An ICE candidate to a user name."""
        self._send("Candidate", {"target_username": target, "candidate": candidate})

    def send_offer_rift(self, target: str, hello_base64: str) -> None:
        """A RIFT hello to a user name."""
        self._send("OFFER_RIFT", {"target_username": target, "hello_base64": hello_base64})

    def send_answer_rift(self, target: str, ack_base64: str) -> None:
        """A RIFT acknowledgement to a user name."""
        self._send("ANSWER_RIFT", {"target_username": target, "ack_base64": ack_base64})

    def request_relay(self, target: str) -> None:
        """Ask for a session on the gateway's own UDP relay; both ends are told (§5.4)."""
        self._send("REQUEST_RELAY", {"target_username": target})

    def receive(self, timeout_s: float) -> GatewayMessage | None:
        """The next message, or None if none came within ``timeout_s``; Closed once the gateway hung up."""
        message = self.socket.receive(timeout_s)
        return None if message is None else parsed(message)

    def close(self) -> None:
        """Close; never raises, can be repeated."""
        self.socket.close()

    def _send(self, tag: str, payload: Mapping[str, str]) -> None:
        self.socket.send({"type": tag, "payload": payload})


def locked_out(refused: Refused) -> bool:
    """Whether a login was refused because its e-mail or its address is locked, not by a limiter's 429 (§3.3)."""
    return refused.status == 429 and "failed attempts" in refused.text


def parsed(message: Any) -> GatewayMessage:
    """A decoded text frame as a message (§5.2); Garbled if it is none the gateway sends."""
    with understood("a message of the gateway's"):
        return _RECEIVED[message["type"]](message.get("payload"))


def _account(reply: Reply) -> Account:
    answer = reply.decoded()
    with understood("an auth object"):
        return Account(
            user_id=answer["user_id"],
            email=answer["email"],
            username=answer["username"],
            expires_at=answer["session"]["expires_at"],
            token=answer["token"],
        )

"""The master as clients, relays and operators see it: HTTP and a WebSocket (contract-master-relay §2).

The master's JSON has its ``type`` inside the object, unlike the gateway's. BIND has no answer and needs no
account: the first 8 characters of any token are the name, so every synthetic end needs a head of its own,
which also gives it its own 10 leases a minute (§2.10). A request that finds no relay gets no answer at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from drills.wavry.closable import Closable
from drills.wavry.errors import Garbled
from drills.wavry.http_client import HttpClient, understood
from drills.wavry.web_socket import JsonSocket

ORIGIN = "http://localhost:1420"  # in the master's default list (§2.10)
NAME_HEAD = 8  # characters of a token that make the name (§2.10)


class RelayState(StrEnum):
    """The states of a relay as the master writes them (§2.6)."""

    NEW = "New"
    PROBATION = "Probation"
    ACTIVE = "Active"
    DEGRADED = "Degraded"
    DRAINING = "Draining"
    QUARANTINED = "Quarantined"
    BANNED = "Banned"


@dataclass(frozen=True)
class MasterHealth:
    """``GET /health`` (§2.6)."""

    status: str
    ready: bool
    uptime_s: float
    peers_connected: int
    relays_registered: int
    relays_assignable: int
    signing_key_id: str
    provisioned_signing_key: bool
    lease_ttl_s: int


@dataclass(frozen=True)
class MasterReadiness:
    """``GET /ready``, the same object with 200 and with 503 (§2.6)."""

    ready: bool
    relays_assignable: int
    provisioned_signing_key: bool
    signing_key_id: str


@dataclass(frozen=True)
class Identity:
    """``GET /.well-known/wavry-id``: the key leases are signed with (§2.6)."""

    public_key: bytes
    key_id: str
    version: str


@dataclass(frozen=True)
class RelayRecord:
    """One element of ``GET /v1/relays`` (§2.6); the first endpoint is the one leases name (§2.8)."""

    relay_id: str
    endpoints: tuple[str, ...]
    load_percent: float
    last_seen_ms_ago: int
    max_bitrate_kbps: int
    state: RelayState


@dataclass(frozen=True)
class Registration:
    """What a relay is told when it registers (§2.6)."""

    heartbeat_interval_ms: int
    public_key: bytes
    key_id: str


@dataclass(frozen=True)
class RelayCredentials:
    """One side's lease for a session on a relay (§2.10)."""

    relay_id: str
    address: str  # host:port
    session: UUID
    token: str = field(repr=False)


@dataclass(frozen=True)
class MasterError:
    """An ERROR message; 429 is the lease limit and the only code in use (§2.10)."""

    code: int | None
    message: str


@dataclass(frozen=True)
class Forwarded:
    """A peer's OFFER, ANSWER or CANDIDATE; ``username`` is the sender (§2.10)."""

    kind: str
    username: str
    text: str  # the sdp or the candidate
    public_address: str | None = None


MasterMessage = RelayCredentials | MasterError | Forwarded


class MasterHttp(Closable):
    """The master's HTTP calls; each raises Refused, Unreachable (TimedOut, Closed) or Garbled."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float,
        admin_token: str | None = None,
        relay_token: str | None = None,
        source_address: str | None = None,
    ) -> None:
        self.http = HttpClient(base_url, timeout_s=timeout_s, source_address=source_address)
        self._admin_token = admin_token
        self._relay_token = relay_token

    def close(self) -> None:
        """Close the idle connections; the client can still be used."""
        self.http.close()

    def health(self) -> MasterHealth:
        """Always answered by a living master, ready or not."""
        answer = self.http.granted("GET", "/health").decoded()
        with understood("the answer of /health"):
            return MasterHealth(
                status=answer["status"],
                ready=answer["ready"],
                uptime_s=answer["uptime_secs"],
                peers_connected=answer["peers_connected"],
                relays_registered=answer["relays_registered"],
                relays_assignable=answer["relays_assignable"],
                signing_key_id=answer["signing_key_id"],
                provisioned_signing_key=answer["provisioned_signing_key"],
                lease_ttl_s=answer["lease_ttl_secs"],
            )

    def ready(self) -> MasterReadiness:
        """Whether it has its own key and a relay to assign; 503 is an answer too, not an error."""
        answer = self.http.granted("GET", "/ready", accepted=(200, 503)).decoded()
        with understood("the answer of /ready"):
            return MasterReadiness(
                ready=answer["ready"],
                relays_assignable=answer["relays_assignable"],
                provisioned_signing_key=answer["provisioned_signing_key"],
                signing_key_id=answer["signing_key_id"],
            )

    def identity(self) -> Identity:
        """The public half of the signing key, and its id."""
        answer = self.http.granted("GET", "/.well-known/wavry-id").decoded()
        with understood("the answer of /.well-known/wavry-id"):
            return Identity(bytes.fromhex(answer["public_key"]), answer["key_id"], answer["version"])

    def relays(self) -> list[RelayRecord]:
        """Every relay the master remembers, in no order."""
        answer = self.http.granted("GET", "/v1/relays").decoded()
        with understood("the answer of /v1/relays"):
            return [_relay_record(element) for element in answer]

    def update_state(self, relay_id: str, state: RelayState) -> None:
        """Set a relay's state as an operator; Refused 401 without the admin token, 404 for an unknown relay."""
        body = {"relay_id": relay_id, "new_state": str(state)}
        self._as_admin("/admin/api/relays/update_state", body)

    def revoke(self, wavry_id: str) -> bool:
        """Put a name on the list of the banned (which Wavry never reads: D-25)."""
        return bool(self._as_admin("/admin/api/sessions/revoke", {"wavry_id": wavry_id}).get("banned"))

    def register_relay(
        self,
        relay_id: str,
        endpoints: list[str],
        *,
        region: str | None = None,
        asn: int | None = None,
        max_sessions: int | None = None,
        max_bitrate_kbps: int | None = None,
    ) -> Registration:
        """Register as a relay does; Refused 400, 401 or 403 (§2.6, §2.9)."""
        body = {
            "relay_id": relay_id,
            "endpoints": endpoints,
            "region": region,
            "asn": asn,
            "max_sessions": max_sessions,
            "max_bitrate_kbps": max_bitrate_kbps,
            "features": ["ipv4"],
        }
        answer = self._as_relay("/v1/relays/register", body)
        with understood("the answer of /v1/relays/register"):
            return Registration(
                heartbeat_interval_ms=answer["heartbeat_interval_ms"],
                public_key=bytes(answer["master_public_key"]),
                key_id=answer["master_key_id"],
            )

    def heartbeat(self, relay_id: str, load_percent: float) -> None:
        """One heartbeat as a relay sends it; Refused 400, 401, or 404 for a relay the master does not know."""
        self._as_relay("/v1/relays/heartbeat", {"relay_id": relay_id, "load_pct": load_percent})

    def feedback(self, session: UUID, relay_id: str, quality: int) -> None:
        """Rate a relay, 0 to 255, above 50 being good; nothing of it is verified (§2.7)."""
        body = {
            "session_id": str(session),
            "relay_id": relay_id,
            "quality_score": quality,
            "issues": [],
            "signature": "",
        }
        self.http.granted("POST", "/v1/feedback", body)

    def _as_admin(self, path: str, body: Any) -> dict[str, Any]:
        return self._bearing(self._admin_token, path, body)

    def _as_relay(self, path: str, body: Any) -> dict[str, Any]:
        return self._bearing(self._relay_token, path, body)

    def _bearing(self, token: str | None, path: str, body: Any) -> dict[str, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        reply = self.http.granted("POST", path, body, headers=headers, secrets=(token or "",))
        answer = reply.decoded() if reply.text else {}
        if not isinstance(answer, dict):
            raise Garbled(f"{path} did not answer with an object")
        return answer


class MasterSocket(Closable):
    """One WebSocket to the master (§2.10); ``timeout_s`` bounds the connect and each send."""

    def __init__(self, json_socket: JsonSocket) -> None:
        self.socket = json_socket

    @classmethod
    def connect(
        cls, url: str, *, timeout_s: float, source_address: str | None = None, origin: str | None = ORIGIN
    ) -> Self:
        """Connect to ``ws://host:port/ws``; Refused 403 for the origin."""
        return cls(JsonSocket.connect(url, timeout_s=timeout_s, origin=origin, source_address=source_address))

    def bind(self, token: str) -> str:
        """Take the name the token's head gives, and return it; the master answers nothing."""
        self.socket.send({"type": "BIND", "token": token})
        return username_of(token)

    def request_relay(self, target: str, region: str | None = None) -> None:
        """Ask for a lease for both ends: ours with role ``server``, the target's with ``client`` (D-09)."""
        self.socket.send({"type": "REQUEST_RELAY", "target_username": target, "region": region})

    def send_offer(self, target: str, sdp: str, public_address: str | None = None) -> None:
        """An SDP offer to a name."""
        self.socket.send({"type": "OFFER", "target_username": target, "sdp": sdp, "public_addr": public_address})

    def send_answer(self, target: str, sdp: str, public_address: str | None = None) -> None:
        """An SDP answer to a name."""
        self.socket.send({"type": "ANSWER", "target_username": target, "sdp": sdp, "public_addr": public_address})

    def send_candidate(self, target: str, candidate: str) -> None:
        """An ICE candidate to a name."""
        self.socket.send({"type": "CANDIDATE", "target_username": target, "candidate": candidate})

    def receive(self, timeout_s: float) -> MasterMessage | None:
        """The next message, or None if none came within ``timeout_s``; Closed once the master hung up."""
        message = self.socket.receive(timeout_s)
        return None if message is None else parsed(message)

    def close(self) -> None:
        """Close; never raises, can be repeated."""
        self.socket.close()


def username_of(token: str) -> str:
    """The name a BIND with this token takes (§2.10)."""
    return f"user_{token[:NAME_HEAD]}"


def parsed(message: Any) -> MasterMessage:
    """A decoded text frame as a message (§2.10); Garbled if it is none the master sends."""
    with understood("a message of the master's"):
        match message["type"]:
            case "RELAY_CREDENTIALS":
                return RelayCredentials(
                    relay_id=message["relay_id"],
                    address=message["addr"],
                    session=UUID(message["session_id"]),
                    token=message["token"],
                )
            case "ERROR":
                return MasterError(message.get("code"), message["message"])
            case "OFFER" | "ANSWER" as kind:
                return Forwarded(kind, message["target_username"], message["sdp"], message.get("public_addr"))
            case "CANDIDATE" as kind:
                return Forwarded(kind, message["target_username"], message["candidate"])
        raise ValueError(message["type"])


def _relay_record(element: Any) -> RelayRecord:
    return RelayRecord(
        relay_id=element["relay_id"],
        endpoints=tuple(element["endpoints"]),
        load_percent=element["load_pct"],
        last_seen_ms_ago=element["last_seen_ms_ago"],
        max_bitrate_kbps=element["max_bitrate_kbps"],
        state=RelayState(element["state"]),
    )

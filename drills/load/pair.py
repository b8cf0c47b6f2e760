"""One synthetic client and host, and the steps of a session between them (design §4).

Both ends live in one greenlet: what would be two programs talking is a sequence of sends and receives here. Whatever
the pair had to do to keep its session (new lease, renewals refused) is written down by the caller.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from drills.fingerprints import fingerprint
from drills.load.pump import End, Media, Pump, client_end, host_end
from drills.load.samples import INPUT
from drills.load.settings import LoadSettings
from drills.load.signaling import SIGNAL_TIMEOUT_S, EndAccount, GatewayDoor
from drills.wavry import packets
from drills.wavry.errors import Refused, WireError
from drills.wavry.gateway import Answer, GatewayHttp, Offer
from drills.wavry.master import MasterError, MasterSocket, RelayCredentials
from drills.wavry.packets import Reject

HTTP_TIMEOUT_S = 5.0  # handshake abort in Wavry's own table (operations-facts §2.2)
LEASE_TIMEOUT_S = 2.0
PRESENT_TRIES = 6  # contract-master-relay §4.9
RENEW_TRIES = 3  # three silent RENEWs mean a lost session (§4.9)
FIRST_MEDIA_S = 1.0
CONFLICT = 409  # such an account is there already
LINGER_S = 0.25  # after a planned end: what is still on its way may arrive


class SetupFailed(Exception):
    """A step of a set-up did not succeed; ``step`` says which."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.reason = reason


@dataclass(frozen=True)
class Handshake:
    """One PRESENT and what became of it."""

    end: str
    outcome: str  # ack, reject or silence
    reason: str
    sent_ns: int
    answered_ns: int
    relay_id: str
    expires_ns: int = 0  # when the relay's session ends as its ACK has it, on our own clock; 0 where it did not say


@dataclass(frozen=True)
class TokenUse:
    """A session token shown to the gateway, and what it was worth: never the token itself."""

    fingerprint: str
    accepted: bool
    used_ns: int


@dataclass(frozen=True)
class Lease:
    """Both sides' credentials for one session on one relay."""

    relay_id: str
    address: tuple[str, int]
    session: UUID
    host_token: str = field(repr=False)
    client_token: str = field(repr=False)
    asked_ns: int = 0
    given_ns: int = 0


class Pair:
    """A client and a host with accounts of their own; one session at a time."""

    def __init__(
        self, settings: LoadSettings, name: str, addresses: tuple[str, str], worker: int = 0, number: int = 0
    ) -> None:  # fmt: skip
        self.settings = settings
        self.name = name
        self.worker, self.number = worker, number  # of its client end; its host end has the next one
        self.addresses = addresses
        self.http = GatewayHttp(f"http://{settings.gateway}", timeout_s=HTTP_TIMEOUT_S)
        self.door = GatewayDoor(f"ws://{settings.gateway}/ws", self.http)
        self.client = self._account("c")
        self.host = self._account("h")
        self.on_handshake: Callable[[Handshake], None] = lambda handshake: None
        self.on_renewal: Callable[[Handshake], None] = lambda renewal: None
        self.on_token: Callable[[TokenUse], None] = lambda use: None
        self.lease: Lease | None = None
        self.stranger = False  # whether the last RENEW was refused because the relay does not know where it came from
        self._master_client: MasterSocket | None = None
        self._master_host: MasterSocket | None = None
        self._client_name = ""

    def _account(self, kind: str) -> EndAccount:
        name = f"{self.name}{kind}"
        end = EndAccount(name, f"{name}@drills.example", secrets.token_urlsafe(18))
        end.on_token = self._token_used
        return end

    def _token_used(self, token: str, accepted: bool, used_ns: int) -> None:
        self.on_token(TokenUse(fingerprint(token, self.settings.run), accepted, used_ns))

    # -- the gateway ------------------------------------------------------------------------------------------------

    def register(self) -> None:
        """Make the accounts that are not there yet; done before calm. Raises WireError; can be tried again."""
        for end in (self.client, self.host):
            if not end.token:
                end.token = self._registered(end)

    def _registered(self, end: EndAccount) -> str:
        """A token: registering is a first login (contract-gateway §3.2)."""
        key = secrets.token_hex(32)
        try:
            return self.http.register(
                end.email, end.password, display_name=end.name, username=end.name, public_key=key
            ).token
        except Refused as refused:
            if refused.status != CONFLICT:
                raise
        return self.door.logged_in(end.email, end.password)  # an earlier try came through, its answer did not

    def log_in(self, end: EndAccount) -> None:
        """A new session token for one end."""
        try:
            end.token = self.door.logged_in(end.email, end.password)
        except WireError as error:
            raise SetupFailed("login", str(error)) from None

    def bind(self, end: EndAccount) -> None:
        """Open the end's signaling socket and bind it; a refused token is renewed by one new login."""
        try:
            end.bind(self.door)
        except WireError as error:
            raise SetupFailed("bind", str(error)) from None

    def signal(self) -> None:
        """Offer and answer through the gateway; each side must receive the other's."""
        with self.client.reading, self.host.reading:
            self._signal()

    def _signal(self) -> None:
        if not (self.client.socket and self.host.socket):
            raise SetupFailed("signal", "an end was unbound meanwhile")
        marker = secrets.token_hex(8)  # an offer of an earlier attempt must not pass for this one
        try:
            self.client.socket.send_offer(self.host.name, json.dumps({"v": 0, "marker": marker}))
            self._heard(self.host, Offer, marker, "offer")
            self.host.socket.send_answer(self.client.name, json.dumps({"v": 0, "marker": marker}))
            self._heard(self.client, Answer, marker, "answer")
        except WireError as error:
            for end in (self.client, self.host):
                if end.socket:
                    end.lose(end.socket, f"in a set-up: {error}")
            raise SetupFailed("signal", str(error)) from None

    def _heard(self, end: EndAccount, kind: type[Offer] | type[Answer], marker: str, step: str) -> None:
        assert end.socket
        until = time.monotonic() + SIGNAL_TIMEOUT_S
        while (left := until - time.monotonic()) > 0:
            message = end.socket.receive(left)
            if isinstance(message, kind) and marker in message.sdp:
                return
        raise SetupFailed(step, f"not received within {SIGNAL_TIMEOUT_S:g} s")

    # -- the master -------------------------------------------------------------------------------------------------

    def join_master(self) -> None:
        """Open both ends' master sockets under fresh names: a name of its own is a lease quota of its own (§2.10)."""
        self.leave_master()
        try:
            self._master_client, self._client_name = self._joined()
            self._master_host, _ = self._joined()
        except WireError as error:
            raise SetupFailed("master", str(error)) from None

    def _joined(self) -> tuple[MasterSocket, str]:
        socket = MasterSocket.connect(f"ws://{self.settings.master}/ws", timeout_s=SIGNAL_TIMEOUT_S)
        try:
            name = socket.bind(secrets.token_hex(16))
            # BIND has no answer (§2.10): a candidate to oneself comes back once the name is known
            socket.send_candidate(name, "bound")
            if socket.receive(SIGNAL_TIMEOUT_S) is None:
                raise Refused(408, "the master never echoed a message to our own name")
        except WireError:
            socket.close()
            raise
        return socket, name

    def leave_master(self) -> None:
        """Close both master sockets."""
        for socket in (self._master_client, self._master_host):
            if socket:
                socket.close()
        self._master_client = self._master_host = None

    def ask_lease(self) -> Lease:
        """One lease for both ends; the host asks, since the requester's token has role `server` (§2.10, D-09)."""
        assert self._master_client and self._master_host
        asked = time.monotonic_ns()
        try:
            self._master_host.request_relay(self._client_name)
            for_host = self._credentials(self._master_host)
            for_client = self._credentials(self._master_client)
        except WireError as error:
            raise SetupFailed("lease", str(error)) from None
        host, port = for_host.address.rsplit(":", 1)
        return Lease(for_host.relay_id, (host, int(port)), for_host.session, for_host.token, for_client.token,
                     asked, time.monotonic_ns())  # fmt: skip

    @staticmethod
    def _credentials(socket: MasterSocket) -> RelayCredentials:
        message = socket.receive(LEASE_TIMEOUT_S)
        if isinstance(message, RelayCredentials):
            return message
        if isinstance(message, MasterError):
            raise SetupFailed("lease", f"refused: {message.message}")
        raise SetupFailed("lease", f"no credentials within {LEASE_TIMEOUT_S:g} s")

    # -- the relay --------------------------------------------------------------------------------------------------

    def open_media(self, pump: Pump, index: int) -> Media:
        """Both ends' sockets, on addresses of their own."""
        ports = self.settings.media_port(self.number), self.settings.media_port(self.number + 1)
        client, host = client_end(self.addresses[0], ports[0]), host_end(self.addresses[1], ports[1])
        pump.add(client)
        pump.add(host)
        return Media(index, client, host)

    def take_lease(self, pump: Pump, media: Media) -> int:
        """A lease, presented and acknowledged by both ends, which then send there; since when (monotonic ns)."""
        lease = self.ask_lease()
        self.lease = lease
        for end, role, token in (
            (media.host, "server", lease.host_token),
            (media.client, "client", lease.client_token),
        ):
            self._present(pump, end, role, token, lease)
        pointed_ns = time.monotonic_ns()  # nobody else runs in between: what was sent before went elsewhere
        for end in (media.host, media.client):
            pump.point(end, self._way(end, lease), lease.session)
        return pointed_ns

    def _present(self, pump: Pump, end: End, role: str, token: str, lease: Lease) -> None:
        datagram = packets.present(lease.session, role, token)
        sent, reply, answered = pump.exchange(
            end,
            datagram,
            self._way(end, lease),
            tries=PRESENT_TRIES,
            wait_s=self.settings.answer_wait_s,
            session=lease.session,
        )
        outcome, reason = _outcome(reply)
        self.on_handshake(Handshake(role, outcome, reason, sent, answered, lease.relay_id, _expires_ns(reply)))
        if outcome != "ack":
            raise SetupFailed("handshake", f"{role} end: {outcome} {reason}".strip())

    def _way(self, end: End, lease: Lease) -> tuple[str, int]:
        """Where this end sends what is meant for its lease's relay: there, or to what stands in the way."""
        return self.settings.way("clients" if end.direction == INPUT else "hosts", lease.address)

    def renew(self, pump: Pump, end: End) -> str:
        """One RENEW from one end: ack, reject or silence."""
        assert self.lease
        lease, role = self.lease, "client" if end.direction == INPUT else "server"
        way = self._way(end, lease)
        sent, reply, answered = pump.exchange(end, packets.renew(lease.session), way, tries=RENEW_TRIES,
                                              wait_s=self.settings.answer_wait_s, session=lease.session)  # fmt: skip
        outcome, reason = _outcome(reply)
        self.on_renewal(Handshake(role, outcome, reason, sent, answered, lease.relay_id, _expires_ns(reply)))
        self.stranger = outcome == "reject" and reason == Reject.INVALID_SIGNATURE.name.lower()
        return outcome

    def present_again(self, pump: Pump, end: End) -> bool:
        """Once more the PRESENT of the lease that it has, from where its end is now; whether that was acknowledged."""
        assert self.lease
        role, token = (
            ("client", self.lease.client_token) if end.direction == INPUT else ("server", self.lease.host_token)
        )
        try:
            self._present(pump, end, role, token, self.lease)
        except SetupFailed:
            return False
        return True

    def close(self) -> None:
        """Hang up everywhere."""
        self.leave_master()
        self.client.release()
        self.host.release()
        self.http.close()


def _expires_ns(reply: bytes | None) -> int:
    """When the relay's session ends as its ACK has it, on our monotonic clock; 0 where it is no ACK."""
    if reply is None or reply[2] != packets.ACK:
        return 0
    try:
        expires_unix_ms = packets.parse_ack(reply).expires_unix_ms
    except packets.MalformedPacket:
        return 0
    return expires_unix_ms * 1_000_000 - time.time_ns() + time.monotonic_ns()


def _outcome(reply: bytes | None) -> tuple[str, str]:
    if reply is None:
        return "silence", ""
    if reply[2] == packets.ACK:
        return "ack", ""
    if reply[2] == packets.REJECT:
        return "reject", packets.parse_reject(reply).name.lower()
    return "silence", "an answer of another type"

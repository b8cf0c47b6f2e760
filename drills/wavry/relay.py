"""A relay as operators and peers see it: four HTTP pages, and one UDP port (contract-master-relay §3.6, §4).

``RelayPeer`` is one end for probes and contract tests: it blocks, waits a bounded time and keeps what came
in between. The load generator has a pump of its own. A relay answers a lease with ACK or REJECT and says
nothing at all to a FORWARD, delivered or not (§4.2), so silence is a result here (None), not an error.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from drills.wavry import packets
from drills.wavry.closable import Closable
from drills.wavry.errors import Unreachable
from drills.wavry.http_client import HttpClient, understood

RECEIVE_SIZE = 65536  # more than any datagram, so that nothing is cut here


@dataclass(frozen=True)
class RelayCounters:
    """The 23 counters of ``/metrics``, by their own names and in their own order (§3.6)."""

    packets_rx: int
    bytes_rx: int
    packets_forwarded: int
    bytes_forwarded: int
    lease_present_packets: int
    lease_renew_packets: int
    dropped_packets: int
    rate_limited_packets: int
    identity_rate_limited_packets: int
    invalid_packets: int
    auth_reject_packets: int
    session_not_found_packets: int
    session_not_active_packets: int
    unknown_peer_packets: int
    replay_dropped_packets: int
    backpressure_dropped_packets: int
    session_full_rejects: int
    wrong_relay_rejects: int
    expired_lease_rejects: int
    cleanup_expired_sessions: int
    cleanup_idle_sessions: int
    overload_shed_packets: int
    nat_rebind_events: int

    def since(self, earlier: RelayCounters) -> dict[str, int]:
        """What has moved since an earlier reading, by name; those that stood still are left out."""
        before = asdict(earlier)
        return {name: count - before[name] for name, count in asdict(self).items() if count != before[name]}


@dataclass(frozen=True)
class RelayHealth:
    """``GET /health`` (§3.6)."""

    relay_id: str
    status: str
    ready: bool
    has_master_key: bool
    registered_with_master: bool
    active_sessions: int
    total_sessions: int
    max_sessions: int
    uptime_s: float
    counters: RelayCounters


@dataclass(frozen=True)
class RelayReadiness:
    """``GET /ready``, the same object with 200 and with 503 (§3.6)."""

    relay_id: str
    ready: bool


class RelayHttp(Closable):
    """The relay's HTTP pages; each call raises Refused, Unreachable (TimedOut, Closed) or Garbled."""

    def __init__(self, base_url: str, *, timeout_s: float, source_address: str | None = None) -> None:
        self.http = HttpClient(base_url, timeout_s=timeout_s, source_address=source_address)

    def close(self) -> None:
        """Close the idle connections; the client can still be used."""
        self.http.close()

    def health(self) -> RelayHealth:
        """Who it is, whether it is ready and registered, its sessions and counters."""
        answer = self.http.granted("GET", "/health").decoded()
        with understood("the answer of /health"):
            return RelayHealth(
                relay_id=answer["relay_id"],
                status=answer["status"],
                ready=answer["ready"],
                has_master_key=answer["has_master_key"],
                registered_with_master=answer["registered_with_master"],
                active_sessions=answer["active_sessions"],
                total_sessions=answer["total_sessions"],
                max_sessions=answer["max_sessions"],
                uptime_s=answer["uptime_secs"],
                counters=_counters(answer["metrics"]),
            )

    def ready(self) -> RelayReadiness:
        """Whether it has a key, is registered and has room; 503 is an answer too, not an error."""
        answer = self.http.granted("GET", "/ready", accepted=(200, 503)).decoded()
        with understood("the answer of /ready"):
            return RelayReadiness(answer["relay_id"], answer["ready"])

    def metrics(self) -> RelayCounters:
        """The counters since the process started."""
        answer = self.http.granted("GET", "/metrics").decoded()
        with understood("the answer of /metrics"):
            return _counters(answer)


@dataclass(frozen=True)
class Forward:
    """A FORWARD that arrived: the body follows the eight bytes of sequence (§4.2)."""

    session: UUID
    sequence: int
    body: bytes


LeaseAnswer = packets.Ack | packets.Reject


class RelayPeer(Closable):
    """One end at a relay's UDP port, from an address of its own; only what that port sends is heard."""

    def __init__(self, relay: tuple[str, int], *, timeout_s: float, source_address: str | None = None) -> None:
        """``timeout_s`` is how long ``present`` and ``renew`` wait; Unreachable if the address cannot be taken."""
        self._relay, self._timeout_s = relay, timeout_s
        self._arrived: deque[bytes] = deque()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((source_address or "", 0))
        except OSError as error:
            self._socket.close()
            raise Unreachable(f"udp from {source_address}: {error.strerror}") from None

    def close(self) -> None:
        """Give the port up."""
        self._socket.close()

    def local_address(self) -> tuple[str, int]:
        """Address and port of this end."""
        host, port = self._socket.getsockname()
        return str(host), int(port)

    def present(self, session: UUID, role: str, token: str) -> LeaseAnswer | None:
        """Present a lease once (role ``client`` or ``server``); the ACK or REJECT, or None for silence."""
        return self.asked(packets.present(session, role, token))

    def renew(self, session: UUID) -> LeaseAnswer | None:
        """Renew the session once; the ACK or REJECT, or None for silence."""
        return self.asked(packets.renew(session))

    def forward(self, session: UUID, sequence: int, body: bytes = b"") -> None:
        """Send a body on to the other end; there is never an answer."""
        self.send(packets.forward(session, sequence, body))

    def send(self, datagram: bytes) -> None:
        """Any bytes at all; Unreachable if the machine itself will not send them."""
        try:
            self._socket.sendto(datagram, self._relay)
        except OSError as error:
            raise Unreachable(f"udp to {self._relay[0]}:{self._relay[1]}: {error.strerror}") from None

    def asked(self, datagram: bytes) -> LeaseAnswer | None:
        """Send, and wait for the ACK or REJECT of the datagram's session; what else arrives is kept."""
        self.send(datagram)
        session = packets.raw_session(datagram)
        deadline = time.monotonic() + self._timeout_s
        kept: deque[bytes] = deque()
        try:
            while (arrived := self.receive_raw(deadline - time.monotonic())) is not None:
                answer = _lease_answer(arrived, session)
                if answer is not None:
                    return answer
                kept.append(arrived)
        finally:
            self._arrived.extend(kept)
        return None

    def receive(self, timeout_s: float) -> Forward | None:
        """The next FORWARD within ``timeout_s``, or None; late answers to leases are passed over."""
        deadline = time.monotonic() + timeout_s
        while (arrived := self.receive_raw(deadline - time.monotonic())) is not None:
            if not packets.is_well_formed(arrived) or arrived[2] != packets.FORWARD:
                continue
            start = packets.HEADER_BYTES
            try:
                sequence = packets.sequence_of(arrived, start)
            except packets.MalformedPacket:
                continue
            return Forward(UUID(bytes=packets.raw_session(arrived)), sequence, arrived[start + 8 :])
        return None

    def receive_raw(self, timeout_s: float) -> bytes | None:
        """The next datagram of the relay's within ``timeout_s`` (at least what is already there), or None."""
        if self._arrived:
            return self._arrived.popleft()
        deadline = time.monotonic() + timeout_s
        while True:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.0))
            try:
                datagram, sender = self._socket.recvfrom(RECEIVE_SIZE)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError as error:
                raise Unreachable(f"udp from {self._relay[0]}:{self._relay[1]}: {error.strerror}") from None
            if sender == self._relay:
                return datagram
            if time.monotonic() >= deadline:  # strangers may not keep us
                return None


def _lease_answer(datagram: bytes, session: bytes) -> LeaseAnswer | None:
    if not packets.is_well_formed(datagram) or packets.raw_session(datagram) != session:
        return None
    try:
        match datagram[2]:
            case packets.ACK:
                return packets.parse_ack(datagram)
            case packets.REJECT:
                return packets.parse_reject(datagram)
    except packets.MalformedPacket:
        return None
    return None


def _counters(answer: Any) -> RelayCounters:
    return RelayCounters(**{name: int(answer[name]) for name in RelayCounters.__dataclass_fields__})

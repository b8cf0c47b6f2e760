"""What becomes of a datagram: the steps of contract §4.3 and §4.6, and the counters they move.

Pure: ``arrive`` takes what was read, ``next_outgoing`` gives what is to be sent, and the caller says with ``sent`` or
``unsent`` how that went. FORWARD is the hot path; it allocates nothing but the session key.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from drills.reference.defects import Defects
from drills.reference.relay.admission import Refusal
from drills.reference.relay.counters import Counters
from drills.reference.relay.leasing import LeaseDesk
from drills.reference.relay.limits import ADDRESSES_MAX, FixedWindows
from drills.reference.relay.sessions import Address, Peer, Pool, Session
from drills.wavry import packets
from drills.wavry.packets import FORWARD, HEADER_BYTES, MAX_DATAGRAM, PRESENT, RENEW, MalformedPacket, Reject

Outgoing = tuple[bytes, Address]

ADDRESS_LIMITED = Refusal(Reject.RATE_LIMITED, ("rate_limited_packets",))


@dataclass(frozen=True)
class Limits:
    """What the command line sets of the data plane."""

    sessions_max: int = 100
    shed_percent: int = 95
    lease_s: float = 300.0
    idle_s: float = 60.0
    address_pps: int = 1000
    identity_pps: int = 200
    queue_capacity: int = 2048


AFTERLIFE_S, ECHO_EVERY_S = 3.0, 0.1  # of the defect relay_keeps_whom_it_sent_away
LOW_NUMBERS = 100  # of the defect relay_wants_low_numbers
# of the defect relay_goes_deaf, at either pace: what a user feels does not depend on the relay's timers
DEAF_EVERY_S, DEAF_S = 6.0, 1.2


@dataclass(slots=True)
class _Echo:
    """A session that goes on being served by a defect: until when, and what was sent to it last."""

    until: float
    newest: Outgoing | None = None
    last: float = 0.0


class Pipeline:
    """The relay's data plane without its socket."""

    def __init__(self, relay_id: str, limits: Limits, defects: Defects) -> None:
        self.counters = Counters()
        self.pool = Pool(limits.sessions_max, limits.shed_percent, limits.lease_s, limits.idle_s, defects)
        self.desk = LeaseDesk(self.pool, self.counters, relay_id, limits.identity_pps, defects)
        self._addresses = FixedWindows(limits.address_pps, ADDRESSES_MAX)
        self._queue: deque[tuple[bytes, Address]] = deque()
        self._queue_capacity = limits.queue_capacity
        self._drops_one_in_fifty = defects.on("relay_drops_one_in_fifty")
        self._goes_deaf = defects.on("relay_goes_deaf")
        self._wants_low_numbers = defects.on("relay_wants_low_numbers")
        self._sends_twice, self._alters = defects.on("relay_sends_twice"), defects.on("relay_alters_packets")
        self._miscounts = defects.on("relay_miscounts")
        self._echoes: dict[bytes, _Echo] | None = {} if defects.on("relay_keeps_whom_it_sent_away") else None
        self.unasked: deque[Outgoing] = deque()  # what only a defect sends; the port takes it, and counts none of it
        self._forwards = 0
        self.mute = False  # only ever by the defect relay_stops_without_master
        self._sent = 0

    @property
    def waiting(self) -> int:
        """How many datagrams are read and not yet processed."""
        return len(self._queue)

    def arrive(self, datagram: bytes, source: Address) -> None:
        """Count a datagram and queue it, or drop it when the queue is full."""
        self.counters.packets_rx += 1
        self.counters.bytes_rx += min(len(datagram), MAX_DATAGRAM)
        if len(self._queue) >= self._queue_capacity:
            self.counters.drop("backpressure_dropped_packets")
        else:
            self._queue.append((datagram, source))

    def next_outgoing(self, now: float, unix_s: float) -> Outgoing | None:
        """Process the oldest queued datagram; what is to be sent for it, if anything."""
        datagram, source = self._queue.popleft()
        if not packets.is_well_formed(datagram):
            return self._drop("invalid_packets")
        kind = datagram[2]
        if not self._addresses.allows(source[0], now):
            if kind in (PRESENT, RENEW):
                return _answer(self.desk.refused(packets.raw_session(datagram), ADDRESS_LIMITED), source)
            return self._drop("rate_limited_packets")
        if kind == FORWARD:
            return self._forward(datagram, source, now)
        if kind == PRESENT:
            return _answer(self.desk.present(datagram, source, now, unix_s), source)
        if kind == RENEW:
            return _answer(self.desk.renew(datagram, source, now, unix_s), source)
        return self._drop("invalid_packets")  # ACK and REJECT are ours to send, not to get

    def sent(self, datagram: bytes) -> None:
        """The socket took it."""
        if datagram[2] == FORWARD:
            self._sent += 1
            if self._miscounts and self._sent % 50 == 0:
                return
            self.counters.packets_forwarded += 1
            self.counters.bytes_forwarded += len(datagram)

    def unsent(self) -> None:
        """The socket did not take it."""
        self.counters.drop()

    def sweep(self, now: float) -> None:
        """Remove sessions that are over, and limiter entries nobody uses."""
        lapsed, idle = self.pool.sweep(now)
        self.counters.cleanup_expired_sessions += lapsed
        self.counters.cleanup_idle_sessions += idle
        self._addresses.forget_idle(now)
        self.desk.identities.forget_idle(now)

    def forget_all_sessions(self) -> None:
        """Cut everybody off without a word: the defect ``drain_cuts_sessions``, nothing sound calls it."""
        self.pool.sessions.clear()

    def _forward(self, datagram: bytes, source: Address, now: float) -> Outgoing | None:
        """The datagram as it came, for the other peer (contract §4.6). The sender is never answered."""
        session = self.pool.sessions.get(datagram[4:20])
        if session is None:
            return self._drop("session_not_found_packets")
        if not session.is_active(now):
            return self._drop("session_not_active_packets")
        ends = _ends(session, source)
        if ends is None:
            return self._drop("unknown_peer_packets")
        sender, receiver = ends
        try:
            sequence = packets.sequence_of(datagram, HEADER_BYTES)
        except MalformedPacket:
            return self._drop("invalid_packets")
        if self._wants_low_numbers and sender.window.is_fresh and sequence > LOW_NUMBERS:
            return self._drop("replay_dropped_packets")
        if not sender.window.accepts(sequence):
            return self._drop("replay_dropped_packets")
        if not session.bucket.takes(len(datagram), now):
            return self._drop("rate_limited_packets")
        session.last_active = sender.heard = now
        self._forwards += 1
        if self.mute or (
            (self._drops_one_in_fifty and self._forwards % 50 == 0) or (self._goes_deaf and now % DEAF_EVERY_S < DEAF_S)
        ):
            self.sent(datagram)
            return None
        if self._echoes is not None:
            self._echo(datagram, receiver.address, now)
        if self._forwards % 50 == 0 and self._sends_twice:
            self.unasked.append((datagram, receiver.address))
        if self._forwards % 50 == 0 and self._alters:
            return datagram[:-1] + bytes([datagram[-1] ^ 1]), receiver.address
        return datagram, receiver.address

    def _echo(self, datagram: bytes, receiver: Address, now: float) -> None:
        """The defect relay_keeps_whom_it_sent_away: the newest packet again and again, for as long as it is kept."""
        assert self._echoes is not None
        for key in self.desk.sent_away:
            self._echoes.setdefault(key, _Echo(now + AFTERLIFE_S))
        self.desk.sent_away.clear()
        mine = self._echoes.get(packets.raw_session(datagram))
        if mine:
            mine.newest = datagram, receiver
        for key, echo in list(self._echoes.items()):
            if now > echo.until:
                del self._echoes[key]
            elif echo.newest and now - echo.last > ECHO_EVERY_S:
                echo.last = now
                self.unasked.append(echo.newest)

    def _drop(self, reason: str) -> Outgoing | None:
        self.counters.drop(reason)
        return None


def _ends(session: Session, source: Address) -> tuple[Peer, Peer] | None:
    """Sender and receiver of an active session; the client's slot is compared first (contract §4.6)."""
    client, server = session.client, session.server
    assert client is not None and server is not None
    if source == client.address:
        return client, server
    if source == server.address:
        return server, client
    return None


def _answer(datagram: bytes | None, source: Address) -> Outgoing | None:
    return None if datagram is None else (datagram, source)

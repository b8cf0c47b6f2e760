"""What a relay answers to LEASE_PRESENT and LEASE_RENEW (contract §4.4, §4.5, §4.8).

Pure: the caller brings the datagram, where it came from and both clocks, and sends what is returned.
``now`` is monotonic and rules the session; ``unix_s`` is the calendar and rules the token and the ACK's expiry.
"""

from __future__ import annotations

from drills.reference.defects import Defects
from drills.reference.relay.admission import EXPIRED, INVALID, UNPROVEN, Keys, Refusal, judged
from drills.reference.relay.counters import Counters
from drills.reference.relay.limits import IDENTITIES_MAX, FixedWindows
from drills.reference.relay.sessions import Address, Pool, Session
from drills.wavry import packets
from drills.wavry.lease import LeaseClaims
from drills.wavry.packets import MalformedPacket, Reject

OVERLOADED = Refusal(Reject.SESSION_FULL, ("overload_shed_packets",))
IDENTITY_LIMITED = Refusal(Reject.RATE_LIMITED, ("rate_limited_packets", "identity_rate_limited_packets"))
POOL_FULL = Refusal(Reject.SESSION_FULL, ("session_full_rejects",))
ROLE_TAKEN = Refusal(Reject.INVALID_SIGNATURE)
NO_SUCH_SESSION = Refusal(Reject.EXPIRED, ("session_not_found_packets",))
REFUSING = ("relay_refuses_one_present_in_ten", "handshake_fails_one_in_ten")  # the second a candidate's
NOT_A_PEER = Refusal(Reject.INVALID_SIGNATURE, ("unknown_peer_packets",))


class LeaseDesk:
    """Admits peers into sessions and renews what they hold."""

    def __init__(self, pool: Pool, counters: Counters, relay_id: str, identity_pps: int, defects: Defects) -> None:
        self.keys: Keys | None = None  # the master's, from the first registration on
        self.identities = FixedWindows(identity_pps, IDENTITIES_MAX)
        self._pool = pool
        self._counters = counters
        self._relay_id = relay_id
        self._refuses_one_in_ten = any(map(defects.on, REFUSING))
        self._keeps_old_port = defects.on("relay_keeps_to_the_old_port")
        self._refuses_rebind = defects.on("relay_refuses_rebind")
        self._valid_presents = self._valid_renews = 0
        self._says_less = defects.on("relay_forwards_after_lease")
        self._sends_away = defects.on("relay_keeps_whom_it_sent_away")
        self.sent_away: set[bytes] = set()  # sessions that were told they were over, by the defect of that name

    def present(self, datagram: bytes, source: Address, now: float, unix_s: float) -> bytes | None:
        """The answer to a LEASE_PRESENT; None is silence."""
        key = packets.raw_session(datagram)
        if key not in self._pool.sessions and self._pool.is_shedding:
            return self.refused(key, OVERLOADED)  # before the token is looked at (contract §4.3, step 4)
        self._counters.lease_present_packets += 1
        granted = self._granted(datagram, key, source, now, unix_s)
        if isinstance(granted, Refusal):
            return self.refused(key, granted)
        return self._acknowledged(key, self._seated(key, granted, source, now), now, unix_s)

    def renew(self, datagram: bytes, source: Address, now: float, unix_s: float) -> bytes | None:
        """The answer to a LEASE_RENEW; a peer that still waits for the other may renew as well (D-33)."""
        self._counters.lease_renew_packets += 1
        key = packets.raw_session(datagram)
        session = self._pool.sessions.get(key)
        if session is None:
            return self.refused(key, NO_SUCH_SESSION)
        if not session.knows(source):
            return self.refused(key, NOT_A_PEER)
        if session.is_lapsed(now):
            return self.refused(key, EXPIRED)
        self._valid_renews += 1
        if self._sends_away and self._valid_renews % 10 == 0:
            self.sent_away.add(key)
            return self.refused(key, NO_SUCH_SESSION)
        if not self._says_less:
            self._pool.renew(session, now)
        return self._acknowledged(key, session, now, unix_s)

    def refused(self, key: bytes, refusal: Refusal) -> bytes | None:
        """Count a refusal; the answer, where it has one."""
        self._counters.drop(*refusal.counters)
        return None if refusal.reason is None else packets.reject(key, refusal.reason)

    def _granted(
        self, datagram: bytes, key: bytes, source: Address, now: float, unix_s: float
    ) -> LeaseClaims | Refusal:
        """The claims that are to take effect, or why not."""
        try:
            present = packets.parse_present(datagram)
        except MalformedPacket:
            return INVALID
        if self.keys is None:
            return UNPROVEN
        claims = judged(present, self.keys, self._relay_id, unix_s)
        if isinstance(claims, Refusal):
            return claims
        if not self.identities.allows(claims.subject, now):
            return IDENTITY_LIMITED
        return self._no_room(key, claims, source, now) or claims

    def _no_room(self, key: bytes, claims: LeaseClaims, source: Address, now: float) -> Refusal | None:
        """What can still stand against a valid lease."""
        session = self._pool.sessions.get(key)
        if session is None:
            if self._pool.is_full:
                return POOL_FULL
        elif not session.is_lapsed(now):
            holder = session.peer(claims.role)
            if holder is not None and holder.subject != claims.subject:
                return ROLE_TAKEN
            if self._refuses_rebind and holder is not None and holder.address != source:
                return UNPROVEN
        self._valid_presents += 1
        if self._refuses_one_in_ten and self._valid_presents % 10 == 0:
            return UNPROVEN
        return None

    def _seated(self, key: bytes, claims: LeaseClaims, source: Address, now: float) -> Session:
        """The session with this peer in it; a lapsed one is replaced, so that its lease is fresh (D-32)."""
        session = self._pool.sessions.get(key)
        if session is not None and session.is_lapsed(now):
            self._counters.cleanup_expired_sessions += 1
            session = None
        if session is None:
            session = self._pool.open(key, now)
        held = session.peer(claims.role)
        if held is not None and self._keeps_old_port:
            session.last_active = now
            return session
        if session.seat(claims.role, claims.subject, source):
            self._counters.nat_rebind_events += 1
        session.limit(claims.soft_kbps, claims.hard_kbps)
        session.last_active = now
        return session

    def _acknowledged(self, key: bytes, session: Session, now: float, unix_s: float) -> bytes:
        left_s = session.lease_until - now - (0.9 * self._pool.lease_s if self._says_less else 0.0)
        expires_unix_ms = round((unix_s + left_s) * 1000)
        return packets.ack(key, expires_unix_ms, session.soft_kbps, session.hard_kbps)

"""The 23 counters of a relay, in the order in which it reports them (contract §3.6, §4.10)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Plain integers that only rise. Every drop is in ``dropped_packets`` and, mostly, in one reason beside it."""

    packets_rx: int = 0
    bytes_rx: int = 0
    packets_forwarded: int = 0
    bytes_forwarded: int = 0
    lease_present_packets: int = 0
    lease_renew_packets: int = 0
    dropped_packets: int = 0
    rate_limited_packets: int = 0
    identity_rate_limited_packets: int = 0
    invalid_packets: int = 0
    auth_reject_packets: int = 0
    session_not_found_packets: int = 0
    session_not_active_packets: int = 0
    unknown_peer_packets: int = 0
    replay_dropped_packets: int = 0
    backpressure_dropped_packets: int = 0
    session_full_rejects: int = 0
    wrong_relay_rejects: int = 0
    expired_lease_rejects: int = 0
    cleanup_expired_sessions: int = 0
    cleanup_idle_sessions: int = 0
    overload_shed_packets: int = 0
    nat_rebind_events: int = 0

    def drop(self, *reasons: str) -> None:
        """One datagram dropped, for these reasons."""
        self.dropped_packets += 1
        for reason in reasons:
            setattr(self, reason, getattr(self, reason) + 1)

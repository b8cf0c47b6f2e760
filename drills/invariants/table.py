"""Every invariant by its name. Adding one is a file beside this and a line here."""

from __future__ import annotations

from drills.invariants import copies, counters, lease_ends, leases, one_relay, tokens
from drills.invariants.base import Invariant

_TABLE = (
    Invariant("no_lease_to_draining_or_banned", "no lease names a relay that an operator holds back", leases.check),
    Invariant("nothing_after_lease_end", "nothing is forwarded after the end of its lease", lease_ends.check),
    Invariant("refused_token_stays_refused", "a token once refused is never accepted later", tokens.check),
    Invariant("one_relay_at_a_time", "at most one relay serves a session at a time", one_relay.check),
    Invariant("no_packet_twice_or_altered", "no packet is delivered twice or altered", copies.check),
    Invariant("relay_counters_agree", "a relay's counters agree with what the ends saw", counters.check),
)

INVARIANTS: dict[str, Invariant] = {invariant.name: invariant for invariant in _TABLE}

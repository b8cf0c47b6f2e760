"""One request for a relay becomes two leases for one session on one relay, or a coded refusal (contract §2.10).

Wavry's roles are kept, inverted as they look: the requester's lease says ``server``, the target's ``client``
(D-09), because clients and relays on the wire count on it. Unlike Wavry's, every refusal is answered (D-26,
D-27), a refused request spends no quota, and nothing is lent on a key that relays cannot know (D-05).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from uuid import UUID, uuid4

from drills.reference.master.clock import Moment
from drills.reference.master.feedback import Sessions
from drills.reference.master.memory import Memory
from drills.reference.master.quota import Quota
from drills.reference.master.registry import Registry
from drills.reference.master.selection import Candidate, choose
from drills.reference.master.signer import Signer

# in JSON, which a lease holds twice; a longer name makes a token that may not fit the relay's datagram (contract §2.4)
TARGET_BYTES_MAX = 255


@dataclass(frozen=True)
class Lent:
    """Both leases of one new session."""

    session: UUID
    relay_id: str
    address: str
    for_requester: str = field(repr=False)
    for_target: str = field(repr=False)


@dataclass(frozen=True)
class Denied:
    """Why there is no lease: an HTTP-like code and a sentence."""

    code: int
    message: str


class Lender:
    """Whoever asks for a relay ends up here."""

    def __init__(
        self,
        registry: Registry,
        signer: Signer,
        memory: Memory,
        sessions: Sessions,
        random: Random,
        new_session: Callable[[], UUID] = uuid4,
    ) -> None:
        self.quota = Quota()
        self._registry = registry
        self._signer = signer
        self._memory = memory
        self._sessions = sessions
        self._random = random
        self._new_session = new_session

    def lend(self, requester: str, target: str, region: str | None, moment: Moment) -> Lent | Denied:
        """Two leases, or the first reason in this order: malformed 400, revoked 403, quota 429, nothing to lend 503."""
        denied = self._denied(requester, target, moment)
        if denied:
            return denied
        chosen = choose(self._registry.selectable(moment.steady_s), region, self._random)
        if chosen is None:
            return Denied(503, "no relay is available")
        self.quota.spend(requester, moment.steady_s)
        return self._lent(requester, target, chosen, moment)

    def _denied(self, requester: str, target: str, moment: Moment) -> Denied | None:
        if not target or len(json.dumps(target)) - 2 > TARGET_BYTES_MAX:
            return Denied(400, f"target_username must have 1 to {TARGET_BYTES_MAX} bytes of JSON")
        if self._memory.is_revoked(requester) or self._memory.is_revoked(target):
            return Denied(403, "requester or target is revoked")
        if self.quota.left(requester, moment.steady_s) <= 0:
            return Denied(429, "too many relay leases, try again later")
        if not self._signer.provisioned:
            return Denied(503, "the master has no provisioned signing key")
        return None

    def _lent(self, requester: str, target: str, chosen: Candidate, moment: Moment) -> Lent:
        session = self._new_session()
        self._sessions.opened(session, chosen.relay_id)
        return Lent(
            session,
            chosen.relay_id,
            chosen.address,
            for_requester=self._signer.lease(requester, session, "server", chosen.relay_id, moment),
            for_target=self._signer.lease(target, session, "client", chosen.relay_id, moment),
        )

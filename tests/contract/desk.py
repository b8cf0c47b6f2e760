"""A relay together with the key it trusts: mints leases for it and watches what each datagram does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from drills.wavry.packets import Ack, Reject
from drills.wavry.relay import RelayPeer
from tests.contract.fake_master import FakeMaster
from tests.contract.services import Relay

SILENCE_S = 0.02  # after the counters have moved, an answer would be here


@dataclass
class Desk:
    """A relay, the key it trusts, and the sessions of one test."""

    relay: Relay
    master: FakeMaster
    relay_id: str

    def lease(self, session: UUID, role: str = "client", subject: str | None = None, **changed: Any) -> str:
        return self.master.lease(self.relay_id, session, role, subject, **changed)

    def expect(self, peer: RelayPeer, datagram: bytes, answer: Reject | None, moved: dict[str, int]) -> None:
        """The datagram gets this answer (None: silence) and moves these counters."""
        before = self.relay.counted()
        if answer is None:
            peer.send(datagram)
        else:
            assert peer.asked(datagram) == answer
        self.relay.expect_moved(before, **moved)
        assert peer.receive_raw(SILENCE_S) is None

    def presented(self, peer: RelayPeer, session: UUID, role: str, **changed: Any) -> Ack:
        answer = peer.present(session, role, self.lease(session, role, **changed))
        assert isinstance(answer, Ack), answer
        return answer

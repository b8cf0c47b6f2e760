"""Whether a lease is worth something: presented by both ends at the relay it names, forwarding both ways.

What was met is an event, ``lease.tried``: which relay, what became of it, and whether that relay said it was ready
just before and just after. The tokens are used once and kept nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from drills.probes.leases import GivenPair
    from drills.scene import Scene
    from drills.wavry.relay import LeaseAnswer, RelayPeer

ACCEPTED = "accepted"
PACKETS = 5
CROSSES_S = 0.3


@dataclass(frozen=True)
class Tried:
    """One lease that was tried: ``outcome`` is ``accepted`` or what went wrong, in words."""

    relay_id: str
    service: str  # whose process has that id now; empty where nobody's has
    restarted: bool  # whether that process is not the service's first
    outcome: str

    @property
    def accepted(self) -> bool:
        """Acknowledged to both ends, and packets crossed both ways."""
        return self.outcome == ACCEPTED


def tried(scene: Scene, given: GivenPair, why: str) -> Tried:
    """Present a lease from both ends, send through it, and write down what was met."""
    from drills.probes.relays import says_ready, service_of

    service = service_of(scene.stage, given.host.relay_id)
    before = says_ready(scene.stage, service) if service else None
    outcome = outcome_of(scene, given)
    after = says_ready(scene.stage, service) if service else None
    restarted = bool(service) and scene.stage.services[service].starts > 1
    found = Tried(given.host.relay_id, service, restarted, outcome)
    scene.journal.write(
        "lease.tried", why=why, relay_id=found.relay_id, service=service, restarted=restarted, outcome=outcome,
        asked_ns=given.asked_ns, tried_ns=scene.now_ns(), ready_before=before, ready_after=after,
    )  # fmt: skip
    return found


def outcome_of(scene: Scene, given: GivenPair) -> str:
    """What both ends meet at the relay that a lease names: ``accepted``, or the first thing that is wrong."""
    from drills.wavry.errors import WireError
    from drills.wavry.relay import RelayPeer

    address, session = _split(given.host.address), given.host.session
    hosts_address, clients_address = scene.stage.probe_sources()
    try:
        with (
            RelayPeer(address, timeout_s=2.0, source_address=hosts_address) as host,
            RelayPeer(address, timeout_s=2.0, source_address=clients_address) as client,
        ):
            answers = {
                "server": host.present(session, "server", given.host.token),
                "client": client.present(given.client.session, "client", given.client.token),
            }
            refused = [f"{role} end: {words}" for role, answer in answers.items() if (words := _refusal(answer))]
            if refused:
                return ", ".join(refused)
            crossed = _crosses(client, host, session) and _crosses(host, client, session)
            return ACCEPTED if crossed else "acknowledged, but not forwarding both ways"
    except WireError as error:
        scene.journal.write("relay.canary", reason=str(error))
        return str(error)


def _refusal(answer: LeaseAnswer | None) -> str:
    from drills.wavry.packets import Ack, Reject

    if isinstance(answer, Ack):
        return ""
    return f"reject {answer.name.lower()}" if isinstance(answer, Reject) else "silence"


def _crosses(sender: RelayPeer, receiver: RelayPeer, session: UUID) -> bool:
    for number in range(PACKETS):
        sender.forward(session, number + 1, b"canary")
        if receiver.receive(CROSSES_S) is not None:
            return True
    return False


def _split(address: str) -> tuple[str, int]:
    host, port = address.rsplit(":", 1)
    return host, int(port)

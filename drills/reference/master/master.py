"""One master put together: who asks whom, without a socket in sight."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from drills.reference.defects import Defects
from drills.reference.master.bodies import Feedback
from drills.reference.master.clock import Moment
from drills.reference.master.feedback import GOOD_ABOVE, Sessions
from drills.reference.master.lender import Lender
from drills.reference.master.memory import Memory
from drills.reference.master.registry import Registry
from drills.reference.master.settings import Settings
from drills.reference.master.signer import Signer
from drills.reference.master.switchboard import Switchboard
from drills.reference.timers import Timers


@dataclass(frozen=True)
class Master:
    """The parts of a master; all state is in them."""

    settings: Settings
    timers: Timers
    signer: Signer
    memory: Memory
    registry: Registry
    sessions: Sessions
    lender: Lender
    switchboard: Switchboard
    started_s: float
    ready_lies: bool  # the defect master_ready_lies
    defects: Defects

    @classmethod
    def assembled(
        cls, settings: Settings, timers: Timers, signer: Signer, memory: Memory, defects: Defects, random: Random
    ) -> Master:
        """A master that has just started and knows only what its memory holds."""
        registry, sessions = Registry(timers, memory, defects), Sessions()
        lender = Lender(registry, signer, memory, sessions, random)
        switchboard = Switchboard(lender, memory)
        started_s, lies = Moment.now().steady_s, defects.on("master_ready_lies")
        return cls(settings, timers, signer, memory, registry, sessions, lender, switchboard, started_s, lies, defects)

    def ready(self, now_s: float) -> bool:
        """Whether leases can be had: a key that relays know, and a relay to lend."""
        truth = self.signer.provisioned and self.registry.assignable(now_s) > 0
        return truth != self.ready_lies

    def rated(self, feedback: Feedback) -> bool:
        """Take one end's opinion of a session; False if it is no business of theirs."""
        if not self.sessions.take_rating(feedback.session, feedback.relay_id):
            return False
        self.registry.rate(feedback.relay_id, feedback.quality_score > GOOD_ABOVE)
        return True

    def sweep(self, now_s: float) -> None:
        """What is due at every round of the sweeper."""
        self.registry.sweep(now_s)
        self.lender.quota.forget(now_s)

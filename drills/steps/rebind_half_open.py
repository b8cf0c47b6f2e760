"""rebind_half_open: a client that believes its connection dead opens a newer one; then the older one ends at last.

Whoever calls it afterwards must reach the newer socket (operations-facts §7, row 50; D2 of contract-gateway §10). Each
round has accounts of its own. Before the older socket ends the newer one must be reached too, or the round says nothing
about what its end did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drills.faults.base import Arguments
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.probes.accounts import AccountProbe, BoundAccount
    from drills.scene import Scene

# For the gateway to see that the older socket has ended, which is a closed connection: one look soon, and one later,
# for a gateway that was kept from the CPU when it should have seen it.
NOTICED_S = (0.3, 1.0)
CALLS = 3  # one call that is lost decides nothing


class RebindHalfOpenArguments(Arguments):
    """How many rounds."""

    rounds: Annotated[int, Field(ge=1, le=20)] = 5


def _perform(scene: Scene, arguments: RebindHalfOpenArguments) -> None:
    from drills.probes.accounts import AccountProbe
    from drills.wavry.errors import WireError

    probe = AccountProbe(scene.stage, scene.journal, "now")
    for _ in range(arguments.rounds):
        try:
            _round(scene, probe)
        except WireError as error:
            scene.journal.write("step.unmet", step="rebind_half_open", reason=str(error))


def _round(scene: Scene, probe: AccountProbe) -> None:
    from drills.probes.accounts import KNOWN, BoundAccount

    called, caller = probe.made(KNOWN), probe.made(KNOWN)
    with (
        probe.free.bound(called.token) as older,
        probe.free.bound(called.token) as newer,
        probe.free.bound(caller.token) as calling,
    ):
        ends = BoundAccount(caller.name, calling), BoundAccount(called.name, newer)
        before = _reached(scene, *ends)
        older.close()
        after = before and all(_reached_later(scene, wait_s, ends) for wait_s in NOTICED_S)
    scene.journal.write("halfopen.round", account=called.name, before=before, after=after)


def _reached_later(scene: Scene, wait_s: float, ends: tuple[BoundAccount, BoundAccount]) -> bool:
    scene.pause(wait_s)
    return _reached(scene, *ends)


def _reached(scene: Scene, caller: BoundAccount, called: BoundAccount) -> bool:
    """Whether one of a few calls comes through."""
    from drills.probes.accounts import offered

    return any(offered(scene.journal, caller, called, "half-open") for _ in range(CALLS))


STEP = StepKind(
    "rebind_half_open", RebindHalfOpenArguments, _perform,
    "bind an account twice, end the older socket, and call the newer one",
)  # fmt: skip

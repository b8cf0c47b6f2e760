"""know_accounts: make accounts of the drill's own before a fault, and look that they are as they should be.

Some known ones, each with a live token; one whose token is revoked by logging out; one that is locked by five wrong
logins. Without them ``check_accounts`` has nothing to say afterwards, and the claims that rest on it cannot be judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drills.faults.base import Arguments
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene


class KnowAccountsArguments(Arguments):
    """How many known accounts; they signal in pairs."""

    accounts: Annotated[int, Field(ge=2, le=10, multiple_of=2)] = 4


def _perform(scene: Scene, arguments: KnowAccountsArguments) -> None:
    from drills.probes.accounts import KNOWN, LOCKED, REVOKED, AccountProbe
    from drills.wavry.errors import WireError

    probe = AccountProbe(scene.stage, scene.journal, "before")
    try:
        known = [probe.made(KNOWN) for _ in range(arguments.accounts)]
        revoked, locked = probe.made(REVOKED), probe.made(LOCKED)
        probe.revoke(revoked)
        probe.lock(locked)
    except WireError as error:
        scene.journal.write("step.unmet", step="know_accounts", reason=str(error))
        return
    scene.known_accounts[:] = [*known, revoked, locked]
    for account in known:
        if socket := probe.bind(account):
            socket.close()
    if socket := probe.bind(revoked):
        socket.close()
    probe.log_in(locked, look_name="locked_account")
    probe.log_in(known[0], look_name="locked_address", locked_way=True)


STEP = StepKind(
    "know_accounts", KnowAccountsArguments, _perform,
    "make known accounts, one with a revoked token and one that is locked, from addresses of their own",
)  # fmt: skip

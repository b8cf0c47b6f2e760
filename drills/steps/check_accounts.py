"""check_accounts: look again at the accounts of ``know_accounts``: tokens, signals, revocation, lock, logins.

In this order: the old tokens bind, then offers and answers go both ways between those bound; only then is anything
logged in, so that nothing of it rests on a new session.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drills.faults.base import Arguments
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.probes.accounts import AccountProbe, BoundAccount, ProbeAccount
    from drills.scene import Scene


def _perform(scene: Scene, arguments: Arguments) -> None:
    from drills.probes.accounts import KNOWN, LOCKED, REVOKED, AccountProbe

    if not scene.known_accounts:
        scene.journal.write("step.unmet", step="check_accounts", reason="no account was made before the fault")
        return
    probe = AccountProbe(scene.stage, scene.journal, "after")
    known, revoked, locked = (
        [account for account in scene.known_accounts if account.kind == kind] for kind in (KNOWN, REVOKED, LOCKED)
    )
    with contextlib.ExitStack() as stack:
        _signal(scene, _bound(probe, known, stack))
        for account in revoked:
            if socket := probe.bind(account):
                stack.callback(socket.close)
        for account in locked:
            probe.log_in(account, look_name="locked_account")
        probe.log_in(known[0], look_name="locked_address", locked_way=True)
        for account in known:
            probe.log_in(account)


def _bound(probe: AccountProbe, known: list[ProbeAccount], stack: contextlib.ExitStack) -> list[BoundAccount]:
    from drills.probes.accounts import BoundAccount

    found = []
    for account in known:
        if socket := probe.bind(account):
            stack.callback(socket.close)
            found.append(BoundAccount(account.name, socket))
    return found


def _signal(scene: Scene, bound: list[BoundAccount]) -> None:
    """Between those bound, two by two: each calls the other, who answers. Every message is an event."""
    from drills.probes.accounts import answered, offered

    for one, other in zip(bound[::2], bound[1::2], strict=False):
        for caller, called in ((one, other), (other, one)):
            offered(scene.journal, caller, called, "re-bound")
            answered(scene.journal, called, caller, "re-bound")


STEP = StepKind(
    "check_accounts", Arguments, _perform,
    "look what is left of the accounts of `know_accounts`: tokens, signals both ways, the lock, logins",
)  # fmt: skip

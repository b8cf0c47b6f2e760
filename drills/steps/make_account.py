"""make_account: register an account at the gateway, which a later step logs in with.

It goes the way of the ends, through the proxy. Where no account could be made, that is an event too: who then logs in
with it proves nothing.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

from pydantic import StringConstraints

from drills.faults.base import Arguments
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene

ANSWER_S = 5.0
TRIES, PAUSE_S = 4, 0.5
AccountName = Annotated[str, StringConstraints(pattern="^[a-z][a-z_]{0,30}$")]


class MakeAccountArguments(Arguments):
    """A name for it in this drill."""

    account: AccountName


def _perform(scene: Scene, arguments: MakeAccountArguments) -> None:
    from drills.probes.own_account import OwnAccount
    from drills.wavry.errors import Refused, WireError
    from drills.wavry.gateway import GatewayHttp

    made = OwnAccount(f"drill{secrets.token_hex(4)}")
    reason, began_ns = "", scene.now_ns()
    with GatewayHttp(f"http://{scene.stage.proxied('ends_to_gateway')}", timeout_s=ANSWER_S) as gateway:
        for _ in range(TRIES):
            try:
                made.register(gateway)
                scene.accounts[arguments.account] = made
                reason = ""
                break
            except WireError as error:
                reason = str(error)
                if isinstance(error, Refused):
                    break
            scene.pause(PAUSE_S)
    scene.journal.write("drill_account.made", account=arguments.account, ok=not reason, reason=reason,
                        asked_ns=began_ns, took_ms=round((scene.now_ns() - began_ns) / 1e6, 1))  # fmt: skip


STEP = StepKind("make_account", MakeAccountArguments, _perform, "register an account, for a later step to log in with")

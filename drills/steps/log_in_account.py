"""log_in_account: log in with an account that an earlier step has made.

A refusal is an answer, and evidence; a gateway that does not answer yet is asked again until the time is up. Neither is
an error: the story goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.faults.base import Arguments
from drills.scenario.durations import Duration
from drills.steps.base import StepKind
from drills.steps.make_account import AccountName

if TYPE_CHECKING:
    from drills.scene import Scene

ANSWER_S = 5.0
PAUSE_S = 0.2
NOT_NOW = (429, 500, 502, 503)  # says nothing about the account: a limit, a database that is busy


class LogInAccountArguments(Arguments):
    """Which account, and for how long to ask at most."""

    account: AccountName
    within: Duration


def _perform(scene: Scene, arguments: LogInAccountArguments) -> None:
    from drills.wavry.errors import Refused, WireError
    from drills.wavry.gateway import GatewayHttp

    known = scene.accounts.get(arguments.account)
    if known is None:
        scene.journal.write("drill_account.logged_in", account=arguments.account, outcome="unknown",
                            reason="no such account was made", asked_ns=scene.now_ns())  # fmt: skip
        return
    began_ns = scene.now_ns()
    deadline_ns = began_ns + int(arguments.within.in_s(scene.heartbeat_s) * 1e9)
    outcome, reason = "unanswered", "never asked"
    with GatewayHttp(f"http://{scene.stage.proxied('ends_to_gateway')}", timeout_s=ANSWER_S) as gateway:
        while outcome == "unanswered" and scene.now_ns() < deadline_ns:
            try:
                gateway.login(known.email, known.password)
                outcome, reason = "ok", ""
            except Refused as refused:
                outcome, reason = ("unanswered" if refused.status in NOT_NOW else "refused"), str(refused)
            except WireError as error:
                reason = str(error)
            if outcome == "unanswered":
                scene.pause(PAUSE_S)
    scene.journal.write("drill_account.logged_in", account=arguments.account, outcome=outcome, reason=reason,
                        asked_ns=began_ns, took_ms=round((scene.now_ns() - began_ns) / 1e6, 1))  # fmt: skip


STEP = StepKind("log_in_account", LogInAccountArguments, _perform, "log in with an account that was made earlier")

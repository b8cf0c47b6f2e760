"""keep_writing: accounts are registered one after another, each noted when the gateway has acknowledged it.

What is acknowledged after a backup is what its restore loses. Meanwhile one of the known account's tokens is revoked:
a restore must not bring it back to life (operations-facts §7, row 75).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.faults.base import Arguments
from drills.faults.volumes import witnesses_of
from drills.scenario.durations import Duration
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene

EVERY_S = 0.25
REVOKED = "its first"


class KeepWritingArguments(Arguments):
    """At which gateway, and for how long."""

    service: str
    lasts: Duration


def _perform(scene: Scene, arguments: KeepWritingArguments) -> None:
    witnesses = witnesses_of(scene)
    assert witnesses.known
    until_ns = scene.now_ns() + int(arguments.lasts.in_s(scene.heartbeat_s) * 1e9)
    revoked = witnesses.log_out(witnesses.known, REVOKED)
    scene.journal.write("token.revoked", which=REVOKED, **revoked.fields())
    witnesses.log_in(witnesses.known, "of after the backup")
    while scene.now_ns() < until_ns:
        witness, tried = witnesses.register()
        if tried.ok:
            scene.journal.write("row.acknowledged", username=witness.name, **tried.fields())
        scene.pause(EVERY_S)


STEP = StepKind(
    "keep_writing", KeepWritingArguments, _perform,
    "registers accounts one after another and revokes a token, each noted once acknowledged", frozenset({"gateway"}),
)  # fmt: skip

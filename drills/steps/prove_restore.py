"""prove_restore: what a restored gateway does for its users: old tokens, a known login, a write, a second factor.

Tokens come first, because they must be refused until their owner logs in again. A login that is not granted is tried
again until the time is up; the first good one ends the outage that a restore is there to end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Proof, eventually
from drills.faults.volumes import witnesses_of
from drills.scenario.durations import Duration
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.probes.witnesses import Tried, Witnesses
    from drills.scene import Scene

AGAIN_S = 0.1


class ProveRestoreArguments(Arguments):
    """Which gateway, and how long a login is tried at most."""

    service: str
    within: Duration


def _perform(scene: Scene, arguments: ProveRestoreArguments) -> None:
    witnesses = witnesses_of(scene)
    assert witnesses.known
    for which in [*witnesses.known.tokens]:
        tried = witnesses.bind(witnesses.known, which)
        scene.journal.write("token.tried", which=which, **tried.fields())
    _log_in(scene, witnesses, arguments.within.in_s(scene.heartbeat_s))
    _, written = witnesses.register()
    scene.journal.write("restore.write", **written.fields())
    second_factor_tried(scene, witnesses, "its own")


def _log_in(scene: Scene, witnesses: Witnesses, within_s: float) -> None:
    """Until it is granted or the time is up; the last answer is the evidence."""
    last: list[Tried] = []

    def look() -> Proof:
        assert witnesses.known
        last[:] = [witnesses.log_in(witnesses.known)]
        return Proof(last[0].ok, str(last[0]))

    eventually(scene, within_s, look, every_s=AGAIN_S)
    scene.journal.write("restore.login", **last[0].fields())


def second_factor_tried(scene: Scene, witnesses: Witnesses, key: str) -> None:
    """A login with a right code, at a gateway that has ``its own`` key or ``another``."""
    if witnesses.second is not None:
        tried = witnesses.log_in(witnesses.second)
        scene.journal.write("second_factor.tried", key=key, **tried.fields())


STEP = StepKind(
    "prove_restore", ProveRestoreArguments, _perform,
    "tries old tokens, a known login, a registration and a login with a second factor at a restored gateway",
    frozenset({"gateway"}),
)  # fmt: skip

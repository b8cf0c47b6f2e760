"""make_witnesses: accounts of the drill itself, by which a lost and a restored database are told from a good one.

One that logs in with its password (with two tokens), one with a second factor, one that has failed a login. Each
registration is a row that the gateway has acknowledged (``row.acknowledged``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.faults.base import Arguments
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.probes.witnesses import Tried, Witness, Witnesses
    from drills.scene import Scene


class MakeWitnessesArguments(Arguments):
    """At which gateway."""

    service: str


def _perform(scene: Scene, arguments: MakeWitnessesArguments) -> None:
    from drills.probes.witnesses import Witnesses
    from drills.scene import StoryStopped

    witnesses = Witnesses(scene.stage, arguments.service)
    known = _made(scene, witnesses)
    _needed(witnesses.log_in(known, "its second"), "the known account's login")
    second = _made(scene, witnesses)
    _needed(witnesses.enable_second_factor(second), "switching a second factor on")
    _needed(witnesses.log_in(second), "the login with a code")
    failing = _made(scene, witnesses)
    if witnesses.fail_once(failing).ok:
        raise StoryStopped("a wrong password was taken")
    witnesses.known, witnesses.second = known, second
    scene.witnesses = witnesses


def _made(scene: Scene, witnesses: Witnesses) -> Witness:
    witness, tried = witnesses.register()
    _needed(tried, "the registration of an account")
    scene.journal.write("row.acknowledged", username=witness.name, **tried.fields())
    return witness


def _needed(tried: Tried, what: str) -> None:
    from drills.scene import StoryStopped

    if not tried.ok:
        raise StoryStopped(f"{what} was not granted before anything was wrong: {tried.said}")


STEP = StepKind(
    "make_witnesses", MakeWitnessesArguments, _perform,
    "makes the drill's own accounts: one known, one with a second factor, one with a failed login",
    frozenset({"gateway"}),
)  # fmt: skip

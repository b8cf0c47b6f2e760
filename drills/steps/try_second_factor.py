"""try_second_factor: a login with a right code, at a gateway that may have lost the key it needs to check it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.faults.base import Arguments
from drills.faults.volumes import witnesses_of
from drills.stage.compose import TOTP_KEY
from drills.steps.base import StepKind
from drills.steps.prove_restore import second_factor_tried

if TYPE_CHECKING:
    from drills.scene import Scene

LOGGED_S = 0.3  # its log is read twenty times a second: what it says of the attempt must be in the record


class TrySecondFactorArguments(Arguments):
    """At which gateway."""

    service: str


def _perform(scene: Scene, arguments: TrySecondFactorArguments) -> None:
    witnesses = witnesses_of(scene)
    backup = scene.backups.get(arguments.service)
    own = backup is None or scene.stage.variables[TOTP_KEY] == backup.key
    second_factor_tried(scene, witnesses, "its own" if own else "another")
    scene.pause(LOGGED_S)


STEP = StepKind(
    "try_second_factor", TrySecondFactorArguments, _perform, "a login with a right code of the second factor",
    frozenset({"gateway"}),
)  # fmt: skip

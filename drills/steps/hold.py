"""hold: let time pass while everything is watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.faults.base import Arguments
from drills.scenario.durations import Duration
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene


class HoldArguments(Arguments):
    """How long."""

    lasts: Duration


def _perform(scene: Scene, arguments: HoldArguments) -> None:
    scene.hold(arguments.lasts.in_s(scene.heartbeat_s))


STEP = StepKind("hold", HoldArguments, _perform, "let time pass while everything is watched")

"""hold: let time pass while everything is watched."""

from __future__ import annotations

from drills.faults.base import Arguments
from drills.scenario.durations import Duration
from drills.scene import Scene
from drills.steps.base import StepKind


class HoldArguments(Arguments):
    """How long."""

    lasts: Duration


def _perform(scene: Scene, arguments: HoldArguments) -> None:
    scene.pause(arguments.lasts.in_s(scene.heartbeat_s))


STEP = StepKind("hold", HoldArguments, _perform, "let time pass while everything is watched")

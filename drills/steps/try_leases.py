"""try_leases: ask for leases and present each at the relay that it names, to see what a newcomer would meet now."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drills.faults.base import Arguments
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene


class TryLeasesArguments(Arguments):
    """How many leases are asked for; each that is given is tried."""

    leases: Annotated[int, Field(ge=1, le=1000)]


def _perform(scene: Scene, arguments: TryLeasesArguments) -> None:
    from drills.probes.acceptance import tried
    from drills.probes.leases import given_leases

    with contextlib.closing(given_leases(scene.stage, scene.journal, "try")) as leases:
        for given in itertools.islice(leases, arguments.leases):
            if given:
                tried(scene, given, "try")
            scene.pause(0)


STEP = StepKind(
    "try_leases", TryLeasesArguments, _perform, "asks for leases and presents each at the relay that it names"
)

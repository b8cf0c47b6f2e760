"""sample_leases: ask for many leases under many names, to see which relays newcomers are sent to."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drills.faults.base import Arguments
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene


class SampleLeasesArguments(Arguments):
    """How many leases are asked for."""

    leases: Annotated[int, Field(ge=1, le=1000)]


def _perform(scene: Scene, arguments: SampleLeasesArguments) -> None:
    from drills.probes.leases import given_leases

    with contextlib.closing(given_leases(scene.stage, scene.journal, "sample")) as leases:
        for _ in itertools.islice(leases, arguments.leases):
            scene.pause(0)


STEP = StepKind(
    "sample_leases", SampleLeasesArguments, _perform, "ask for leases under many names, to see where newcomers are sent"
)

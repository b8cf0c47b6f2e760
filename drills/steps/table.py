"""Every step by its name in a scenario. Adding one is a file beside this and a line here."""

from __future__ import annotations

from drills.steps import await_back, await_forgotten, await_reregistration, empty, hold, sample_leases
from drills.steps.base import StepKind

STEPS: dict[str, StepKind] = {
    step.name: step
    for step in (
        hold.STEP,
        sample_leases.STEP,
        await_reregistration.STEP,
        await_forgotten.STEP,
        empty.STEP,
        await_back.STEP,
    )
}

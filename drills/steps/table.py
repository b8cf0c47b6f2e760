"""Every step by its name in a scenario. Adding one is a file beside this and a line here."""

from __future__ import annotations

from drills.steps import (
    await_back,
    await_gateway,
    await_reregistration,
    check_accounts,
    empty,
    hold,
    know_accounts,
    rebind_half_open,
    sample_leases,
)
from drills.steps.base import StepKind

STEPS: dict[str, StepKind] = {
    step.name: step
    for step in (
        hold.STEP,
        sample_leases.STEP,
        await_reregistration.STEP,
        empty.STEP,
        await_back.STEP,
        await_gateway.STEP,
        know_accounts.STEP,
        check_accounts.STEP,
        rebind_half_open.STEP,
    )
}

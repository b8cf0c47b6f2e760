"""Every step by its name in a scenario. Adding one is a file beside this and a line here."""

from __future__ import annotations

from drills.steps import (
    await_back,
    await_reregistration,
    empty,
    hold,
    judge_candidate,
    log_in_account,
    make_account,
    sample_leases,
    verify_releases,
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
        make_account.STEP,
        log_in_account.STEP,
        judge_candidate.STEP,
        verify_releases.STEP,
    )
}

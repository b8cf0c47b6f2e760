"""Every step by its name in a scenario. Adding one is a file beside this and a line here."""

from __future__ import annotations

from drills.steps import (
    await_back,
    await_forgotten,
    await_fresh_lease,
    await_gateway,
    await_master_whole,
    await_reregistration,
    await_sockets_let_go,
    back_up,
    check_accounts,
    empty,
    hold,
    judge_candidate,
    keep_writing,
    know_accounts,
    log_in_account,
    make_account,
    make_witnesses,
    prove_restore,
    rebind_half_open,
    restore,
    sample_leases,
    try_leases,
    try_second_factor,
    verify_releases,
    watch_storage,
)
from drills.steps.base import StepKind

STEPS: dict[str, StepKind] = {
    step.name: step
    for step in (
        hold.STEP,
        sample_leases.STEP,
        try_leases.STEP,
        await_reregistration.STEP,
        await_sockets_let_go.STEP,
        empty.STEP,
        await_back.STEP,
        await_master_whole.STEP,
        await_fresh_lease.STEP,
        make_witnesses.STEP,
        keep_writing.STEP,
        back_up.STEP,
        restore.STEP,
        prove_restore.STEP,
        try_second_factor.STEP,
        watch_storage.STEP,
        make_account.STEP,
        log_in_account.STEP,
        judge_candidate.STEP,
        verify_releases.STEP,
        await_forgotten.STEP,
        await_gateway.STEP,
        know_accounts.STEP,
        check_accounts.STEP,
        rebind_half_open.STEP,
    )
}

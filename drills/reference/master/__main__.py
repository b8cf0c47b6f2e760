"""``python -m drills.reference.master``: the reference master, with wavry-master's command line and environment.

Exit codes: 0 asked to end, 1 start refused (one line on stderr), 2 a flag, defect or divisor not understood.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

from drills.reference.defects import Defects
from drills.reference.master import log, settings, state_file
from drills.reference.master.master import Master
from drills.reference.master.memory import Memory
from drills.reference.master.server import serve
from drills.reference.master.settings import StartRefused
from drills.reference.master.signer import Signer
from drills.reference.timers import Timers
from drills.wavry.lease import SigningKey

LATE_HEARTBEATS = 12  # of the defect master_returns_late
ONLY_AFTER_A_RESTART = ("master_takes_one_relay_back", "master_returns_with_new_key")


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a master; the exit code."""
    try:
        defects = Defects.from_environment(environment)
        timers = Timers.from_environment(environment)
    except ValueError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    try:
        master = _assembled(arguments, environment, timers, defects)
        if defects.on("master_returns_late"):
            time.sleep(LATE_HEARTBEATS * timers.heartbeat_s)
        asyncio.run(serve(master))
    except StartRefused as refusal:
        print(f"Error: {refusal}", file=sys.stderr)
        return 1
    return 0


def _assembled(arguments: Sequence[str], environment: Mapping[str, str], timers: Timers, defects: Defects) -> Master:
    told = settings.read(arguments, environment, in_container=_in_container(environment))
    memory = _memory(told.state_file, defects)
    signer = _signer(environment, defects, memory.restarted)
    log.start(told.log_level)
    log.log.info(
        "master signing key id=%s lease_ttl_secs=%d provisioned_key=%s",
        signer.key_id,
        signer.lease_ttl.total_seconds(),
        str(signer.provisioned).lower(),
    )
    return Master.assembled(told, timers, signer, memory, defects, Random())


def _signer(environment: Mapping[str, str], defects: Defects, restarted: bool) -> Signer:
    """The signing key as it is provisioned, or as a defect has it."""
    signer = settings.signer(environment)
    if defects.on("master_changes_its_key_id"):
        return replace(signer, key_id=f"{signer.key_id}-{secrets.token_hex(2)}")
    if restarted and defects.on("master_returns_with_new_key"):
        key = SigningKey.generate()
        return replace(signer, key=key, key_id=key.key_id)
    return signer


def _memory(path: Path | None, defects: Defects) -> Memory:
    """What operators said before the restart; an unreadable file is a reason not to start (D-04)."""
    if path is None:
        return Memory()
    try:
        remembered = state_file.load(path)
        if defects.on("master_forgets_drains_on_restart"):
            remembered = replace(remembered, holds={})
        return Memory(remembered, partial(state_file.save, path), restarted=_ran_before(path, defects))
    except state_file.StateFileUnreadable as error:
        raise StartRefused(str(error)) from None


def _ran_before(state_file: Path, defects: Defects) -> bool:
    """Whether a master with this state file was started before; noted only for the defects that must know."""
    if not any(defects.on(name) for name in ONLY_AFTER_A_RESTART):
        return False
    mark = state_file.with_suffix(".started")
    before = mark.exists()
    mark.touch()
    return before


def _in_container(environment: Mapping[str, str]) -> bool:
    """By the three signs of contract §2.2."""
    signs = (Path("/.dockerenv"), Path("/run/.containerenv"))
    return "container" in environment or any(sign.exists() for sign in signs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

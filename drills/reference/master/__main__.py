"""``python -m drills.reference.master``: the reference master, with wavry-master's command line and environment.

Exit codes: 0 asked to end, 1 start refused (one line on stderr), 2 a flag, defect or divisor not understood.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random

from drills.reference.defects import Defects
from drills.reference.master import log, settings, state_file
from drills.reference.master.master import Master
from drills.reference.master.memory import Memory
from drills.reference.master.server import serve
from drills.reference.master.settings import StartRefused
from drills.reference.timers import Timers


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
        asyncio.run(serve(master))
    except StartRefused as refusal:
        print(f"Error: {refusal}", file=sys.stderr)
        return 1
    return 0


def _assembled(arguments: Sequence[str], environment: Mapping[str, str], timers: Timers, defects: Defects) -> Master:
    told = settings.read(arguments, environment, in_container=_in_container(environment))
    signer = settings.signer(environment)
    memory = _memory(told.state_file)
    log.start(told.log_level)
    log.log.info(
        "master signing key id=%s lease_ttl_secs=%d provisioned_key=%s",
        signer.key_id,
        signer.lease_ttl.total_seconds(),
        str(signer.provisioned).lower(),
    )
    return Master.assembled(told, timers, signer, memory, defects, Random())


def _memory(path: Path | None) -> Memory:
    """What operators said before the restart; an unreadable file is a reason not to start (D-04)."""
    if path is None:
        return Memory()
    try:
        return Memory(state_file.load(path), partial(state_file.save, path))
    except state_file.StateFileUnreadable as error:
        raise StartRefused(str(error)) from None


def _in_container(environment: Mapping[str, str]) -> bool:
    """By the three signs of contract §2.2."""
    signs = (Path("/.dockerenv"), Path("/run/.containerenv"))
    return "container" in environment or any(sign.exists() for sign in signs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

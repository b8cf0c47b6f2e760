"""Every fault by its name in a scenario. Adding one is a file beside this and a line here."""

from __future__ import annotations

from drills.faults import black_hole, crash, down, drain, kill, latency, pause, restart, stop, upgrade
from drills.faults.base import Fault

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        drain.FAULT,
        stop.FAULT,
        kill.FAULT,
        crash.FAULT,
        restart.FAULT,
        pause.FAULT,
        latency.FAULT,
        black_hole.FAULT,
        down.FAULT,
        upgrade.FAULT,
    )
}

"""Every fault by its name in a scenario. Adding one is a file beside this and a line here."""

from __future__ import annotations

from drills.faults import (
    black_hole,
    crash,
    down,
    drain,
    kill,
    latency,
    pause,
    restart,
    rotate_key,
    stop,
    totp_key_lost,
    udp_blackhole,
    udp_duplicate,
    udp_latency,
    udp_loss,
    udp_rebind,
    upgrade,
    volume_destroyed,
    volume_lost,
    volume_read_only,
)
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
        rotate_key.FAULT,
        latency.FAULT,
        black_hole.FAULT,
        down.FAULT,
        volume_destroyed.FAULT,
        volume_lost.FAULT,
        volume_read_only.FAULT,
        totp_key_lost.FAULT,
        upgrade.FAULT,
        udp_loss.FAULT,
        udp_latency.FAULT,
        udp_duplicate.FAULT,
        udp_blackhole.FAULT,
        udp_rebind.FAULT,
    )
}

"""Every fault by its name in a scenario. Adding one is a file beside this and a line here."""

from __future__ import annotations

from drills.faults import (
    bandwidth,
    black_hole,
    crash,
    direct_blocked,
    down,
    drain,
    kill,
    latency,
    limit_data,
    pause,
    reset_peer,
    restart,
    rotate_key,
    slicer,
    slow_close,
    stop,
    timeout,
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
        bandwidth.FAULT,
        slicer.FAULT,
        black_hole.FAULT,
        timeout.FAULT,
        reset_peer.FAULT,
        slow_close.FAULT,
        limit_data.FAULT,
        down.FAULT,
        direct_blocked.FAULT,
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

"""The generator's own process, as the benchmark ``pump`` starts it: ``python -m drills.bench.pump_child`` SETTINGS.

Everything is set up by the load worker's own code (``made_world``): patched by gevent, frozen for the collector, at the
worker's priority, its samples flushed to Parquet by its native thread, its witness writing once a second. Only what a
session does before its first packet is left out: the two ends of each session send straight to each other's socket, so
that no relay is measured along. The whole process, its threads included, stays on one CPU.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

import gevent

from drills.bench.machine import stolen_s
from drills.bench.pump_settings import Flow, Measured
from drills.load import worker
from drills.load.pump import Media, Pump, client_end, host_end
from drills.load.settings import ADDRESSES_A_WORKER, LoadSettings
from drills.load.users import World
from drills.measures.packets import read_packets

RAMP_S = 1.0  # sessions begin within this time, at moments of their own as sessions do
SETTLED_S = 1.0
ALONE_S = 0.5


def settings_of(flow: Flow) -> LoadSettings:
    """What a worker of a drill without a control plane would be told."""
    return LoadSettings(
        gateway="", master="", ends_first=flow.ends_first, ends_addresses=ADDRESSES_A_WORKER, control_host="",
        resident=0, visitors=0, workers=1, resident_length_s=(0.0, 0.0), visit_length_s=0.0, renew_every_s=0.0,
        inputs_per_s=flow.per_s, frames_per_s=flow.per_s, seed=1, run_folder=flow.folder,
    )  # fmt: skip


def measured(flow: Flow) -> Measured:
    """Let the sessions flow and say what became of their packets."""
    alone_ms = _machine_alone_ms()
    (Path(flow.folder) / "samples").mkdir(parents=True)
    worker._favoured()
    worker.made_world(settings_of(flow), 0)
    pump, samples = World.live.pump, World.samples
    sessions = _started(pump, flow)
    gevent.sleep(SETTLED_S)
    before = _used()
    gevent.sleep(flow.seconds)
    after = _used()
    for media in sessions:
        media.flowing = False
    gevent.sleep(SETTLED_S / 2)
    pump.stop()
    while samples.pending:
        samples.flush(settled_before_ns=time.monotonic_ns() + 1)
    for media in sessions:
        pump.remove(media.client)
        pump.remove(media.host)
    return _summed(flow, before, after, pump.own_drops, alone_ms)


def _started(pump: Pump, flow: Flow) -> list[Media]:
    """Every session's two ends, each pointed at the other's socket, begun at random moments of the ramp."""
    chance = random.Random(1)
    found = []
    for number in range(1, flow.sessions + 1):
        own = World.settings.end_address
        media = Media(number, client_end(own(0, 2 * number)), host_end(own(0, 2 * number + 1)))
        for end in (media.client, media.host):
            pump.add(end)
        session = UUID(int=number)
        pump.point(media.client, media.host.sock.getsockname(), session)
        pump.point(media.host, media.client.sock.getsockname(), session)
        gevent.sleep(2 * chance.random() * RAMP_S / flow.sessions)
        pump.start(media, flow.per_s, flow.per_s)
        found.append(media)
    return found


def _used() -> dict[str, float]:
    """The monotonic clock, and in s: CPU time of this process, how long its first thread waited, what was stolen."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    waited_ns = int(Path(f"/proc/self/task/{os.getpid()}/schedstat").read_text().split()[1])
    return {"ns": time.monotonic_ns(), "cpu_s": usage.ru_utime + usage.ru_stime, "waited_s": waited_ns / 1e9,
            "stolen_s": stolen_s(f"cpu{min(os.sched_getaffinity(0))}")}  # fmt: skip


def _machine_alone_ms() -> float:
    """How late this CPU wakes a process that does nothing but sleep a millisecond at a time, at p99: the floor."""
    late = []
    until = time.monotonic() + ALONE_S
    while (now := time.monotonic()) < until:
        gevent.sleep(0.001)
        late.append(time.monotonic() - now - 0.001)
    return sorted(late)[int(0.99 * (len(late) - 1))] * 1e3


def _summed(flow: Flow, before: dict[str, float], after: dict[str, float], drops: int, alone_ms: float) -> Measured:
    import numpy

    packets = read_packets(Path(flow.folder) / "samples")
    mine = packets.where((packets.intended_ns >= before["ns"]) & (packets.intended_ns < after["ns"]))
    sent = mine.where(mine.sent_ns > 0)
    late_ms = (sent.sent_ns - sent.intended_ns) / 1e6
    took_ms = (sent.received_ns - sent.sent_ns)[sent.received_ns > 0] / 1e6
    quantiles: Any = numpy.quantile(late_ms, [0.5, 0.99, 0.999, 1.0], method="higher")
    wall_s = (after["ns"] - before["ns"]) / 1e9
    return Measured(
        sessions=flow.sessions, packets=len(mine), per_s=len(mine) / wall_s, late_ms_p50=float(quantiles[0]),
        late_ms_p99=float(quantiles[1]), late_ms_p999=float(quantiles[2]), late_ms_max=float(quantiles[3]),
        read_ms_p99=float(numpy.quantile(took_ms, 0.99, method="higher")), skipped=len(mine) - len(sent),
        lost=int((sent.received_ns == 0).sum()), own_drops=drops,
        cpu_share=(after["cpu_s"] - before["cpu_s"]) / wall_s,
        cpu_us_a_packet=(after["cpu_s"] - before["cpu_s"]) * 1e6 / len(mine),
        waited_ms_a_s=(after["waited_s"] - before["waited_s"]) * 1e3 / wall_s,
        stolen_ms_a_s=(after["stolen_s"] - before["stolen_s"]) * 1e3 / wall_s, alone_ms_p99=alone_ms,
    )  # fmt: skip


def main() -> None:
    """One measurement; its figures as one line of JSON on standard output."""
    flow = Flow(**json.loads(sys.argv[1]))
    os.sched_setaffinity(0, {flow.cpu})
    print(json.dumps(asdict(measured(flow))), flush=True)


if __name__ == "__main__":
    main()

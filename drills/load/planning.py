"""How many visitors and which lengths a drill's load needs, at the pace of its target."""

from __future__ import annotations

from pathlib import Path

from drills.errors import BadInput
from drills.load.settings import ADDRESSES_A_WORKER, DOORS_FIRST, ENDS_AN_ADDRESS, LoadSettings
from drills.scenario.durations import Duration
from drills.scenario.models import WINDOWS, Scenario
from drills.stage.base import Stage
from drills.story import least_length_s

VISITORS_SLACK = 1.45  # how many times more visitors than visits at a time
SETUP_GUESS_S = 1.0  # how long a set-up may take before visitors run short
LEAST_ADDRESSES = 64  # of each worker: below that many ends each has an address of its own


def load_settings(
    scenario: Scenario, stage: Stage, factor: int, seed: int, folder: Path | None, *, path_s: float = 0.0,
    round_trip_s: float = 0.0,
) -> LoadSettings:  # fmt: skip
    """What the load's processes are told; ``factor`` is the tier's evidence factor.

    Raises BadInput where there are more ends than addresses for them.
    """
    load, beat = scenario.load, stage.heartbeat_s
    people = visitors(scenario, beat, factor)
    ends = 2 * -(-(load.resident + people) // load.workers)  # of each worker
    addresses = min(ADDRESSES_A_WORKER, max(LEAST_ADDRESSES, -(-ends // ENDS_AN_ADDRESS)))
    if ends > addresses * ENDS_AN_ADDRESS:
        pairs = f"{load.resident} residents and {people} visitors"
        raise BadInput(f"{scenario.path}: load.workers: found {load.workers} for {pairs}, expected at most "
                       f"{ADDRESSES_A_WORKER * ENDS_AN_ADDRESS // 2} pairs a worker")  # fmt: skip
    return LoadSettings(
        gateway=stage.proxied("ends_to_gateway"), master=stage.proxied("ends_to_master"),
        ends_first=stage.block.ends_first, ends_addresses=addresses, control_host=stage.control_host(),
        resident=load.resident, visitors=people, workers=load.workers,
        resident_length_s=(load.resident_length.shortest.in_s(beat), load.resident_length.longest.in_s(beat)),
        visit_length_s=load.visit_length.in_s(beat), renew_every_s=load.renew_every.in_s(beat),
        inputs_per_s=load.inputs_per_s, frames_per_s=load.frames_per_s, seed=seed,
        run_folder=str(folder) if folder else None, detours=stage.detours(), direct=_direct(scenario, stage),
        path_s=path_s, round_trip_s=round_trip_s,
    )  # fmt: skip


def _direct(scenario: Scenario, stage: Stage) -> str:
    """The first door of the direct path, empty where that is closed."""
    if scenario.load.direct_path == "closed" or stage.udp_proxy is None:
        return ""
    return f"{stage.udp_proxy.host}:{DOORS_FIRST}"


def visitors(scenario: Scenario, heartbeat_s: float, factor: int) -> int:
    """Enough visitors that one is always free when a visit is due, with room for slow set-ups."""
    load = scenario.load
    if not load.visits_per_window:
        return 0
    densest = densest_visits_per_s(scenario, heartbeat_s, factor)
    at_a_time = densest * (load.visit_length.in_s(heartbeat_s) + SETUP_GUESS_S)
    return max(load.workers, round(VISITORS_SLACK * at_a_time))


def window_length_s(scenario: Scenario, window: str, heartbeat_s: float, factor: int) -> float:
    """How long a window lasts; for the fault window, whose steps also wait for things, at the very least."""
    if window == "fault":
        return least_length_s(scenario.fault, heartbeat_s)
    length: Duration = getattr(scenario.windows, window)
    return length.in_s(heartbeat_s) * factor


def visits_per_s(scenario: Scenario, window: str, heartbeat_s: float, factor: int) -> float:
    """How many visits a second there are in a window, so that it has its number of them.

    A story is longer than its steps say outright; its visits are never denser than those of calm.
    """
    visits = scenario.load.visits_per_window * factor
    lengths = [window_length_s(scenario, name, heartbeat_s, factor) for name in (window, "calm")]
    return visits / max(lengths) if max(lengths) else 0.0


def densest_visits_per_s(scenario: Scenario, heartbeat_s: float, factor: int = 1) -> float:
    """How many visits a second there are where they are densest, which is what a drill costs a machine."""
    return max(visits_per_s(scenario, window, heartbeat_s, factor) for window in WINDOWS)

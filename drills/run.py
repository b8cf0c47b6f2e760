"""The one place that knows the order: raise the stage, let load flow, calm, fault, recovery, lower the stage.

Everything written goes into the run's folder; nothing is judged here.
"""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

from drills import story
from drills.catalogue import SCENARIOS
from drills.errors import CannotRun, Interrupted
from drills.faults.network import networked
from drills.faults.table import FAULTS
from drills.load.control import LocustLoad
from drills.load.planning import load_settings, visits_per_s, window_length_s
from drills.look_around import LookAround
from drills.measures.generator import AFTERMATH_NS
from drills.options import Options
from drills.paths.canaries import flying
from drills.paths.floor import floors, thinned
from drills.probes.follower import Follower
from drills.probes.relays import current_relay_id
from drills.probes.watch import watched
from drills.provenance import write_provenance
from drills.record import Journal
from drills.scenario.models import WINDOWS, Scenario
from drills.scenario.networks import named_network
from drills.scenario.tiers import Tiers
from drills.scene import Scene
from drills.signals import Signals
from drills.stage import choice, leftovers, priority
from drills.stage.base import UDP_PROXY, Stage
from drills.stage.children import sweep
from drills.stage.compose import Compose
from drills.wavry.errors import WireError
from drills.way_out import Closing

FLOWING_S = 40.0
TURN_S = 1200.0  # the rest of one drill and another whole one, lowered and judged, take half of that
LOCK_TRIES = 40
# Everybody is there; let the first sends spread before calm begins, and what our load stood still until it came forward
# be further away than a short stop that counts for calm (NEAR_NS in drills/measures/generator.py).
WARM_S = 0.8
SETTLE_S = 0.6  # after the last window: ending all sessions makes our load stand still, which must not count for it


@dataclass(frozen=True)
class Turn:
    """How a run gets along with another one on the same machine, until it is measured itself."""

    gives_way: bool = False  # what it starts leaves the CPUs to the other one, where that can be had
    has_come: Callable[[], bool] = lambda: True  # asked once everybody is there, until it says so


class Pursuit(Protocol):
    """What a run is after, where it is not after the whole drill: when it may stop (drills/teeth/pursuit.py)."""

    def pause(self, scene: Scene, window: str, length_s: float) -> None:
        """Let a window go by that would last so long in the whole drill."""

    def glancing(self, scene: Scene) -> contextlib.AbstractContextManager[None]:
        """While the story is told: it may be ended where the rest of it adds nothing."""

    def over(self, scene: Scene, window: str) -> str:
        """Why the windows after this one add nothing; empty where they do."""

    @property
    def ends_promptly(self) -> bool:
        """Whether nothing is asked for any more of what is under way when the run is stopped."""


def run_folder(out: Path, drill: str) -> Path:
    """A new folder for one run: reports/2026-11/relay_drain/20261103T140000-1a2b (UTC)."""
    now = datetime.now(UTC)
    parent = out / f"{now:%Y-%m}" / drill
    for _ in range(100):
        folder = (parent / f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}").resolve()
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise CannotRun(f"{folder}: cannot be made: {error.strerror}; name another folder with --out") from None
        return folder
    raise CannotRun(f"no new folder could be made in {parent}")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[IO[str]]:
    """The run's lock, held for life: whoever finds it free may take the run for dead."""
    with (folder / "lock").open("w") as lock:
        for _ in range(LOCK_TRIES):  # somebody's `drills recover` may be looking at it for an instant
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(0.05)
        else:
            raise CannotRun(f"{folder}: somebody else holds the lock of this new run")
        yield lock


def run_drill(
    scenario: Scenario, compose: Compose, tiers: Tiers, options: Options, say: Callable[[str], None], signals: Signals,
    *, folder: Path | None = None, pursuit: Pursuit | None = None, turn: Turn | None = None,
    look_around: LookAround | None = None,
) -> Path:  # fmt: skip
    """Rehearse one drill and return the folder of its record (a new one, where none is given).

    Raises CannotRun where the drill could not be run; an interrupted run returns normally, its record says so.
    """
    folder = folder or run_folder(options.out, scenario.name)
    journal = Journal(folder / "journal.jsonl")
    with locked(folder):
        (folder / "scenario.yaml").write_text(scenario.text, encoding="utf-8")
        priority.prompt()
        try:
            _rehearse(
                scenario, compose, tiers, options, say, signals, folder, journal, pursuit, turn or Turn(), look_around
            )  # fmt: skip
        except Interrupted as error:
            journal.write("run.interrupted", signal=error.signal_name)
            say(f"{scenario.name}: interrupted by {error.signal_name}; mended and removed")
        except BaseException as error:
            journal.write("run.failed", error=f"{type(error).__name__}: {error}")
            raise
        finally:
            journal.write("run.ended")
            journal.close()
    return folder


def _rehearse(
    scenario: Scenario, compose: Compose, tiers: Tiers, options: Options, say: Callable[[str], None], signals: Signals,
    folder: Path, journal: Journal, pursuit: Pursuit | None, turn: Turn, look_around: LookAround | None,
) -> None:  # fmt: skip
    stack = contextlib.ExitStack()

    def lowering_failed(error: BaseException) -> None:
        journal.write("lowering.failed", error=f"{type(error).__name__}: {error}")

    closing = Closing(stack, signals, lowering_failed)
    with closing, closing:
        stack.callback(_clear_undo, folder)  # once the stage is gone, nothing is broken any more
        stack.callback(sweep, folder)  # last of all: whatever carries this run's mark and was never noted
        network = named_network(SCENARIOS, options.network, "--network") if options.network else None
        under = floors(network, scenario)
        scenario = thinned(scenario) if network else scenario
        services = scenario.services + (compose.of_kind(UDP_PROXY) if network or on_udp_paths(scenario) else ())
        stage = stack.enter_context(choice.stage_of(options, compose, services, folder, signals, say,
                                                    upgrades="upgrade" in story.faults_of(scenario.fault)))  # fmt: skip
        settings = load_settings(scenario, stage, tiers.evidence[options.tier], options.seed, folder,
                                 path_s=max(floor.way_ms for floor in under.values()) / 1000,
                                 round_trip_s=max(floor.round_trip_ms for floor in under.values()) / 1000)  # fmt: skip
        stage.plan_load(settings)
        stage.gives_way = turn.gives_way and priority.may_be_raised_beside(stage.name)
        (folder / "samples").mkdir(exist_ok=True)
        write_provenance(scenario, stage, tiers, options, settings, folder, under)
        planned_s = {window: window_length_s(scenario, window, stage.heartbeat_s, tiers.evidence[options.tier])
                     for window in WINDOWS}  # fmt: skip
        journal.write("run.started", drill=scenario.name, run=folder.name, target=options.target, tier=options.tier,
                      stage=stage.name, pace=options.pace, planned_s=planned_s)  # fmt: skip
        story.announce(scenario.fault, journal)
        follower = stack.enter_context(Follower(folder / "journal.jsonl"))
        say(f"{scenario.name}: raising the stage ({options.target}, {stage.name} on {stage.block.network})")
        stack.callback(_note_lowered, stage, journal)
        stack.enter_context(stage.standing())
        held = stack.enter_context(contextlib.ExitStack())  # left once nothing is watched any more
        _note_services(stage, journal)
        load = stack.enter_context(LocustLoad(settings, stage).connected())
        stack.enter_context(watched(stage, journal))
        scene = Scene(stage, load, settings, journal, folder, stage.heartbeat_s, signals, follower)
        scene.canaries = stack.enter_context(flying(stage, journal))
        if network:
            say(f"{scenario.name}: under {network.name}: {network.what}")
        stack.enter_context(networked(scene, network))
        _let_flow(scene, say, scenario.name)
        _await_turn(scene, turn)
        stage.come_forward()
        warm_up(scene, whole=pursuit is None)
        early = _windows(scene, scenario, tiers, options, say, pursuit)
        scene.pause(SETTLE_S + 2 * settings.path_s)
        load.finish(promptly=bool(early and pursuit and pursuit.ends_promptly))
        stage.step_back()  # not before: a load that gave way would stand still, near enough to a window to count
        held.callback(say, f"{scenario.name}: lowering the stage")
        if look_around:
            held.callback(look_around, stage, folder, journal, signals, say)


def on_udp_paths(scenario: Scenario) -> bool:
    """Whether a drill does anything to what ends and relays say to each other, or ends among themselves."""
    direct = scenario.load.direct_path == "open"
    return direct or any(FAULTS[fault].on == "path" for fault in story.faults_of(scenario.fault))


def _note_lowered(stage: Stage, journal: Journal) -> None:
    journal.write("stage.lowered", took_s=round(stage.lowered_s, 3))


def _note_services(stage: Stage, journal: Journal) -> None:
    """Write down what stands there: processes, addresses, the proxy's version, the relays' ids, how long it took."""
    ready_s = {name: round(seconds, 3) for name, seconds in stage.ready_s.items()}
    journal.write("stage.raised", stage=stage.name, took_s=round(stage.raised_s, 3), services_ready_s=ready_s)
    for service in stage.services.values():
        pid = service.running.pid if service.running else None
        journal.write("service.ready", service=service.name, pid=pid, address=service.address, kind=service.kind,
                      version=stage.version(service.name), release=service.release.tag)  # fmt: skip
    journal.write("toxiproxy.version", version=stage.toxiproxy.version())
    try:
        for name in stage.relays():
            journal.write("relay.known", service=name, relay_id=current_relay_id(stage, name))
    except WireError as error:
        raise CannotRun(f"a relay does not tell its id: {error}") from error


def _let_flow(scene: Scene, say: Callable[[str], None], name: str) -> None:
    """Accounts are made, residents' sessions come up; returns when all of them flow."""
    settings, follower = scene.load_settings, scene.follower
    scene.load.start()
    say(f"{name}: making {2 * settings.population} accounts, "
        f"starting {settings.resident} resident sessions")  # fmt: skip
    deadline = time.monotonic() + FLOWING_S
    announced = False
    while len(follower.established) < settings.resident or sum(follower.accounts.values()) < settings.population:
        if follower.first_packet_seen and not announced:
            announced = True
            say(f"{name}: first packets flow")
        if time.monotonic() > deadline:
            seen = f"{len(follower.established)} of {settings.resident} sessions flow; last: {follower.errors[-1:]}"
            raise CannotRun(f"the load did not come up within {FLOWING_S:g} s: {seen}")
        scene.load.check_alive()
        follower.check_alive()
        scene.pause(0.05)


def _await_turn(scene: Scene, turn: Turn) -> None:
    """Another run is being measured until then; raises CannotRun where nobody ever says that it is over."""
    scene.journal.write("run.ready")
    deadline = time.monotonic() + TURN_S
    while not turn.has_come():
        if time.monotonic() > deadline:
            raise CannotRun(f"its turn had not come after {TURN_S:g} s")
        scene.load.check_alive()
        scene.follower.check_alive()
        scene.pause(0.05)


def warm_up(scene: Scene, *, whole: bool) -> None:
    """Let what our load was like until it came forward bear on nothing in calm.

    Before a whole run, which may have to hold, that is also what sessions do about a long stop, such as one that gives
    way can have; what is after a defect is broken all the same, or run again.
    """
    scene.pause(WARM_S)
    since_ns = scene.now_ns() - scene.follower.long_stop_ended_ns
    if whole and since_ns < AFTERMATH_NS:
        scene.pause((AFTERMATH_NS - since_ns) / 1e9)


def _windows(
    scene: Scene, scenario: Scenario, tiers: Tiers, options: Options, say: Callable[[str], None],
    pursuit: Pursuit | None,
) -> bool:  # fmt: skip
    """All windows, or those that the pursuit wants to see; returns whether it has ended them early."""
    reason = ""
    factor = tiers.evidence[options.tier]
    for window in WINDOWS:
        told = window == "fault"
        length_s = window_length_s(scenario, window, scene.heartbeat_s, factor)
        per_s = visits_per_s(scenario, window, scene.heartbeat_s, factor)
        longer = " or longer" if told else ""
        say(f"{scenario.name}: {window}, {length_s:.0f} s{longer}, {per_s:.1f} visits a second")
        scene.load.visits(per_s)
        # an input that was due in the window before, and the frame that shows it, are not to meet this one on their way
        scene.pause(2 * scene.load_settings.path_s)
        scene.journal.write("window.opened", window=window)
        try:
            if told:
                with pursuit.glancing(scene) if pursuit else contextlib.nullcontext():
                    story.told(scene, scenario, say)
            elif pursuit:
                pursuit.pause(scene, window, length_s)
            else:
                scene.pause(length_s)
        finally:
            scene.journal.write("window.closed", window=window)
        scene.load.check_alive()
        if pursuit and (reason := pursuit.over(scene, window)):
            scene.journal.write("run.stopped_early", after=window, reason=reason)
            say(f"{scenario.name}: stopped after {window}: {reason}")
            break
    scene.load.visits(0.0)
    return bool(reason)


def _clear_undo(folder: Path) -> None:
    if leftovers.noted(folder):  # the engine would not let the stage go
        return
    for note in (folder / "undo").glob("*.json"):
        note.unlink()

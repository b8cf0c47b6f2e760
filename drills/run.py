"""The one place that knows the order: raise the stage, let load flow, calm, fault, recovery, lower the stage.

Everything written goes into the run's folder; nothing is judged here.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import platform
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO

from drills import __version__
from drills.errors import BadInput, CannotRun, Interrupted
from drills.faults.table import FAULTS
from drills.load.control import LocustLoad, hand_environment
from drills.load.settings import LoadSettings
from drills.probes.follower import Follower
from drills.probes.watch import watched
from drills.record import Journal, now_text
from drills.scenario.models import Action, Scenario, Step
from drills.scenario.tiers import Tiers
from drills.scene import Scene, StoryStopped
from drills.signals import Signals
from drills.stage import addresses
from drills.stage.compose import Compose
from drills.stage.processes import REPOSITORY, ProcessStage, Target
from drills.steps.table import STEPS

FLOWING_S = 40.0
WARM_S = 0.5  # everybody is there; let the first sends spread before calm begins
VISITORS_SLACK = 1.45  # how many times more visitors than visits at a time
SETUP_GUESS_S = 0.6  # how long a set-up may take before visitors run short


@dataclass(frozen=True)
class Options:
    """How a drill is to be run; the command line's and pytest's options."""

    target: str = "reference"
    stage: str = "processes"
    tier: str = "stage"
    pace: str = "real"
    seed: int = 1
    defects: tuple[str, ...] = ()
    out: Path = REPOSITORY / "reports"
    command: str = ""
    suite: str = ""

    def check(self) -> None:
        """Raises BadInput where the options do not go together (design §6, Pace)."""
        if self.target == "wavry" and self.pace == "fast":
            raise BadInput("--pace: found fast with --target wavry, expected real: Wavry's timers cannot be set")
        if self.target == "wavry" and self.defects:
            raise BadInput(f"--defect: found {', '.join(self.defects)} with --target wavry, expected --target reference")


def run_folder(out: Path, drill: str) -> Path:
    """A new folder for one run: reports/2026-11/relay_drain/20261103T140000-1a2b (UTC)."""
    now = datetime.now(UTC)
    parent = out / f"{now:%Y-%m}" / drill
    for _ in range(100):
        folder = (parent / f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}").absolute()
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise CannotRun(f"no new folder could be made in {parent}")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[IO[str]]:
    """The run's lock, held for life: whoever finds it free may take the run for dead."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock


def run_drill(
    scenario: Scenario, compose: Compose, tiers: Tiers, options: Options, say: Callable[[str], None], signals: Signals
) -> Path:  # fmt: skip
    """Rehearse one drill and return the folder of its record.

    Raises CannotRun where the drill could not be run; an interrupted run returns normally, its record says so.
    """
    folder = run_folder(options.out, scenario.name)
    journal = Journal(folder / "journal.jsonl")
    with locked(folder):
        (folder / "scenario.yaml").write_text(scenario.text, encoding="utf-8")
        try:
            _rehearse(scenario, compose, tiers, options, say, signals, folder, journal)
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
    folder: Path, journal: Journal,
) -> None:  # fmt: skip
    stack = contextlib.ExitStack()
    try:
        block = stack.enter_context(addresses.claimed())
        divisor = 10.0 if options.pace == "fast" else 1.0
        stage = ProcessStage(
            compose, scenario.services, Target.named(options.target), folder, block, divisor=divisor,
            defects=options.defects,
        )  # fmt: skip
        settings = _load_settings(scenario, stage, tiers, options, folder)
        _write_provenance(scenario, stage, tiers, options, settings, folder)
        journal.write("run.started", drill=scenario.name, run=folder.name, target=options.target, tier=options.tier)
        follower = stack.enter_context(Follower(folder / "journal.jsonl"))
        load = stack.enter_context(LocustLoad(settings, folder, stage.children).standing())
        say(f"{scenario.name}: raising the stage ({options.target}, processes on {block.prefix}.0.0)")
        stack.enter_context(stage.standing())
        for service in stage.services.values():
            pid = service.child.pid if service.child else None
            journal.write("service.ready", service=service.name, pid=pid, address=service.address)
        journal.write("toxiproxy.version", version=stage.toxiproxy.version())
        _learn_relays(stage, journal)
        stack.enter_context(watched(stage, journal))
        scene = Scene(stage, load, settings, journal, folder, stage.heartbeat_s, signals, follower)
        _let_flow(scene, say, scenario.name)
        _windows(scene, scenario, tiers, options, say)
        load.finish()
    finally:
        with signals.held():
            say(f"{scenario.name}: lowering the stage")
            stack.close()


def _learn_relays(stage: ProcessStage, journal: Journal) -> None:
    from drills.probes.relays import current_relay_id

    for name in stage.relays():
        journal.write("relay.known", service=name, relay_id=current_relay_id(stage, name))


def _let_flow(scene: Scene, say: Callable[[str], None], name: str) -> None:
    """Accounts are made, residents' sessions come up; returns when all of them flow."""
    settings, follower = scene.load_settings, scene.follower
    scene.load.start()  # type: ignore[attr-defined]  # the runner's own LocustLoad
    say(f"{name}: making {2 * (settings.resident + settings.visitors)} accounts, "
        f"starting {settings.resident} resident sessions")  # fmt: skip
    deadline = time.monotonic() + FLOWING_S
    announced = False
    while len(follower.established) < settings.resident or sum(follower.accounts.values()) < _population(settings):
        if follower.first_packet_seen and not announced:
            announced = True
            say(f"{name}: first packets flow")
        if time.monotonic() > deadline:
            seen = f"{len(follower.established)} of {settings.resident} sessions flow; last: {follower.errors[-1:]}"
            raise CannotRun(f"the load did not come up within {FLOWING_S:g} s: {seen}")
        scene.load.check_alive()  # type: ignore[attr-defined]
        scene.pause(0.05)
    scene.pause(WARM_S)


def _population(settings: LoadSettings) -> int:
    return settings.resident + settings.visitors


def _windows(scene: Scene, scenario: Scenario, tiers: Tiers, options: Options, say: Callable[[str], None]) -> None:
    factor = tiers.evidence[options.tier]
    visits = scenario.load.visits_per_window * factor
    for window, length in (("calm", scenario.windows.calm), ("fault", None), ("recovery", scenario.windows.recovery)):
        length_s = length.in_s(scene.heartbeat_s) * factor if length else least_length_s(scenario.fault, scene)
        per_s = visits / length_s if length_s else 0.0
        say(f"{scenario.name}: {window}, {length_s:.0f} s{' or longer' if not length else ''}, {per_s:.1f} visits a second")
        scene.load.visits(per_s)
        scene.journal.write("window.opened", window=window)
        try:
            if length:
                scene.pause(length_s)
            else:
                _story(scene, scenario, say)
        finally:
            scene.journal.write("window.closed", window=window)
        scene.load.check_alive()  # type: ignore[attr-defined]
    scene.load.visits(0.0)


def _story(scene: Scene, scenario: Scenario, say: Callable[[str], None]) -> None:
    try:
        play(scene, scenario.fault, say, scenario.name)
    except StoryStopped as stopped:
        scene.journal.write("story.stopped", reason=str(stopped))
        say(f"{scenario.name}: the story stops: {stopped}")


def play(scene: Scene, steps: tuple[Step, ...], say: Callable[[str], None], name: str) -> None:
    """The steps in their order; a fault is mended before the step after it begins."""
    for step in steps:
        if isinstance(step, Action):
            say(f"{name}:   {step.name} {_words(step)}")
            scene.journal.write("step.begun", step=step.name)
            STEPS[step.name].perform(scene, step.arguments)
            scene.journal.write("step.done", step=step.name)
            continue
        say(f"{name}:   inject {step.fault} on {step.subject}")
        with FAULTS[step.fault].injected(scene, step.subject, step.arguments):
            if step.lasts:
                scene.pause(step.lasts.in_s(scene.heartbeat_s))
            play(scene, step.steps, say, name)


def _words(step: Action) -> str:
    return ", ".join(f"{key} {value}" for key, value in step.arguments)


def least_length_s(steps: tuple[Step, ...], scene: Scene) -> float:
    """How long the story lasts at the very least: what its steps say outright, without what they wait for."""
    total = 0.0
    for step in steps:
        lasts = step.lasts if not isinstance(step, Action) else getattr(step.arguments, "lasts", None)
        total += lasts.in_s(scene.heartbeat_s) if lasts else 0.0
        total += 0.0 if isinstance(step, Action) else least_length_s(step.steps, scene)
    return total


def _load_settings(
    scenario: Scenario, stage: ProcessStage, tiers: Tiers, options: Options, folder: Path
) -> LoadSettings:
    load, beat = scenario.load, stage.heartbeat_s
    return LoadSettings(
        gateway=stage.proxied("ends_to_gateway"), master=stage.proxied("ends_to_master"),
        ends_prefix=stage.block.prefix, control_host=f"{stage.block.prefix}.2.10", control_port=5557,
        resident=load.resident, visitors=_visitors(scenario, beat, tiers.evidence[options.tier]), workers=load.workers,
        resident_length_s=(load.resident_length.shortest.in_s(beat), load.resident_length.longest.in_s(beat)),
        visit_length_s=load.visit_length.in_s(beat), renew_every_s=load.renew_every.in_s(beat),
        inputs_per_s=load.inputs_per_s, frames_per_s=load.frames_per_s, seed=options.seed, run_folder=str(folder),
    )  # fmt: skip


def _visitors(scenario: Scenario, heartbeat_s: float, factor: int) -> int:
    """Enough visitors that one is always free when a visit is due, with room for slow set-ups."""
    shortest = min(w.in_s(heartbeat_s) for w in (scenario.windows.calm, scenario.windows.recovery))
    per_s = scenario.load.visits_per_window / shortest  # evidence multiplies both alike
    at_a_time = per_s * (scenario.load.visit_length.in_s(heartbeat_s) + SETUP_GUESS_S)
    return max(scenario.load.workers, round(VISITORS_SLACK * at_a_time)) if scenario.load.visits_per_window else 0


def _write_provenance(
    scenario: Scenario, stage: ProcessStage, tiers: Tiers, options: Options, settings: LoadSettings, folder: Path
) -> None:  # fmt: skip
    limits = {f"{service.name}.{key}": value for service in stage.services.values()
              for key, value in service.environment.items() if "LIMIT" in key or "MAX" in key}  # fmt: skip
    facts = {
        "drill": scenario.name, "run": folder.name, "started_at": now_text(), "command": options.command,
        "target": options.target, "stage": stage.name, "tier": options.tier, "pace": options.pace,
        "seed": options.seed, "defects": list(options.defects), "suite": options.suite,
        "heartbeat_s": stage.heartbeat_s, "drills_version": __version__, "commit": _commit(),
        "programs": stage.versions(),         "python": sys.version.split()[0], "platform": platform.platform(), "cpus": _cpus(),
        "libraries": {name: version(name) for name in ("locust", "gevent", "pyarrow", "numpy", "toxiproxy-python")},
        "services": {service.name: {"address": service.address, "command": [service.plan.command[0], *service.command[1:]]}
                     for service in stage.services.values()},
        "limits_in_force": limits,
        "tier_limits": {name: row.limits[options.tier] for name, row in tiers.indicators.items()},
        "load": {"resident": settings.resident, "visitors": settings.visitors, "workers": settings.workers,
                 "evidence_factor": tiers.evidence[options.tier],
                 "resident_length_s": settings.resident_length_s, "visit_length_s": settings.visit_length_s},
        "network": "none (loopback)", "direct_path": scenario.load.direct_path,
    }  # fmt: skip
    (folder / "provenance.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _cpus() -> int:
    import os

    return len(os.sched_getaffinity(0))


def _commit() -> str:
    """The commit of this checkout, marked where files differ from it; `unknown` outside a checkout."""
    git = ["git", "-C", str(REPOSITORY)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, timeout=5)
        dirty = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return (head.stdout.strip() + ("+changes" if dirty.stdout.strip() else "")) or "unknown"




def standing_stage(scenario: Scenario, compose: Compose, tiers: Tiers, options: Options, say: Callable[[str], None]) -> None:
    """Raise a drill's stage without load or faults and leave it standing until a signal comes."""
    folder = run_folder(options.out, ".standing")
    signals = Signals()
    with signals.caught(), locked(folder), contextlib.suppress(Interrupted), contextlib.ExitStack() as stack:
        try:
            block = stack.enter_context(addresses.claimed())
            divisor = 10.0 if options.pace == "fast" else 1.0
            stage = ProcessStage(compose, scenario.services, Target.named(options.target), folder, block,
                                 divisor=divisor, defects=options.defects)  # fmt: skip
            stack.enter_context(stage.standing())
            settings = replace(_load_settings(scenario, stage, tiers, options, folder), run_folder=None, workers=1)
            for name, service in stage.services.items():
                say(f"{name:<10} {stage.http(name)}  log {folder / 'logs' / name}.log" if service.child else name)
            say("to load it by hand, under Locust's web UI on http://127.0.0.1:8089:")
            print(f"{hand_environment(settings)} {sys.executable} -m locust -f drills/load/locustfile.py "
                  f"--web-host 127.0.0.1 -u {_population(settings)} -r 50", flush=True)  # fmt: skip
            say("Ctrl-C lowers the stage")
            while True:
                time.sleep(1.0)
        finally:
            with signals.held():
                stack.close()

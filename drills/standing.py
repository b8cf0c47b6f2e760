"""A stage without load or faults, left standing for a look around or for a load by hand."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from drills.errors import Interrupted
from drills.load.control import hand_environment
from drills.load.planning import load_settings
from drills.options import Options
from drills.run import locked, run_folder
from drills.scenario.models import Scenario
from drills.scenario.tiers import Tiers
from drills.signals import Signals
from drills.stage import addresses
from drills.stage.children import sweep
from drills.stage.compose import Compose
from drills.stage.processes import ProcessStage, Target
from drills.way_out import Closing


def standing_stage(
    scenario: Scenario, compose: Compose, tiers: Tiers, options: Options, say: Callable[[str], None]
) -> None:
    """Raise a drill's stage without load or faults and leave it standing until a signal comes."""
    folder = run_folder(options.out, ".standing")
    signals = Signals()
    stack = contextlib.ExitStack()
    closing = Closing(stack, signals, lambda error: say(f"while lowering: {error}"))
    with signals.caught(), locked(folder), contextlib.suppress(Interrupted), closing, closing:
        stack.callback(sweep, folder)
        block = stack.enter_context(addresses.claimed())
        stage = ProcessStage(compose, scenario.services, Target.named(options.target), folder, block,
                             divisor=options.divisor, defects=options.defects)  # fmt: skip
        stack.enter_context(stage.standing())
        planned = load_settings(scenario, stage, tiers.evidence[options.tier], options.seed, folder)
        settings = replace(planned, run_folder=None, workers=1)
        for name, service in stage.services.items():
            say(f"{name:<10} {stage.http(name)}  log {folder / 'logs' / name}.log" if service.child else name)
        say("to load it by hand, under Locust's web UI on http://127.0.0.1:8089:")
        print(f"{hand_environment(settings)} {sys.executable} -m locust -f drills/load/locustfile.py "
              f"--web-host 127.0.0.1 -u {settings.population} -r 50", flush=True)  # fmt: skip
        say("Ctrl-C lowers the stage")
        while True:
            time.sleep(1.0)

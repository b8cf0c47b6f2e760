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
from drills.load.settings import WEB_PORT, LoadSettings
from drills.look_around import say_addresses
from drills.options import Options
from drills.run import locked, run_folder
from drills.scenario.models import Scenario
from drills.scenario.tiers import Tiers
from drills.signals import Signals
from drills.stage import choice
from drills.stage.base import Stage
from drills.stage.children import sweep
from drills.stage.compose import Compose
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
        stage = stack.enter_context(choice.stage_of(options, compose, scenario.services, folder, signals, say))
        settings = replace(load_settings(scenario, stage, tiers.evidence[options.tier], options.seed, None), workers=1)
        stage.plan_load(settings)
        stack.enter_context(stage.standing())
        say_addresses(stage, folder, say)
        _say_how_to_load(stage, settings, say)
        say("Ctrl-C lowers the stage")
        while True:
            stage.check_alive()
            time.sleep(1.0)


def _say_how_to_load(stage: Stage, settings: LoadSettings, say: Callable[[str], None]) -> None:
    """The load by hand: containers have one ready, for processes it is a command line."""
    if stage.load:
        say(f"to load it by hand: Locust's web UI on http://{settings.control_host}:{WEB_PORT}, "
            f"{settings.population} users")  # fmt: skip
        return
    say("to load it by hand, under Locust's web UI on http://127.0.0.1:8089:")
    print(f"{hand_environment(settings)} {sys.executable} -m locust -f drills/load/locustfile.py "
          f"--web-host 127.0.0.1 -u {settings.population} -r 50", flush=True)  # fmt: skip

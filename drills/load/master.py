"""The Locust master process of ours: ``python -m drills.load.master``.

It reads commands, one JSON object a line, from standard input and answers likewise on standard output: the seam
between the runner, which must never import Locust, and the population. End of input means: the runner is gone, stop.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import gevent
from gevent.fileobject import FileObject
from locust.env import Environment

from drills.load.settings import LoadSettings
from drills.load.users import USER_CLASSES, ResidentPair, VisitingPair

SPAWN_PER_S = 400.0


def say(what: str, **fields: Any) -> None:
    """One line to the runner."""
    print(json.dumps({"said": what, **fields}), flush=True)


def main() -> None:
    """Serve the runner's commands until ``quit`` or the end of input."""
    settings = LoadSettings.from_environment()
    ResidentPair.fixed_count, VisitingPair.fixed_count = settings.resident, settings.visitors
    environment = Environment(user_classes=list(USER_CLASSES))
    runner = environment.create_master_runner(settings.control_host, settings.control_port)
    runner.register_message("drill.finished", lambda environment, msg, **_: say("finished", **msg.data))
    gevent.spawn(_announce_workers, runner, settings.workers)
    for line in FileObject(sys.stdin.fileno(), "rb", close=False):
        if not _obeyed(runner, settings, json.loads(line)):
            break
    runner.quit()


def _announce_workers(runner: Any, expected: int) -> None:
    while len(runner.clients.ready) < expected:
        gevent.sleep(0.02)
    say("workers", count=expected)


def _obeyed(runner: Any, settings: LoadSettings, command: dict[str, Any]) -> bool:
    match command["do"]:
        case "start":
            runner.start(settings.resident + settings.visitors, SPAWN_PER_S)
        case "visits" | "leave" | "finish" as name:
            runner.send_message(f"drill.{name}", command)
        case "quit":
            return False
    return True


if __name__ == "__main__":
    main()

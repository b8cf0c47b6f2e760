"""The Locust master process of ours: ``python -m drills.load.master``.

In a run it takes commands, one JSON object a line, from the one connection of the runner, and answers likewise: the
seam between the runner, which must never import Locust, and the population. The end of that connection means that the
runner is gone: stop. Started by hand (``docker compose up``) it has Locust's web UI instead.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

import gevent
from gevent import socket
from locust.env import Environment

from drills.load.privileges import owned
from drills.load.settings import COMMAND_PORT, CONTROL_PORT, WEB_PORT, LoadSettings
from drills.load.users import USER_CLASSES, ResidentPair, VisitingPair

SPAWN_PER_S = 400.0
RUNNER_S = 60.0  # a runner that has not come by then is dead


def main() -> int:
    """Serve the runner's commands until ``quit`` or the end of its connection; by hand, the web UI, for ever."""
    owned()
    settings = LoadSettings.from_environment()
    ResidentPair.fixed_count, VisitingPair.fixed_count = settings.resident, settings.visitors
    environment = Environment(user_classes=list(USER_CLASSES))
    runner = environment.create_master_runner(settings.control_host, CONTROL_PORT)
    ready: set[str] = set()  # listened for from here on: workers may be there long before the runner
    runner.register_message("drill.ready", lambda environment, msg, **_: ready.add(msg.node_id))
    if settings.folder is None:
        environment.create_web_ui(settings.control_host, WEB_PORT)
        print(f"Locust's web UI: http://{settings.control_host}:{WEB_PORT}", flush=True)
        runner.greenlet.join()
        return 0
    with socket.create_server((settings.control_host, COMMAND_PORT)) as listener:
        listener.settimeout(RUNNER_S)
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            print(f"no runner came within {RUNNER_S:g} s", file=sys.stderr)
            return 1
    connection.settimeout(None)
    with connection, contextlib.suppress(OSError):  # cut off: the runner is gone
        _serve(connection, runner, settings, ready)
    runner.quit()
    return 0


def _serve(connection: Any, runner: Any, settings: LoadSettings, ready: set[str]) -> None:
    """Obey the runner; what the workers say is passed on to it."""

    def say(what: str, **fields: Any) -> None:
        connection.sendall((json.dumps({"said": what, **fields}) + "\n").encode())

    def announce_workers() -> None:
        while len(ready) < settings.workers:
            gevent.sleep(0.02)
        say("workers", count=len(ready))

    runner.register_message("drill.flushed", lambda environment, msg, **_: say("flushed", **msg.data))
    runner.register_message("drill.finished", lambda environment, msg, **_: say("finished", **msg.data))
    announcing = gevent.spawn(announce_workers)
    with connection.makefile("rb") as lines:
        for line in lines:
            if not _obeyed(runner, settings, json.loads(line)):
                break
    announcing.kill()


def _obeyed(runner: Any, settings: LoadSettings, command: dict[str, Any]) -> bool:
    match command["do"]:
        case "start":
            runner.start(settings.resident + settings.visitors, SPAWN_PER_S)
        case "visits" | "leave" | "flush" | "finish" as name:
            runner.send_message(f"drill.{name}", command)
        case "quit":
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())

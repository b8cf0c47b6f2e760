"""By hand: tell Toxiproxy what to stand between, as the compose file's ``x-proxies`` say.

``python3 -m drills.stage.proxies FILE``, the one-shot service ``proxies`` of docker-compose.drills.yml. A run does the
same by itself, with its own addresses.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from drills.errors import CannotRun, DrillError
from drills.stage.compose import interpolate, load_compose
from drills.stage.toxiproxy import ToxiproxyServer

WITHIN_S = 30.0


def main(path: Path) -> None:
    """Create every proxy that is not there yet; raises BadInput or CannotRun."""
    compose = load_compose(path)
    plans = compose.proxies.values()
    host = interpolate(next(iter(plans)).listen, {}).rpartition(":")[0]
    server = ToxiproxyServer(host, 8474)
    _await(server)
    for plan in plans:
        listen, upstream = interpolate(plan.listen, {}), interpolate(plan.upstream, {})
        if not server.has(plan.name):
            server.create(plan.name, listen, upstream)
        print(f"{plan.name}: {listen} to {upstream}", flush=True)


def _await(server: ToxiproxyServer) -> None:
    deadline = time.monotonic() + WITHIN_S
    while True:
        try:
            server.version()
            return
        except CannotRun:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except DrillError as error:
        print(error, file=sys.stderr)
        sys.exit(int(error.exit_code))

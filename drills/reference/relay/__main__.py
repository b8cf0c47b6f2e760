"""``python -m drills.reference.relay``: exit 0 when asked to end, 1 when it cannot serve, 2 for bad input.

The signals are taken before the heavy imports, so that even a relay that is PID 1 of a container ends when it is
asked to in its first quarter of a second.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    """Run a relay with this process's arguments and environment."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    import asyncio

    from drills.reference.defects import Defects
    from drills.reference.relay.log import begin_log
    from drills.reference.relay.options import bind_refusal, parse_options
    from drills.reference.relay.service import CannotServe, run
    from drills.reference.timers import Timers

    try:
        defects, timers = Defects.from_environment(), Timers.from_environment()
    except ValueError as unknown:
        print(f"Error: {unknown}", file=sys.stderr)
        return 2
    options = parse_options(sys.argv[1:], os.environ, timers)
    refusal = bind_refusal(options)
    if refusal is not None:
        print(f"Error: {refusal}", file=sys.stderr)
        return 1
    begin_log(options.log_level)
    try:
        asyncio.run(run(options, timers, defects))
    except CannotServe as cannot:
        print(f"Error: {cannot}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

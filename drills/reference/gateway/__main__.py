"""``python -m drills.reference.gateway``: start in Wavry's order, serve, end cleanly.

Exit codes: 0 after SIGTERM or SIGINT; 1 when it may not or cannot listen; 2 for an unknown defect or an unreadable
time divisor; 101 when the database cannot be opened (Wavry's panic). As in Wavry the database comes before the
address, so a lost database hides a refused one.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from contextlib import suppress

from aiohttp import web

from drills.reference.defects import Defects
from drills.reference.gateway import binding, restarts
from drills.reference.gateway.binding import RefusedBind
from drills.reference.gateway.database import Database, StoreError
from drills.reference.gateway.gateway import Gateway, SocketTimes
from drills.reference.gateway.log import Log
from drills.reference.gateway.routes import application
from drills.reference.gateway.settings import Settings
from drills.reference.gateway.upkeep import upkept
from drills.reference.timers import Timers

EXIT_REFUSED_BIND = 1
EXIT_BAD_SETTING = 2
EXIT_NO_DATABASE = 101
REQUESTS_END_S = 2.0


def main() -> int:
    """Run until told to stop; the exit code."""
    try:
        defects, timers = Defects.from_environment(), Timers.from_environment()
    except ValueError as problem:
        return _gave_up(str(problem), EXIT_BAD_SETTING)
    settings, log = Settings.from_environment(), Log()
    try:
        database = Database.opened(settings.database_url)
    except StoreError as problem:
        return _gave_up(str(problem), EXIT_NO_DATABASE)
    log.tell("connected to gateway database")
    gateway = Gateway(
        settings, database, defects=defects, timers=timers, log=log, socket_times=SocketTimes.paced(timers)
    )
    try:
        asyncio.run(_serve(gateway))
    except RefusedBind as problem:
        return _gave_up(str(problem), EXIT_REFUSED_BIND)
    return 0


async def _serve(gateway: Gateway) -> None:
    """Listen, serve and keep house until a signal comes."""
    stop: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, stop, number)
    try:
        await restarts.began(gateway)
        listener = binding.listening(*binding.address(gateway.settings))
        async with upkept(gateway):
            await _served(gateway, listener, stop)
    finally:
        gateway.passwords.close()
        await gateway.database.close()
    gateway.log.tell("gateway ended")


async def _served(gateway: Gateway, listener: socket.socket, stop: asyncio.Future[str]) -> None:
    """Answer on this listener until ``stop`` is done, then let requests finish and send sockets away."""
    ip, port = listener.getsockname()[:2]
    gateway.signaling_url = gateway.settings.signaling_url or f"ws://{binding.shown(ip, port)}/ws"
    runner = web.AppRunner(application(gateway), access_log=None, shutdown_timeout=REQUESTS_END_S)
    await runner.setup()
    try:
        await web.SockSite(runner, listener, backlog=binding.BACKLOG).start()
        gateway.log.tell(f"gateway listening on {binding.shown(ip, port)}")
        gateway.log.tell(f"gateway signaling url {gateway.signaling_url}")
        gateway.log.tell(f"{await stop} received, ending")
    finally:
        await runner.cleanup()


def _stop(stop: asyncio.Future[str], number: signal.Signals) -> None:
    with suppress(asyncio.InvalidStateError):
        stop.set_result(number.name)


def _gave_up(problem: str, code: int) -> int:
    print(f"Error: {problem}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())

"""``python -m drills.reference.gateway``: start in Wavry's order, serve, end cleanly.

Exit codes: 0 after SIGTERM or SIGINT; 1 when it may not or cannot listen; 2 for an unknown defect or an unreadable
time divisor; 101 when the database cannot be opened, or is of a newer release (Wavry's panic). As in Wavry the database
comes before the address, so a lost database hides a refused one.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from drills.reference.defects import Defects
from drills.reference.gateway import binding, releases, restarts, schema
from drills.reference.gateway.binding import RefusedBind
from drills.reference.gateway.custody import was_restored
from drills.reference.gateway.database import Database, StoreError, located
from drills.reference.gateway.gateway import Gateway, SocketTimes
from drills.reference.gateway.log import Log
from drills.reference.gateway.passwords import Passwords, paced_hasher
from drills.reference.gateway.routes import application
from drills.reference.gateway.settings import Settings
from drills.reference.gateway.upkeep import upkept
from drills.reference.timers import Timers

EXIT_REFUSED_BIND = 1
EXIT_BAD_SETTING = 2
EXIT_NO_DATABASE = 101
REQUESTS_END_S = 2.0
LATE_S = 10.0  # of the defect gateway_listens_late, at either pace: Wavry has no timer there


def main() -> int:
    """Run until told to stop; the exit code."""
    try:
        defects, timers = Defects.from_environment(), Timers.from_environment()
    except ValueError as problem:
        return _gave_up(str(problem), EXIT_BAD_SETTING)
    settings, log = Settings.from_environment(), Log()
    latest = schema.LATEST + defects.on("schema_step")
    try:
        newest = releases.newest_here(defects, settings.database_url)
        if newest and defects.on("gateway_runs_the_newest"):
            releases.become(newest)
        database = Database.opened(settings.database_url, latest)
    except StoreError as problem:
        return _gave_up(str(problem), EXIT_NO_DATABASE)
    log.tell(f"connected to gateway database, schema version {latest}")
    if defects.on("gateway_listens_late") and not database.made_here:
        time.sleep(LATE_S)
    key_lost = defects.on("restored_totp_key_lost") and was_restored(Path(located(settings.database_url)[0]))
    gateway = Gateway(
        settings, database, defects=defects, timers=timers, log=log, socket_times=SocketTimes.paced(timers),
        passwords=Passwords(paced_hasher(timers.divisor)), totp_key_lost=key_lost, newer_was_here=bool(newest),
    )  # fmt: skip
    if database.made_here:
        log.warn("gateway database was empty, its tables are made: a first start, or a lost volume")
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

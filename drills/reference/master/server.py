"""The process: listen, sweep, and end promptly when asked (contract §2.12; intended: D-06, D-37).

SIGTERM and SIGINT are handled, so they also end a master that is PID 1: no new connections, WebSockets closed
with 1001, exit 0. A port that is taken ends the start; the master never moves to another one.
"""

from __future__ import annotations

import asyncio
import os
import signal

from aiohttp import web

from drills.reference.master.clock import Moment
from drills.reference.master.log import log
from drills.reference.master.master import Master
from drills.reference.master.routes import application
from drills.reference.master.settings import Listen, StartRefused
from drills.reference.master.sockets import IMPATIENT_S, Sockets

LAST_ANSWERS_S = 1.0  # for calls that are being answered when the master is told to end


async def serve(master: Master) -> None:
    """Run until SIGTERM or SIGINT. Raises StartRefused if the port cannot be had."""
    ending = asyncio.Event()
    for asked in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(asked, ending.set)
    patience_s = IMPATIENT_S if master.defects.on("master_times_out_early") else None
    sockets = Sockets(master.switchboard, master.settings.origins, patience_s)
    runner = web.AppRunner(application(master, sockets), access_log=None, shutdown_timeout=LAST_ANSWERS_S)
    await runner.setup()
    sweeper = asyncio.create_task(_sweep(master))
    try:
        await _listen(runner, master.settings.listen)
        await ending.wait()
        log.info("shutting down")
    finally:
        sweeper.cancel()
        await runner.cleanup()


async def _listen(runner: web.AppRunner, listen: Listen) -> None:
    try:
        await web.TCPSite(runner, listen.host, listen.port).start()
    except OSError as error:
        raise StartRefused(f"cannot listen on {listen}: {os.strerror(error.errno or 0)}") from None
    host, port = runner.addresses[0][:2]
    log.info("wavry-master listening on %s", Listen(host, port))


async def _sweep(master: Master) -> None:
    """At the start and then every 30 s (contract §2.7)."""
    while True:
        master.sweep(Moment.now().steady_s)
        await asyncio.sleep(master.timers.sweep_s)

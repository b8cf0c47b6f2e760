"""What the gateway does by itself: it checks its database, sweeps what has expired, closes sockets without a right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from drills.reference.gateway import accounts
from drills.reference.gateway.database import StoreError
from drills.reference.gateway.gateway import Gateway
from drills.reference.gateway.health import CHECK_EVERY_S

SESSION_SWEEP_S = 300.0  # contract §8
RELAY_SWEEP_S = 30.0  # contract §8
DROP_EVERY_S, SHUT_OUT_S = 1 / 3, 10.0  # of the defect gateway_drops_sockets
SOCKET_RECHECK_S = 5.0  # intended: a ban or an expiry written by other hands shows within this time (D25, D26)

Duty = Callable[[Gateway], Awaitable[None]]


async def check_database(gateway: Gateway) -> None:
    """Write to the database and remember how that went; a change of fortune is logged once."""
    before = gateway.health.problem
    try:
        await gateway.database.probe()
    except StoreError as problem:
        gateway.health.bad(gateway.clock.monotonic(), str(problem))
        if before is None:
            gateway.log.fail(f"database check failed: {problem}")
        return
    gateway.health.good(gateway.clock.monotonic())
    if before is not None:
        gateway.log.tell("database check good again")


async def sweep_sessions(gateway: Gateway) -> None:
    """Delete expired sessions."""
    now = gateway.clock.utc()
    try:
        swept = await gateway.database.write(lambda db: accounts.sweep(db, now))
    except StoreError as problem:
        gateway.log.warn(f"expired sessions could not be deleted: {problem}")
        return
    if swept:
        gateway.log.tell(f"cleaned {swept} expired auth sessions")


async def sweep_relay_sessions(gateway: Gateway) -> None:
    """Forget relay sessions past their life."""
    gateway.relay_sessions.sweep(gateway.clock.monotonic())


async def recheck_sockets(gateway: Gateway) -> None:
    """Close sockets whose token has expired or was revoked, or whose user was banned, by whatever hand.

    While the database cannot be asked nobody is closed: its outage is not the users' fault.
    """
    tokens = {peer.holder.token_hash for peer in gateway.switchboard.peers if peer.holder is not None}
    if not tokens:
        return
    now = gateway.clock.utc()
    try:
        dead = await gateway.database.read(lambda db: accounts.dead_tokens(db, tokens, now))
    except StoreError:
        return  # check_database says so already
    for token in dead:
        gateway.switchboard.end_token(token, "Session revoked or expired")


async def drop_one_socket(gateway: Gateway) -> None:
    """The defect gateway_drops_sockets: close the socket of whoever is bound longest and let them wait to bind."""
    now = gateway.clock.monotonic()
    bound = [peer for peer in gateway.switchboard.speakers if peer.holder is not None]
    if bound and (holder := bound[0].holder) is not None:
        gateway.shut_out[holder.username] = now + SHUT_OUT_S
        bound[0].end("Going away")


@asynccontextmanager
async def upkept(gateway: Gateway) -> AsyncIterator[None]:
    """Every duty done once, then over and over until the block ends."""
    scaled = gateway.timers.scaled
    duties: tuple[tuple[Duty, float], ...] = (
        (check_database, CHECK_EVERY_S),
        (sweep_sessions, scaled(SESSION_SWEEP_S)),
        (sweep_relay_sessions, scaled(RELAY_SWEEP_S)),
        (recheck_sockets, scaled(SOCKET_RECHECK_S)),
    )
    if gateway.defects.on("gateway_drops_sockets"):
        duties = (*duties, (drop_one_socket, DROP_EVERY_S))
    for duty, _ in duties:
        await duty(gateway)
    tasks = [asyncio.create_task(_repeated(gateway, duty, every_s)) for duty, every_s in duties]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _repeated(gateway: Gateway, duty: Duty, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        await duty(gateway)

"""What the gateway's defects of a restart do, each beside what a sound one does over the very same restart."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from drills.reference.gateway import restarts
from tests.reference.gateway_house import PASSWORD, House, error_heard, heard, say, standing

WRONG = {"email": "lou@x.org", "password": "wrong wrong wrong"}


async def _lived(house: House) -> dict[str, str]:
    """Ann lives there, Rev logged out, Lou is locked."""
    tokens = {name: await house.register(name) for name in ("ann", "rev", "lou")}
    assert (await house.post("/auth/logout", headers={"X-Session-Token": tokens["rev"]})).json == {"revoked": True}
    for _ in range(5):
        assert (await house.post("/auth/login", WRONG)).status == 401
    return tokens


def over_a_restart(
    folder: Path, look: Callable[[House, dict[str, str]], Awaitable[Any]], *defects: str, up_s: float = 0.0
) -> Any:
    """What is seen after a restart, so many seconds after it; ann's token is a minute old."""

    async def run() -> Any:
        async with standing(folder, defects=defects) as house:
            await restarts.began(house.gateway)
            assert not house.gateway.restarted
            tokens = await _lived(house)
        async with standing(folder, defects=defects) as house:
            house.time.pass_s(60.0)
            house.gateway.started_s = house.time.running_s
            await restarts.began(house.gateway)
            house.time.pass_s(up_s)
            return await look(house, tokens)

    return asyncio.run(run())


async def bind(house: House, token: str) -> str:
    """What a Bind is answered."""
    socket = await house.open()
    await say(socket, "Bind", token=token)
    message = await heard(socket)
    return str(message.get("payload", {}).get("message", message["type"]))


async def ann_binds(house: House, tokens: dict[str, str]) -> str:
    return await bind(house, tokens["ann"])


async def rev_binds(house: House, tokens: dict[str, str]) -> str:
    return await bind(house, tokens["rev"])


async def lou_logs_in(house: House, tokens: dict[str, str]) -> int:
    return (await house.post("/auth/login", {"email": "lou@x.org", "password": PASSWORD})).status


async def ann_is_there(house: House, tokens: dict[str, str]) -> int:
    """Registering the name again is refused where the account is there."""
    found = await house.gateway.database.read(lambda db: db.execute("SELECT count(*) FROM users").fetchone())
    return int(found[0])


CASES = [
    ("gateway_forgets_tokens", ann_binds, "Bound", "Invalid Token"),
    ("gateway_revives_revoked", rev_binds, "Invalid Token", "Bound"),
    ("gateway_forgets_lockouts", lou_logs_in, 429, 200),
    ("gateway_loses_newest_accounts", ann_is_there, 3, 0),
    ("gateway_rebinds_slowly", ann_binds, "Bound", "Token lookup failed"),
]


@pytest.mark.parametrize(("defect", "look", "sound", "faulty"), CASES, ids=[case[0] for case in CASES])
def test_a_restart_keeps_what_the_defect_loses(
    tmp_path: Path, defect: str, look: Callable[[House, dict[str, str]], Awaitable[Any]], sound: object, faulty: object
) -> None:
    """The same restart, the same look."""
    for name, expected, defects in (("sound", sound, ()), ("faulty", faulty, (defect,))):
        folder = tmp_path / name
        folder.mkdir()
        assert over_a_restart(folder, look, *defects) == expected


def test_a_slow_gateway_looks_old_tokens_up_again_after_eight_seconds(tmp_path: Path) -> None:
    """It is slow, not forgetful."""
    assert over_a_restart(tmp_path, ann_binds, "gateway_rebinds_slowly", up_s=8.1) == "Bound"


def test_a_slow_gateway_binds_tokens_that_are_new(tmp_path: Path) -> None:
    """Whoever has just logged in gets in."""

    async def newcomer(house: House, tokens: dict[str, str]) -> str:
        return await bind(house, await house.register("new"))

    assert over_a_restart(tmp_path, newcomer, "gateway_rebinds_slowly") == "Bound"


@pytest.mark.parametrize("defects", [(), ("gateway_loses_answers_after_restart",)])
def test_answers_arrive_after_a_restart_or_the_defect_eats_them(tmp_path: Path, defects: tuple[str, ...]) -> None:
    """Offers arrive either way."""

    async def called(house: House, tokens: dict[str, str]) -> list[str]:
        ann = await house.bound(tokens["ann"])
        await say(ann, "Answer", target_username="ann", sdp="v")
        await say(ann, "Offer", target_username="ann", sdp="v")
        first = (await heard(ann))["type"]
        return [first] if first == "Offer" else [first, (await heard(ann))["type"]]

    assert over_a_restart(tmp_path, called, *defects) == (["Offer"] if defects else ["Answer", "Offer"])


@pytest.mark.parametrize("defects", [(), ("gateway_forgets_newer_socket",)])
def test_an_older_socket_that_ends_leaves_the_newer_one_or_the_defect_takes_it_away(
    tmp_path: Path, defects: tuple[str, ...]
) -> None:
    """D2: whoever calls then is told that nobody is there."""

    async def run() -> str:
        async with standing(tmp_path, defects=defects) as house:
            token = await house.register("ann")
            older, newer = await house.bound(token), await house.bound(token)
            bob = await house.bound(await house.register("bob"))
            assert await error_heard(older) == "Session replaced by a newer connection"
            await older.close()
            while (await house.count()) and len(house.gateway.switchboard.peers) > 2:  # asking lets the gateway go on
                pass
            await say(bob, "Offer", target_username="ann", sdp="v")
            if defects:
                return await error_heard(bob)
            return str((await heard(newer))["type"])

    assert asyncio.run(run()) == ("Target user 'ann' is not connected" if defects else "Offer")


def test_a_late_gateway_waits_before_it_listens_but_not_at_its_first_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh database is no restart."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(restarts, "asyncio", type("Asyncio", (), {"sleep": staticmethod(sleep)}))

    async def nothing(house: House, tokens: dict[str, str]) -> None:
        return None

    over_a_restart(tmp_path, nothing, "gateway_returns_late")
    assert waited == [restarts.LATE_S]


@pytest.mark.parametrize("defects", [(), ("gateway_leaks_sockets",)])
@pytest.mark.parametrize("goodbye", [True, False])
def test_a_connection_that_ends_without_a_goodbye_is_let_go_or_the_defect_keeps_it(
    tmp_path: Path, defects: tuple[str, ...], goodbye: bool
) -> None:
    """One that said goodbye is let go in any case; seen by who asks the kernel whether the connection is over."""

    async def run() -> bool:
        async with standing(tmp_path, defects=defects) as house:
            ann = await house.bound(await house.register("ann"))
            connected = ann.get_extra_info("socket").dup()  # ours must outlive the client's own end of it
            if goodbye:
                await ann.close()
            else:
                connected.shutdown(socket.SHUT_WR)
            while house.gateway.switchboard.peers:
                await house.count()
            with connected:
                connected.settimeout(0.3)
                try:
                    while await asyncio.to_thread(connected.recv, 4096):
                        pass
                except TimeoutError:
                    return False
                return True

    assert asyncio.run(run()) is (goodbye or not defects)

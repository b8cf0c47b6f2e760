"""The gateway's defects about its database and the key of second factors: each wrong in its one way."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from drills.reference.gateway import totp
from drills.reference.gateway.log import Log
from drills.reference.gateway.upkeep import check_database
from tests.reference.gateway_house import PASSWORD, House, standing

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def seen_of_a_lost_file(folder: Path, *defects: str) -> tuple[int, int, str]:
    """Health, the counter of database errors and the log of a gateway whose file is gone, after a try to register."""

    async def play() -> tuple[int, int, str]:
        async with standing(folder, defects=defects) as house:
            (folder / "gateway.db").unlink()
            await check_database(house.gateway)
            refused = await house.post("/auth/register", _account("ann"))
            assert refused.status == 500
            errors = (await house.get("/metrics/auth")).json["db_errors"]
            return (await house.get("/health")).status, errors, house.log.getvalue()

    return asyncio.run(play())


def _account(name: str) -> dict[str, str]:
    return {"email": f"{name}@x.org", "password": PASSWORD, "display_name": name, "username": name,
            "public_key": "ab" * 32}  # fmt: skip


def test_a_sound_gateway_tells_of_a_lost_file_in_every_way(tmp_path: Path) -> None:
    """Health, counter and log."""
    health, errors, log = seen_of_a_lost_file(tmp_path)
    assert (health, errors) == (503, 1)
    assert "database check failed" in log


def test_health_that_ignores_its_database_is_all_that_is_wrong(tmp_path: Path) -> None:
    """health_ignores_database: counter and log still tell."""
    health, errors, log = seen_of_a_lost_file(tmp_path, "health_ignores_database")
    assert (health, errors) == (200, 1)
    assert "database check failed" in log


def test_trouble_that_is_hidden_is_nowhere(tmp_path: Path) -> None:
    """gateway_hides_database_trouble: neither health nor counter nor a line of the log."""
    health, errors, log = seen_of_a_lost_file(tmp_path, "gateway_hides_database_trouble")
    assert (health, errors) == (200, 0)
    assert "ERROR" not in log
    assert "WARN" not in log


def test_a_hushed_log_still_says_what_is_as_expected() -> None:
    """Only warnings and errors are kept back."""
    stream = io.StringIO()
    log = Log(stream)
    log.hushed = True
    log.tell("as expected")
    log.warn("perhaps")
    log.fail("wrong")
    assert [line.split(": ")[-1] for line in stream.getvalue().splitlines()] == ["as expected"]


async def _enrolled(house: House) -> str:
    await house.register("ann")
    body = {"email": "ann@x.org", "password": PASSWORD}
    secret = str((await house.post("/auth/2fa/setup", body)).json["secret"])
    code = totp.code(secret, house.time.wall.timestamp())
    assert (await house.post("/auth/2fa/enable", {**body, "secret": secret, "code": code})).status == 200
    return secret


@pytest.mark.parametrize(("defects", "status"), [((), 500), (("totp_secrets_in_plain",), 200)])
def test_another_key_opens_no_secret_unless_they_are_in_plain(
    tmp_path: Path, defects: tuple[str, ...], status: int
) -> None:
    """And the log says why; a code is never in it."""

    async def play() -> None:
        async with standing(tmp_path, defects=defects, totp_key_b64=KEY) as house:
            secret = await _enrolled(house)
            house.gateway.vault = totp.Vault(KEY.lower(), in_plain=bool(defects))
            code = totp.code(secret, house.time.wall.timestamp())
            login = {"email": "ann@x.org", "password": PASSWORD, "totp_code": code}
            assert (await house.post("/auth/login", login)).status == status
            assert ("unable to decrypt the TOTP secret" in house.log.getvalue()) == (status == 500)
            assert secret not in house.log.getvalue()

    asyncio.run(play())

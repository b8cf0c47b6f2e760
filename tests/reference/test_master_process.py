"""The reference master as a process: it starts, ends promptly with 0, and refuses to start in one line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from drills.reference.master.sockets import IMPATIENT_S
from tests.reference.master_parts import ADMIN_TOKEN, KEY

BOUND_S = 10.0
RELAY = {"relay_id": "a", "endpoints": ["127.0.0.1:4000"]}


def environment(**told: str) -> dict[str, str]:
    """What a master is started with here, and nothing of the tester's own settings."""
    return {"PATH": os.environ["PATH"], "WAVRY_MASTER_SIGNING_KEY": KEY.hex, "ADMIN_PANEL_TOKEN": ADMIN_TOKEN, **told}


def refused(*arguments: str, **told: str) -> tuple[int, str]:
    """Exit code and stderr of a start that must not succeed."""
    command = [sys.executable, "-m", "drills.reference.master", *arguments]
    ended = subprocess.run(command, env=environment(**told), capture_output=True, text=True, timeout=BOUND_S)
    return ended.returncode, ended.stderr


class Started:
    """A running master, ended with the block."""

    def __init__(self, **told: str) -> None:
        command = [sys.executable, "-m", "drills.reference.master", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, env=environment(**told), stdout=subprocess.PIPE, text=True)
        self.address = self.line_with("wavry-master listening on ").rsplit(" ", 1)[1].strip()

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=BOUND_S)

    def line_with(self, anchor: str) -> str:
        """The first log line that holds the anchor."""
        assert self.process.stdout is not None
        return next(line for line in self.process.stdout if anchor in line)

    def ended_with(self, asked: signal.Signals) -> int:
        """The exit code after this signal."""
        self.process.send_signal(asked)
        return self.process.wait(BOUND_S)


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_promptly_with_its_sockets_closed(asked: signal.Signals) -> None:
    """Exit 0, an open WebSocket hears 1001 (D-06)."""

    async def act(started: Started) -> tuple[int | None, int]:
        async with asyncio.timeout(BOUND_S), aiohttp.ClientSession() as session:
            headers = {"Origin": "http://localhost:1420"}
            async with session.ws_connect(f"http://{started.address}/ws", headers=headers) as websocket:
                ending = asyncio.get_running_loop().run_in_executor(None, started.ended_with, asked)
                await websocket.receive()
                return websocket.close_code, await ending

    with Started() as started:
        assert asyncio.run(act(started)) == (1001, 0)


@pytest.mark.parametrize(("defect", "state"), [("", "Draining"), ("master_forgets_drains_on_restart", "New")])
def test_a_drain_survives_a_sigkill(tmp_path: Path, defect: str, state: str) -> None:
    """Drained, killed, started again: the relay that registers is Draining (D-04), but for the defect."""

    async def act(address: str, *calls: tuple[str, dict[str, object]]) -> str:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        async with asyncio.timeout(BOUND_S), aiohttp.ClientSession(f"http://{address}", headers=headers) as session:
            for path, body in calls:
                async with session.post(path, json=body) as response:
                    assert response.status == 200
            async with session.get("/v1/relays") as response:
                return str((await response.json())[0]["state"])

    state_file = str(tmp_path / "state.json")
    register = ("/v1/relays/register", dict[str, object](RELAY))
    drain = ("/admin/api/relays/update_state", dict[str, object](relay_id="a", new_state="Draining"))
    told = {"DRILLS_MASTER_STATE_FILE": state_file, "DRILLS_DEFECTS": defect}
    with Started(**told) as started:
        assert asyncio.run(act(started.address, register, drain)) == "Draining"
    with Started(**told) as started:
        assert asyncio.run(act(started.address, register)) == state


@pytest.mark.parametrize(("defect", "closed"), [("", False), ("master_times_out_early", True)])
def test_master_times_out_early_on_whoever_is_slow_to_speak(defect: str, closed: bool) -> None:
    """The sound master waits; the faulty one too, for whoever has spoken once."""

    async def act(address: str, first: str) -> bool:
        headers = {"Origin": "http://localhost:1420"}
        async with (
            asyncio.timeout(BOUND_S),
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://{address}/ws", headers=headers) as websocket,
        ):
            if first:
                await websocket.send_json({"type": "BIND", "token": first})
            try:
                frame = await websocket.receive(timeout=2 * IMPATIENT_S)
            except TimeoutError:
                return False
            return frame.type is not aiohttp.WSMsgType.TEXT

    with Started(DRILLS_DEFECTS=defect) as started:
        assert asyncio.run(act(started.address, "")) is closed
        assert not asyncio.run(act(started.address, "abc"))


def identities(tmp_path: Path, defect: str) -> list[tuple[str, str]]:
    """Key id and public key of a master, and of the one that is started in its place."""

    async def told(address: str) -> tuple[str, str]:
        async with (
            asyncio.timeout(BOUND_S),
            aiohttp.ClientSession() as session,
            session.get(f"http://{address}/.well-known/wavry-id") as response,
        ):
            identity = await response.json()
            return identity["key_id"], identity["public_key"]

    found = []
    for _ in range(2):
        with Started(DRILLS_DEFECTS=defect, DRILLS_MASTER_STATE_FILE=str(tmp_path / "state.json")) as started:
            found.append(asyncio.run(told(started.address)))
    return found


def test_a_restart_keeps_the_key_and_its_id(tmp_path: Path) -> None:
    """Both are provisioned."""
    assert identities(tmp_path, "") == [(KEY.key_id, KEY.public_hex)] * 2


def test_defect_master_returns_with_new_key_only_after_a_restart(tmp_path: Path) -> None:
    """Another key, and with it another id."""
    before, after = identities(tmp_path, "master_returns_with_new_key")
    assert before == (KEY.key_id, KEY.public_hex)
    assert after[0] != before[0] and after[1] != before[1]


def test_defect_master_changes_its_key_id_and_not_its_key(tmp_path: Path) -> None:
    """The id of one start is not that of the next."""
    before, after = identities(tmp_path, "master_changes_its_key_id")
    assert before[0] != after[0]
    assert before[1] == after[1] == KEY.public_hex


def test_defect_master_returns_late_listens_late() -> None:
    """12 heartbeats after its start."""
    began_s = time.monotonic()
    with Started(DRILLS_DEFECTS="master_returns_late", DRILLS_TIME_DIVISOR="100"):
        assert time.monotonic() - began_s >= 12 * 0.05


def test_a_taken_port_ends_the_start() -> None:
    """Exit 1 and one line; never another port (D-37)."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, text = refused("--listen", address)
    assert (code, text) == (1, f"Error: cannot listen on {address}: Address already in use\n")


def test_an_unreadable_state_file_ends_the_start(tmp_path: Path) -> None:
    """Exit 1 and one line: starting without the drains in it would forget them."""
    path = tmp_path / "state.json"
    path.write_text("{")
    code, text = refused("--listen", "127.0.0.1:0", DRILLS_MASTER_STATE_FILE=str(path))
    assert (code, text.count("\n")) == (1, 1)
    assert str(path) in text


@pytest.mark.parametrize("told", [{"DRILLS_DEFECTS": "relay_forgets_drian"}, {"DRILLS_TIME_DIVISOR": "fast"}])
def test_a_misspelt_setting_of_ours_ends_the_start_with_2(told: dict[str, str]) -> None:
    """A defect that is not switched on must not pass for a sound system."""
    code, text = refused("--listen", "127.0.0.1:0", **told)
    assert (code, text.count("\n")) == (2, 1)


def test_log_lines_look_like_wavrys() -> None:
    """UTC time, level, program; what a caller sends never begins a line of its own."""

    async def act(address: str) -> None:
        async with asyncio.timeout(BOUND_S), aiohttp.ClientSession(f"http://{address}") as session:
            body = json.dumps({**RELAY, "relay_id": "a\n2026 forged"})
            async with session.post(
                "/v1/relays/register", data=body, headers={"Content-Type": "application/json"}
            ) as response:
                assert response.status == 200

    with Started() as started:
        asyncio.run(act(started.address))
        line = started.line_with("relay registered")
    time, level, program, rest = line.split(maxsplit=3)
    assert (len(time), time[-1], level, program, rest) == (
        27,
        "Z",
        "INFO",
        "wavry_master:",
        "relay registered: a\\n2026 forged\n",
    )

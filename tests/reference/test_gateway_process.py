"""The gateway as a process: how it starts, what stops it from starting, how it ends, what survives."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.reference.gateway_house import PASSWORD, database_at, registration

WAIT_S = 20.0
LISTENING = "gateway listening on "


@dataclass
class Running:
    """A gateway process that listens."""

    process: subprocess.Popen[str]
    url: str

    def ask(self, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON of a GET, or of a POST where a body is given."""
        raw = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, raw, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.load(refusal)

    def end(self, number: signal.Signals) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(WAIT_S)


def started(folder: Path, **environment: str) -> subprocess.Popen[str]:
    """A gateway process on a free port with its database in this folder."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WAVRY_", "DRILLS_"))}
    wanted = {
        "DATABASE_URL": f"sqlite://{folder / 'gateway.db'}",
        "WAVRY_GATEWAY_BIND_ADDR": "127.0.0.1:0",
        **environment,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "drills.reference.gateway"],
        env={**clean, **wanted},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[Running]:
    """A gateway process that listens, killed at the end if it still runs."""
    with started(folder, **environment) as process:
        try:
            assert process.stdout is not None
            line = next(line for line in process.stdout if LISTENING in line)
            yield Running(process, "http://" + line.split(LISTENING)[1].strip())
        finally:
            process.kill()
            process.communicate(timeout=WAIT_S)


def gave_up(folder: Path, **environment: str) -> tuple[int, str]:
    """Exit code and stderr of a gateway that does not start."""
    with started(folder, **environment) as process:
        try:
            _, problem = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    return process.returncode, problem


def test_accounts_tokens_and_locks_survive_a_kill(tmp_path: Path) -> None:
    """What was answered is on disk: the token works, the lock holds, the file is whole (contract §9)."""
    database = database_at(tmp_path)
    with running(tmp_path) as gateway:
        status, made = gateway.ask("/auth/register", registration("ann"))
        assert status == 201
        for _ in range(5):
            assert gateway.ask("/auth/login", {"email": "no@x.org", "password": "wrong"})[0] == 401
        assert gateway.end(signal.SIGKILL) == -signal.SIGKILL
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with running(tmp_path) as gateway:
        assert gateway.ask("/auth/register", registration("ann"))[0] == 409
        assert gateway.ask("/auth/login", {"email": "no@x.org", "password": "wrong"})[0] == 429
        offer = {"session_token": made["token"], "target_username": "bob", "sdp": "v"}
        assert gateway.ask("/webrtc/offer", offer)[0] == 404


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_promptly_with_exit_0(tmp_path: Path, number: signal.Signals) -> None:
    """Even with a connection that is kept alive (D18)."""
    database_at(tmp_path)
    with running(tmp_path) as gateway:
        host, port = gateway.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=WAIT_S) as idle:
            idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            idle.recv(4096)
            asked_at = time.monotonic()
            assert gateway.end(number) == 0
            assert time.monotonic() - asked_at < 2.0


def test_a_taken_port_is_an_error(tmp_path: Path) -> None:
    """Exit 1 and the address, never another port (D17)."""
    database_at(tmp_path)
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, problem = gave_up(tmp_path, WAVRY_GATEWAY_BIND_ADDR=address)
    assert code == 1 and problem.startswith(f"Error: cannot listen on {address}: Address already in use")


def test_a_missing_database_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    """Exit 101: a lost volume must not come back as an empty gateway (D33)."""
    code, problem = gave_up(tmp_path)
    assert code == 101 and "failed to connect to database" in problem and "unable to open database file" in problem
    assert not (tmp_path / "gateway.db").exists()


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    """Exit 101, and the file is left alone."""
    database_at(tmp_path).write_text("x" * 4096)
    code, problem = gave_up(tmp_path)
    assert code == 101 and "file is not a database" in problem


def test_a_public_address_needs_to_be_allowed(tmp_path: Path) -> None:
    """Exit 1; nothing has listened."""
    database_at(tmp_path)
    code, problem = gave_up(tmp_path, WAVRY_GATEWAY_BIND_ADDR="0.0.0.0:0")
    assert (code, problem) == (1, "Error: refusing non-loopback bind without WAVRY_ALLOW_PUBLIC_BIND=1\n")


def test_an_unknown_defect_is_an_error(tmp_path: Path) -> None:
    """Exit 2 before anything else: a misspelt defect must not pass for a sound gateway."""
    code, problem = gave_up(tmp_path, DRILLS_DEFECTS="gateway_loses_everything")
    assert code == 2 and "unknown defect gateway_loses_everything" in problem


def test_two_gateways_may_start_on_one_fresh_file(tmp_path: Path) -> None:
    """Neither dies of the other's tables."""
    database_at(tmp_path)
    with running(tmp_path) as one, running(tmp_path) as other:
        assert one.ask("/auth/register", registration("ann"))[0] == 201
        assert other.ask("/auth/login", {"email": "ann@x.org", "password": PASSWORD})[0] == 200

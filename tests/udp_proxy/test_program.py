"""The program by itself: what it needs, how it is started, that one client serves it and Toxiproxy."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drills.errors import CannotRun
from drills.stage.processes import toxiproxy_program
from drills.stage.toxiproxy import ToxiproxyServer
from tests.udp_proxy.stand import HOST

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-m", "drills.udp_proxy"]


@contextlib.contextmanager
def running(*words: str) -> Iterator[tuple[subprocess.Popen[str], ToxiproxyServer]]:
    """The program on a port of its own, and the drills' client for it."""
    process = subprocess.Popen([*PROGRAM, "--port", "0", *words], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = re.search(r"API on 127\.0\.0\.1:(\d+), seed \d+$", process.stdout.readline().strip())
        assert said is not None
        yield process, ToxiproxyServer(HOST, int(said[1]))
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_it_needs_nothing_but_pythons_standard_library() -> None:
    """Not even the rest of this repository, but for the package that it lies in."""
    code = "import sys, json, drills.udp_proxy.__main__; print(json.dumps(sorted(sys.modules)))"
    before = json.loads(_out("import sys, json; print(json.dumps(sorted(sys.modules)))"))
    new = {*json.loads(_out(code))} - {*before}
    strange = [name for name in new if name.split(".")[0] not in sys.stdlib_module_names]
    assert {name for name in strange if not name.startswith("drills.udp_proxy")} == {"drills"}


def _out(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=30)
    return done.stdout


def test_the_drills_client_for_toxiproxy_serves_it_too() -> None:
    """Create, switch, put on, read back, take off; what it refuses is a CannotRun with its words."""
    with running("--seed", "7") as (process, server):
        server.create("path", f"{HOST}:{_free_port()}", f"{HOST}:9")
        server.add_toxic("path", "slow", "latency", "upstream", {"latency": 20, "jitter": 5})
        assert server.toxics("path") == ("slow",)
        with pytest.raises(CannotRun, match=r"attributes\.latencyy: unknown"):
            server.add_toxic("path", "misspelt", "latency", "upstream", {"latencyy": 5})
        with pytest.raises(CannotRun, match="toxic already exists"):
            server.add_toxic("path", "slow", "latency", "upstream", {"latency": 20})
        server.set_enabled("path", False)
        server.set_enabled("path", True)
        server.remove_toxic("path", "slow")
        server.remove_toxic("path", "slow")
        assert server.toxics("path") == ()
        assert server.version() == "0.1.0"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


def test_it_can_begin_with_proxies_from_a_file(tmp_path: Path) -> None:
    """The body of a populate."""
    config = tmp_path / "proxies.json"
    config.write_text(json.dumps([{"name": "path", "listen": f"{HOST}:0", "upstream": f"{HOST}:9"}]))
    with running("--config", str(config)) as (_, server):
        assert server.has("path")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "nowhere"], "found nowhere and 0, expected a numeric address and a port"),
        (["--port", "99999"], "found 127.0.0.1 and 99999, expected a numeric address and a port"),
        (["--seed", "x"], "argument --seed"),
        (["--source", "10.0.0.0/99"], "argument --source"),
        (["--idle-s", "0"], "argument --idle-s"),
        (["--config", "/nowhere/at/all"], "/nowhere/at/all: No such file or directory"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_a_mistake_on_the_command_line_is_bad_input(words: list[str], said: str) -> None:
    """One line, exit code 4."""
    done = subprocess.run([*PROGRAM, "--port", "0", *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=30)
    assert (done.returncode, said in done.stderr) == (4, True), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_config_that_is_not_understood_is_bad_input(tmp_path: Path) -> None:
    """With its path and what is wrong in it."""
    config = tmp_path / "proxies.json"
    config.write_text('[{"name": "path"}]')
    done = subprocess.run([*PROGRAM, "--port", "0", "--config", str(config)], cwd=REPOSITORY, capture_output=True,
                          text=True, timeout=30)  # fmt: skip
    assert (done.returncode, f"{config}: " in done.stderr) == (4, True)
    assert "missing required field: upstream at proxy 1" in done.stderr


def test_an_address_that_is_taken_cannot_be_run() -> None:
    """Exit code 3 and one line."""
    with running() as (_, server):
        done = subprocess.run([*PROGRAM, "--port", str(server.port)], cwd=REPOSITORY, capture_output=True, text=True,
                              timeout=30)  # fmt: skip
    said = f"udp_proxy: cannot listen on {HOST}:{server.port}: Address already in use\n"
    assert (done.returncode, done.stderr) == (3, said)


# -- beside the real one ---------------------------------------------------------------------------------------------

PATH = {"name": "path", "listen": f"{HOST}:0", "upstream": f"{HOST}:9"}
SAME: list[tuple[str, str, Any]] = [
    ("GET", "/proxies", None),
    ("POST", "/proxies", PATH),
    ("POST", "/proxies", PATH),
    ("POST", "/proxies", {"upstream": f"{HOST}:9"}),
    ("POST", "/proxies", {"name": "x"}),
    ("POST", "/proxies", []),
    ("GET", "/proxies/nowhere", None),
    ("POST", "/proxies/nowhere", {}),
    ("DELETE", "/proxies/nowhere", None),
    ("GET", "/proxies/path", None),
    ("GET", "/proxies/path/toxics", None),
    ("POST", "/proxies/path/toxics", {"type": "latency", "attributes": {"latency": 5, "jitter": 1}}),
    ("POST", "/proxies/path/toxics", {"type": "latency", "attributes": {"latency": 5}}),
    ("POST", "/proxies/path/toxics", {"type": "nothing"}),
    ("POST", "/proxies/path/toxics", {"type": "latency", "stream": "sideways"}),
    ("POST", "/proxies/path/toxics", {"type": "bandwidth", "stream": "upstream", "toxicity": 0.5, "name": "thin",
                                      "attributes": {"rate": 100}}),
    ("GET", "/proxies/path/toxics", None),
    ("GET", "/proxies/path/toxics/thin", None),
    ("GET", "/proxies/path/toxics/nothing", None),
    ("POST", "/proxies/path/toxics/thin", {"attributes": {"rate": 50}}),
    ("PATCH", "/proxies/path/toxics/thin", {"toxicity": 1.0}),
    ("POST", "/proxies/path/toxics/nothing", {}),
    ("DELETE", "/proxies/path/toxics/thin", None),
    ("DELETE", "/proxies/path/toxics/thin", None),
    ("POST", "/proxies/path", {"enabled": False}),
    ("POST", "/reset", None),
    ("GET", "/proxies", None),
    ("POST", "/populate", [{"name": "more", "listen": f"{HOST}:0", "upstream": f"{HOST}:9", "enabled": False}]),
    ("POST", "/populate", [{"name": "more"}]),
    ("POST", "/populate", []),
    ("POST", "/populate", {}),
    ("DELETE", "/proxies/path", None),
    ("GET", "/nothing", None),
    ("PUT", "/proxies", None),
]  # fmt: skip
ONE_ALONE = {"counts", "flows", "distribution", "order", "queue"} | {"Logger"}  # ours, and what slips out of theirs


def plain(value: Any) -> Any:
    """What both have: without fields of one alone, the port that the kernel chose, and the words behind a colon."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if key not in ONE_ALONE}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, str):
        text = re.sub(r":\d{4,5}$", ":PORT", value)
        return re.sub(r"^(bad request body|invalid toxic type)\b.*", r"\1", text)
    return value


def answers(server: ToxiproxyServer) -> list[tuple[str, str, int, Any]]:
    """Status and JSON of each request in turn."""
    found = []
    for method, path, body in SAME:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        found.append((method, path, response.status, plain(json.loads(text)) if text.startswith(("{", "[")) else text))
    return found


def test_it_answers_as_toxiproxy_does() -> None:
    """The same requests, one after the other, to the real server: the same status codes, the same JSON."""
    port = _free_port()
    real = subprocess.Popen([toxiproxy_program(), "-host", HOST, "-port", str(port)], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, env={**os.environ, "LOG_LEVEL": "error"})  # fmt: skip
    try:
        _await(port)
        with running() as (_, ours):
            for mine, theirs in zip(answers(ours), answers(ToxiproxyServer(HOST, port)), strict=True):
                assert mine == theirs
    finally:
        real.kill()
        real.wait(10)


def _await(port: int) -> None:
    deadline = time.monotonic() + 10.0
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1.0).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline

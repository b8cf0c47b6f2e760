"""The container engine of this machine: whether drills can run on it, a client for it, and the program of Compose.

Services are reached at their container addresses, so the engine must share this machine's network: a remote engine,
one in a virtual machine (Docker Desktop), a rootless one or one whose socket was mounted into this container cannot
carry a stage. Nothing here installs, starts or creates anything (that is ``make engine``), and only the standard
library is imported, so that the doctor can look before anything is installed (no syntax newer than Python 3.8).
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from drills.errors import CannotRun

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_HOST = "unix:///var/run/docker.sock"
PROBLEM_WITHIN_S = 3.0  # the longest that choosing a stage may take: the two below, and Compose with what is left
ANSWER_WITHIN_S = 1.5  # an idle engine answers in 5 ms, one that is pulling images in a few hundred
BRIDGE_WITHIN_S = 0.5
COMPOSE_SAYS = "Docker Compose version"  # version 1 said "docker-compose version"; one built by Go says "dev"
SIOCGIFADDR = 0x8915  # linux/sockios.h: an interface's address
REMEDY = "`make engine` installs and starts one (root); `--stage processes` needs none"


class _Unanswered(Exception):
    """Why the engine could not be asked, as a short phrase."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("engine", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def host() -> str:
    """Where the engine is asked: ``DOCKER_HOST``, or Docker's usual socket. Docker's contexts are not looked at."""
    return os.environ.get("DOCKER_HOST") or DEFAULT_HOST


def environment() -> dict[str, str]:
    """What a program that talks to the engine must be given, so that it talks to the same one as we do."""
    return {"DOCKER_HOST": host()}


def client(timeout_s: float = 10.0) -> Any:
    """A new ``docker.DockerClient`` for the engine of this machine; raises CannotRun with what to do.

    ``timeout_s`` bounds each silence of the engine, not a whole call.
    """
    import docker
    import docker.errors
    import requests

    try:
        _asked("/version", timeout_s)  # first, because docker-py leaves its socket open where nobody answers
        return docker.DockerClient(base_url=host(), timeout=timeout_s)
    except _Unanswered as unanswered:
        raise CannotRun(f"{unanswered}: {REMEDY}") from None
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise CannotRun(f"no engine answers at {host()} ({_first_line(error)}): {REMEDY}") from error


def compose_program(within_s: float = 10.0) -> list[str]:
    """The words that Compose v2's command line begins with; raises CannotRun where there is none."""
    deadline = time.monotonic() + within_s
    for words in _compose_candidates():
        if COMPOSE_SAYS in _said([*words, "version"], deadline - time.monotonic()):
            return words
    raise CannotRun("no compose v2: `make engine` brings it; `--stage processes` needs none")


def problem() -> str:
    """Why drills cannot run in containers here, as one short phrase; empty when they can.

    Takes about a tenth of a second, never more than three, and creates nothing.
    """
    deadline = time.monotonic() + PROBLEM_WITHIN_S
    found = unfit()
    if not found:
        try:
            compose_program(deadline - time.monotonic())
        except CannotRun:
            found = "no compose v2"
    return found


def unfit() -> str:
    """Why the engine cannot carry a stage, whether or not there is a Compose; empty when it can."""
    if not sys.platform.startswith("linux"):
        return "containers are only reached at their addresses on Linux"
    try:
        return _why_unfit()
    except _Unanswered as unanswered:
        return str(unanswered)


def version() -> str:
    """The engine's version; empty where none answers."""
    try:
        return str(_asked("/info", ANSWER_WITHIN_S)[1].get("ServerVersion", ""))
    except _Unanswered:
        return ""


def compose_version(within_s: float = 10.0) -> str:
    """What Compose says of itself ("v2.33.1", or "dev" where Go's own tool built it); empty where there is none."""
    deadline = time.monotonic() + within_s
    for words in _compose_candidates():
        said = _said([*words, "version"], deadline - time.monotonic())
        if COMPOSE_SAYS in said:
            return said.partition(COMPOSE_SAYS)[2].split("\n")[0].strip()
    return ""


def _why_unfit() -> str:
    """What the engine says of itself that keeps its containers' addresses out of our reach."""
    server, about = _asked("/info", ANSWER_WITHIN_S)
    if "libpod" in server.lower():
        return "the engine is Podman; drills were only tried on Docker's own"
    if "Docker Desktop" in about.get("OperatingSystem", ""):
        return "Docker Desktop: container addresses cannot be reached from here"
    if any("rootless" in option for option in about.get("SecurityOptions") or ()):
        return "a rootless engine: container addresses cannot be reached from here"
    if about.get("OSType", "linux") != "linux":
        return f"the engine runs {about['OSType']} containers"
    return _why_elsewhere()


def _why_elsewhere() -> str:
    """Whether the engine's own bridge, if it was started with one, is an interface of ours, with its address."""
    _, network = _asked("/networks/bridge", BRIDGE_WITHIN_S)
    name = str((network.get("Options") or {}).get("com.docker.network.bridge.name", ""))
    subnets = [row["Subnet"] for row in (network.get("IPAM") or {}).get("Config") or () if row.get("Subnet")]
    if not name or not subnets:
        return ""
    address = _address(name)
    if address and any(ip_address(address) in ip_network(subnet, strict=False) for subnet in subnets):
        return ""
    return f"the engine is not on this machine (its bridge {name} with {subnets[0]} is not here)"


def _address(interface: str) -> str:
    """The IPv4 address of an interface of ours; empty where there is none."""
    import fcntl  # not there on every system that the doctor may be asked on

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, SIOCGIFADDR, struct.pack("=256s", interface.encode()[:15]))
        except OSError:
            return ""
    return socket.inet_ntoa(answer[20:24])


def _asked(path: str, within_s: float) -> tuple[str, dict[str, Any]]:
    """The engine's name for itself and its answer; raises _Unanswered."""
    connection = _UnixConnection(_socket_path(), max(within_s, 0.01))
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = json.loads(answer.read() or b"{}")
    except PermissionError:
        raise _Unanswered(f"this user may not use the engine at {host()} (root or the group docker may)") from None
    except (OSError, http.client.HTTPException, ValueError):
        raise _Unanswered(f"no engine answers at {host()}") from None
    finally:
        connection.close()
    return answer.getheader("Server") or "", body if isinstance(body, dict) else {}


def _socket_path() -> str:
    """The path in ``host()``; raises _Unanswered where that is no Unix socket."""
    scheme, _, path = host().partition("://")
    if scheme != "unix":
        raise _Unanswered(f"the engine is not on this machine (DOCKER_HOST={host()})")
    return path


def _compose_candidates() -> list[list[str]]:
    """Compose as a plug-in of Docker's command line, as ours, as somebody's own program."""
    docker, ours, own = shutil.which("docker"), REPOSITORY / ".tools" / "bin" / "docker-compose", "docker-compose"
    found = [["docker", "compose"]] if docker else []
    found += [[str(ours)]] if os.access(ours, os.X_OK) else []
    return found + ([[own]] if shutil.which(own) else [])


def _said(command: list[str], within_s: float) -> str:
    """What a program prints; empty where it cannot be run or does not answer in time."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=max(within_s, 0.01), check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]

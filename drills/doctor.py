"""What this machine has, what is missing and how to get it.

Works as plain ``python3 -m drills doctor`` before anything is installed: only the standard library is imported, and
no syntax newer than Python 3.8 is used. Every look is bounded in time, and one that fails is a row, not an end.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from drills.stage import engine

REPOSITORY = Path(__file__).resolve().parents[1]
PYTHON_MIN = (3, 11)
TOXIPROXY = "2.12"  # the version whose behaviour the faults were checked against
GO_MIN = (1, 23)  # what Toxiproxy 2.12 asks for in its go.mod
BUFFER_BYTES_MIN = 4 << 20  # what the reference's relay asks for its UDP socket
DISK_GIB_MIN = 1.0
CPUS_WISHED = 2  # the services on one, the load on another
ASK_S = 10.0  # the longest any program may take to answer
IMPORT_S = 60.0  # on a cold disk, finding all packages
SLOW_CLOCKS = {"hpet", "acpi_pm", "jiffies", "refined-jiffies"}
LOOPBACK = ("127.20.0.1", "127.20.1.101")  # a run takes addresses in 127.20.0.0/16 and up
# Run by the Python that the drills will run in: which distributions it lacks, has too old, or cannot import.
LACKING = """
import importlib.metadata as metadata, importlib.util, json, re, sys
def numbers(text): return [int(part) for part in re.findall("[0-9]+", text)[:3]]
def plain(name): return re.sub("[-_.]+", "-", name).lower()
modules = {}
for module, names in metadata.packages_distributions().items():
    for name in names: modules.setdefault(plain(name), []).append(module)
lacking = []
for name, least in json.loads(sys.argv[1]):
    try: version = metadata.version(name)
    except metadata.PackageNotFoundError: lacking.append(name); continue
    if numbers(version) < numbers(least): lacking.append(f"{name} {least} (has {version})")
    elif not any(importlib.util.find_spec(one) for one in modules.get(plain(name), [])): lacking.append(name)
print(json.dumps(lacking))
"""


class Row:
    """What one look found."""

    def __init__(self, ok: bool, found: str, needed: bool | None = None) -> None:
        self.ok, self.found, self.needed = ok, found, needed


class Look:
    """One thing to look for: whether a drill needs it, how to look, how to get it."""

    def __init__(self, what: str, needed: bool, look: Callable[[], Row], get: str) -> None:
        self.what, self.needed, self.look, self.get = what, needed, look, get

    def row(self) -> dict[str, Any]:
        """The row of the table; a look that fails has found its own error."""
        try:
            row = self.look()
        except (OSError, ValueError, LookupError, AttributeError, subprocess.SubprocessError) as error:
            row = Row(False, f"could not be looked at: {type(error).__name__}: {error}")
        needed = self.needed if row.needed is None else row.needed
        return {"what": self.what, "ok": row.ok, "needed": needed, "found": row.found, "get": self.get}


def examined() -> list[dict[str, Any]]:
    """A row for each thing a drill rests on: what, ok, needed, found, get."""
    return [look.row() for look in LOOKS]


def asked(command: Iterable[str], within_s: float = ASK_S) -> tuple[int, str]:
    """A program's exit code and its first line; 127 where there is none, 124 where it did not answer in time."""
    words = [*command]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=within_s,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return 124, f"{words[0]} did not answer within {within_s:g} s"
    except OSError as error:
        return 127, f"{words[0]} cannot be run: {error.strerror}"
    lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
    return done.returncode, lines[0].strip() if lines else ""


def python() -> Row:
    """The Python that runs this."""
    return Row(sys.version_info[:2] >= PYTHON_MIN, f"{sys.version.split()[0]} at {sys.executable}")


def venv_module() -> Row:
    """Debian and Ubuntu ship Python without ensurepip; not needed any more once .venv stands."""
    parts = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    standing = venv_python().exists()
    return Row(not parts, "present" if not parts else f"no module {' and '.join(parts)}", needed=not standing)


def venv_python() -> Path:
    """The interpreter of the repository's own environment."""
    return REPOSITORY / ".venv" / "bin" / "python"


def dependencies() -> Row:
    """Whether every package that pyproject.toml asks for is there, in .venv or else in the Python that runs this."""
    program = venv_python() if venv_python().exists() else Path(sys.executable)
    where = ".venv" if program == venv_python() else f"no .venv; {sys.executable}"
    wanted = wanted_packages((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    code, line = asked([str(program), "-I", "-c", LACKING, json.dumps(wanted)], IMPORT_S)
    if code:
        return Row(False, f"{where}: {line}")
    lacking = json.loads(line)
    found = f"without {', '.join(lacking)}" if lacking else f"all {len(wanted)} packages"
    return Row(not lacking, f"{where}: {found}")


def wanted_packages(project: str) -> list[tuple[str, str]]:
    """Each dependency of a pyproject.toml with its least version; by hand, since Python 3.10 has no tomllib."""
    block = re.search(r"^dependencies = \[\n(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    return re.findall(r'^\s*"([A-Za-z0-9._-]+)[^">]*(?:>=([0-9.]+))?', block[1] if block else "", re.MULTILINE)


def program(name: str, *words: str) -> Row:
    """Whether a program is on the PATH and answers."""
    path = shutil.which(name)
    if not path:
        return Row(False, "not on the PATH")
    code, line = asked([path, *words])
    return Row(code == 0, line)


def toxiproxy() -> Row:
    """The real toxiproxy-server, or a Go that can build it."""
    path = shutil.which("toxiproxy-server") or shutil.which("toxiproxy-server", path=str(REPOSITORY / ".tools" / "bin"))
    if not path:
        go = go_version()
        if go >= GO_MIN:
            return Row(True, f"not built yet; Go {'.'.join(map(str, go))} is here to build it (`make setup`)")
        return Row(False, f"neither on the PATH nor in .tools/bin, and {f'Go only {go[0]}.{go[1]}' if go else 'no Go'}")
    version = toxiproxy_version(path)
    return Row(version.startswith(TOXIPROXY + "."), f"{version or 'unknown version'} at {path}")


def toxiproxy_version(path: str) -> str:
    """What the program says, or, where it was built by `go install` and says "git", what Go wrote into it."""
    said = re.search(r"version v?([0-9][0-9.]*)", asked([path, "-version"])[1])
    if said:
        return said[1]
    written = re.search(rb"github\.com/Shopify/toxiproxy/v2\tv([0-9.]+)", Path(path).read_bytes())
    return written[1].decode() if written else ""


def go_version() -> tuple[int, ...]:
    """Major and minor of the Go on the PATH, empty where there is none."""
    found = re.search(r"go version go([0-9]+)\.([0-9]+)", program("go", "version").found)
    return (int(found[1]), int(found[2])) if found else ()


def linux() -> Row:
    """The process stage reads /proc and uses all of 127.0.0.0/8."""
    return Row(sys.platform.startswith("linux"), sys.platform)


def loopback() -> Row:
    """Whether services can have addresses of their own, for TCP and UDP."""
    for address in LOOPBACK:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as bound:
                try:
                    bound.bind((address, 0))
                except OSError as error:
                    return Row(False, f"{address} cannot be bound: {error.strerror}")
    return Row(True, f"{', '.join(LOOPBACK)} can be bound")


def proc() -> Row:
    """What the probes and `recover` read."""
    paths = ("/proc/self/stat", "/proc/self/environ", "/proc/self/schedstat", "/proc/net/tcp", "/proc/net/udp")
    closed = [path for path in paths if not os.access(path, os.R_OK)]
    return Row(not closed, f"{', '.join(closed)} cannot be read" if closed else "readable")


def receive_buffer() -> Row:
    """Short of this, the kernel drops packets in bursts and the drill doubts itself."""
    found = int(Path("/proc/sys/net/core/rmem_max").read_text())
    return Row(found >= BUFFER_BYTES_MIN, f"net.core.rmem_max = {found}")


def cpus() -> Row:
    """Those this process may use: its affinity, and its cgroup's quota where there is one."""
    allowed = float(len(os.sched_getaffinity(0)))
    quota = Path("/sys/fs/cgroup/cpu.max")
    words = quota.read_text().split() if quota.exists() else ["max"]
    if words[0] != "max":
        allowed = min(allowed, int(words[0]) / int(words[1]))
    return Row(allowed >= CPUS_WISHED, f"{allowed:g}, {CPUS_WISHED} or more recommended")


def clock() -> Row:
    """A slow clock source makes every time stamp cost a system call."""
    found = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource").read_text().strip()
    return Row(found not in SLOW_CLOCKS, found)


def disk() -> Row:
    """Room for the records."""
    free = shutil.disk_usage(REPOSITORY).free / (1 << 30)
    return Row(free >= DISK_GIB_MIN, f"{free:.1f} GiB free at {REPOSITORY}")


def container_engine() -> Row:
    """An engine whose containers can be reached from here."""
    version, unfit = engine.version(), engine.unfit()
    return Row(not unfit, ", ".join(part for part in (version and f"version {version}", unfit) if part))


def compose() -> Row:
    """The program that stands the stage up."""
    version = engine.compose_version()
    return Row(bool(version), f"version {version}" if version else "no compose v2")


def images() -> Row:
    """The images of the container stage, or what they would be made with when a drill first needs them."""
    if engine.unfit():
        return Row(False, "no engine to look in")
    if not venv_python().exists():
        return Row(False, "not looked for before `make setup`")
    code, line = asked([str(venv_python()), "-m", "drills.stage.images", "list"])
    counts = re.fullmatch("([0-9]+) of ([0-9]+) are here", line)
    if code or not counts:
        return Row(False, line)
    if counts[1] == counts[2]:
        return Row(True, f"all {counts[2]}")
    if os.environ.get("DRILLS_REGISTRY"):
        return Row(True, f"{line}, the others will be pulled from DRILLS_REGISTRY or made")
    if shutil.which("mmdebstrap"):
        return Row(True, f"{line}, the others will be made")
    return Row(False, f"{line}, and there is no mmdebstrap to make the others with")


def wavry() -> Row:
    """The programs for `--target wavry`."""
    folder = os.environ.get("WAVRY_BIN", "")
    if not folder:
        return Row(False, "WAVRY_BIN is not set")
    names = ("wavry-gateway", "wavry-master", "wavry-relay")
    missing = [name for name in names if not os.access(Path(folder, name), os.X_OK)]
    return Row(not missing, f"{folder}: " + (f"no {', '.join(missing)}" if missing else "all three programs"))


LOOKS = (
    Look("Python", True, python, "install Python 3.11 or newer (apt install python3.11, or pyenv)"),
    Look("Python's venv", True, venv_module, "apt install python3-venv, or a Python from python.org or pyenv"),
    Look("packages", True, dependencies, "make setup, which makes .venv and installs them there"),
    Look("git", True, lambda: program("git", "--version"), "apt install git"),
    Look("make", True, lambda: program("make", "--version"), "apt install make"),
    Look(
        "toxiproxy-server", True, toxiproxy,
        f"install Go {GO_MIN[0]}.{GO_MIN[1]} and run `make setup`, or put Toxiproxy {TOXIPROXY} into .tools/bin",
    ),
    Look("Linux", True, linux, "run the drills on Linux: a virtual machine or CI will do"),
    Look("loopback addresses", True, loopback, "a loopback of 127.0.0.0/8, the default (ip addr show lo)"),
    Look("/proc", True, proc, "mount /proc without hidepid, and do not mask it in a container"),
    Look("UDP receive buffer", False, receive_buffer, f"sysctl -w net.core.rmem_max={BUFFER_BYTES_MIN}"),
    Look("CPUs", False, cpus, "a machine with more CPUs; on one, late sends make many judgements inconclusive"),
    Look(
        "container engine", False, container_engine,
        "`make engine` (root) installs and starts Docker; the process stage needs none",
    ),
    Look("compose v2", False, compose, "`make engine` brings it; the process stage needs none"),
    Look(
        "images", False, images,
        "`make images`; making them needs mmdebstrap and root, pulling them DRILLS_REGISTRY; the process stage none",
    ),
    Look("clock source", False, clock, "boot with clocksource=tsc where the machine has a stable one"),
    Look("free disk", True, disk, "remove old runs under reports/, a run is about 50 MiB"),
    Look("Wavry's programs", False, wavry, "for --target wavry: build them and set WAVRY_BIN to their folder"),
)  # fmt: skip

"""Layers of Python packages for the containers' Python, from the same pins as ours (constraints.txt).

Wheels are unpacked straight into the layer; what only pip or a build would use is left out.
"""

from __future__ import annotations

import platform
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from drills.stage.images import bounded, places
from drills.stage.images.base import PYTHON
from drills.stage.images.tarball import Member

RECIPE = 1
HOME = "opt/python"
WITHIN_S = 600.0
GLIBC_MINOR_MAX = 36  # the suite's
# What drills.reference imports, with what that rests on.
REFERENCE = (
    "aiohappyeyeballs", "aiohttp", "aiosignal", "argon2-cffi", "argon2-cffi-bindings", "attrs", "cffi", "cryptography",
    "frozenlist", "idna", "multidict", "propcache", "pycparser", "pycryptodomex", "typing-extensions", "yarl",
)  # fmt: skip
# What the load, its wire clients and the proxies' set-up do without: tests, types, pictures, the engine.
NOT_FOR_THE_LOAD = {
    "ast-serialize", "contourpy", "cycler", "docker", "fonttools", "iniconfig", "jsonschema",
    "jsonschema-specifications", "kiwisolver", "librt", "matplotlib", "mypy", "mypy-extensions",
    "pathspec", "pillow", "pluggy", "pygments", "pyparsing", "pytest", "python-dateutil", "referencing", "rpds-py",
    "ruff", "testcontainers", "types-pyyaml", "types-requests", "wrapt",
}  # fmt: skip
ONLY_AS_SOURCE = {"toxiproxy-python"}  # pure Python, so that a wheel made here is like one made anywhere
LEFT_OUT = (
    "*.dist-info/RECORD", "*.dist-info/WHEEL", "*.dist-info/INSTALLER", "*.pyx", "*.pxd", "*.pyi", "*.c", "*.h",
    "gevent/tests/*", "numpy/*/tests/*", "pyarrow/tests/*", "pyarrow/include/*", "pyarrow/src/*",
    "Cryptodome/SelfTest/*", "zope/interface/*/tests/*", "zope/interface/tests/*", "greenlet/tests/*",
)  # fmt: skip


def pins(constraints: str) -> dict[str, str]:
    """Each package of constraints.txt with its version, under its plain name."""
    rows = (line.split("==", 1) for line in constraints.splitlines() if "==" in line)
    return {plain(name): version.strip() for name, version in rows}


def plain(name: str) -> str:
    """A package's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(names: Sequence[str]) -> list[str]:
    """``name==version`` for each."""
    versions = _all_pins()
    return [f"{name}=={versions[name]}" for name in sorted(names)]


def for_the_load() -> list[str]:
    """Every pinned package that the load cannot do without."""
    return sorted(_all_pins().keys() - NOT_FOR_THE_LOAD)


def inputs(names: Sequence[str]) -> dict[str, Any]:
    """Everything that determines a layer of these packages."""
    return {
        "recipe": RECIPE, "python": PYTHON, "machine": platform.machine(), "glibc": GLIBC_MINOR_MAX,
        "packages": pinned(names), "left_out": LEFT_OUT,
    }  # fmt: skip


def members(names: Sequence[str]) -> Iterator[Member]:
    """What these packages put into the layer, downloaded first where they are not here yet."""
    for wheel in downloaded(names):
        built_here = plain(wheel.name.split("-")[0]) in ONLY_AS_SOURCE
        yield from _unpacked(wheel, with_metadata=not built_here)


def downloaded(names: Sequence[str]) -> list[Path]:
    """The wheels of these packages."""
    wanted = pinned(names)
    missing = [pin for pin in wanted if not _wheel(pin)]
    ready = [pin for pin in missing if pin.split("==")[0] not in ONLY_AS_SOURCE]
    if ready:
        bounded.run([*_pip("download"), *_platform_words(), *ready], places.LOGS / "pip-download.log", WITHIN_S)
    for pin in (pin for pin in missing if pin not in ready):
        bounded.run([*_pip("wheel"), pin], places.LOGS / "pip-wheel.log", WITHIN_S)
    for made in places.WORK.glob("*.whl"):
        places.put(made, places.WHEELS / made.name)
    return [wheel for pin in wanted if (wheel := _wheel(pin))]


def _pip(act: str) -> list[str]:
    where = ["--dest"] if act == "download" else ["--wheel-dir"]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    return [sys.executable, "-m", "pip", act, *quiet, *where, str(places.WORK)]


def _platform_words() -> list[str]:
    machine = platform.machine()
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC_MINOR_MAX, 4, -1)] + [f"manylinux2014_{machine}"]
    words = ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON]
    return words + [word for tag in tags for word in ("--platform", tag)]


def _wheel(pin: str) -> Path | None:
    """The one wheel of a pin in the cache."""
    name, version = pin.split("==")
    for path in sorted(places.WHEELS.glob("*.whl")):
        parts = path.name.split("-")
        if plain(parts[0]) == name and parts[1] == version and _for_this_machine(path.name):
            return path
    return None


def _for_this_machine(name: str) -> bool:
    return name.endswith(("-any.whl", f"_{platform.machine()}.whl"))


def _unpacked(wheel: Path, *, with_metadata: bool) -> Iterator[Member]:
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = _installed(entry.filename)
            if path and not entry.is_dir() and (with_metadata or ".dist-info/" not in path):
                yield Member(f"{HOME}/{path}", archive.read(entry))


def _installed(path: str) -> str:
    """Where a wheel's file goes; empty for scripts, headers and what is left out."""
    first, _, rest = path.partition("/")
    if first.endswith(".data"):
        scheme, _, path = rest.partition("/")
        path = path if scheme in ("purelib", "platlib") else ""
    return "" if any(fnmatch(path, pattern) for pattern in LEFT_OUT) else path


def _all_pins() -> dict[str, str]:
    return pins((places.REPOSITORY / "constraints.txt").read_text(encoding="utf-8"))

"""Layers of our own files: the entry scripts, the reference control plane, the load."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from drills.stage.images import places
from drills.stage.images.base import PYTHON
from drills.stage.images.tarball import Member

RECIPE = 1
HOME = "opt/drills"
KINDS = ("gateway", "master", "relay")
SCRIPTS = Path(__file__).parent / "files"
# The reference and what it imports of the rest; a test compares this with the imports.
REFERENCE = (
    "drills/__init__.py", "drills/reference/**/*.py", "drills/wavry/__init__.py", "drills/wavry/lease.py",
    "drills/wavry/packets.py",
)  # fmt: skip
LOAD = ("drills/**/*.py",)
# What runs where an engine is, judges, reports or is a test has no business in the load's image.
NOT_FOR_THE_LOAD = (
    "drills/bench/", "drills/report/", "drills/reference/", "drills/stage/images/", "drills/stage/engine.py",
    "drills/conftest.py", "drills/test_drills.py", "drills/doctor.py", "drills/verdict.py", "drills/doubts.py",
    "drills/weighing.py",
)  # fmt: skip


def reference_files() -> dict[str, Path]:
    """The sources of the reference, by their path in the repository."""
    return _found(REFERENCE, ())


def load_files() -> dict[str, Path]:
    """The sources of the load, by their path in the repository."""
    return _found(LOAD, NOT_FOR_THE_LOAD)


def entry_files() -> dict[str, Path]:
    """The entry scripts, by their path in the image."""
    return {f"usr/local/bin/{kind}-entrypoint.sh": SCRIPTS / f"{kind}-entrypoint.sh" for kind in KINDS}


def program(kind: str) -> bytes:
    """What the reference's images have where Wavry's have a binary."""
    return f'#!/bin/sh\nexec python3 -m drills.reference.{kind} "$@"\n'.encode()


def inputs(files: Mapping[str, Path]) -> dict[str, Any]:
    """Everything that determines a layer of these files."""
    hashes = {path: hashlib.sha256(file.read_bytes()).hexdigest() for path, file in files.items()}
    return {"recipe": RECIPE, "python": PYTHON, "files": hashes}


def entry_members() -> Iterable[Member]:
    """The entry scripts, and the folder that Wavry's own programs are mounted at."""
    yield Member("opt/wavry/bin", None, 0o755)
    for path, file in entry_files().items():
        yield Member(path, file.read_bytes(), 0o755)


def reference_members() -> Iterable[Member]:
    """The reference with its three programs."""
    for kind in KINDS:
        yield Member(f"usr/local/bin/wavry-{kind}", program(kind), 0o755)
    yield from _members(reference_files())


def load_members() -> Iterable[Member]:
    """The load."""
    return _members(load_files())


def _members(files: Mapping[str, Path]) -> Iterable[Member]:
    for path, file in files.items():
        yield Member(f"{HOME}/{path}", file.read_bytes())


def _found(patterns: Iterable[str], without: tuple[str, ...]) -> dict[str, Path]:
    files = {path for pattern in patterns for path in places.REPOSITORY.glob(pattern)}
    named = {path.relative_to(places.REPOSITORY).as_posix(): path for path in sorted(files)}
    return {name: path for name, path in named.items() if not name.startswith(without)}

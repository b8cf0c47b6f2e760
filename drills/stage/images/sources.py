"""Layers of our own files: the entry scripts, the reference control plane, the load.

Files are read once, by whoever asks for their hash: what is edited meanwhile gets into neither hash nor layer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from drills.stage.images import places
from drills.stage.images.base import PYTHON
from drills.stage.images.tarball import Member

Files = Mapping[str, bytes]

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


def reference_files() -> Files:
    """The sources of the reference, by their path in the repository."""
    return _read(REFERENCE, ())


def load_files() -> Files:
    """The sources of the load, by their path in the repository."""
    return _read(LOAD, NOT_FOR_THE_LOAD)


def entry_files() -> Files:
    """The entry scripts, by their path in the image."""
    return {f"usr/local/bin/{kind}-entrypoint.sh": (SCRIPTS / f"{kind}-entrypoint.sh").read_bytes() for kind in KINDS}


def program_files() -> Files:
    """What the reference's images have where Wavry's have a binary, by their path in the image."""
    return {
        f"usr/local/bin/wavry-{kind}": f'#!/bin/sh\nexec python3 -m drills.reference.{kind} "$@"\n'.encode()
        for kind in KINDS
    }


def inputs(*files: Files) -> dict[str, Any]:
    """Everything that determines a layer of these files."""
    hashes = {path: hashlib.sha256(content).hexdigest() for some in files for path, content in some.items()}
    return {"recipe": RECIPE, "python": PYTHON, "files": hashes}


def members(packages: Files, programs: Files) -> list[Member]:
    """Sources below ``HOME``, programs where they belong."""
    below = [Member(f"{HOME}/{path}", content) for path, content in packages.items()]
    return below + [Member(path, content, 0o755) for path, content in programs.items()]


def _read(patterns: Iterable[str], without: tuple[str, ...]) -> Files:
    files = {path for pattern in patterns for path in places.REPOSITORY.glob(pattern)}
    named = {path.relative_to(places.REPOSITORY).as_posix(): path for path in sorted(files)}
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith(without)}

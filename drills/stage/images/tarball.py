"""Layers as tar files whose bytes depend on nothing but their members: no clock, no user, no order of a disk."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

EPOCH = 1767225600  # 2026-01-01T00:00:00Z: the time of every file and every image that we make
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Member:
    """One file, or with ``content`` None one folder, owned by root."""

    path: str  # without a leading slash
    content: bytes | None
    mode: int = 0o644


def written(members: Iterable[Member], path: Path) -> None:
    """A tar file of these members and of the folders they lie in, sorted."""
    by_path = {member.path: member for member in members}
    for parent in {str(parent) for name in by_path for parent in PurePosixPath(name).parents} - {"."}:
        by_path.setdefault(parent, Member(parent, None, 0o755))
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(by_path):
            member = by_path[name]
            tar.addfile(header(name, member), io.BytesIO(member.content) if member.content is not None else None)


def header(name: str, member: Member) -> tarfile.TarInfo:
    """The header of one member; everything not said is the default, which is the same everywhere."""
    found = tarfile.TarInfo(name)
    found.mode, found.mtime = member.mode, EPOCH
    found.type, found.size = (tarfile.DIRTYPE, 0) if member.content is None else (tarfile.REGTYPE, len(member.content))
    return found


def digest(path: Path) -> str:
    """``sha256:…`` of a file: of a layer's tar, its diff id."""
    found = hashlib.sha256()
    for block in blocks(path):
        found.update(block)
    return f"sha256:{found.hexdigest()}"


def blocks(path: Path) -> Iterator[bytes]:
    """A file in pieces."""
    with path.open("rb") as source:
        while block := source.read(_BLOCK):
            yield block

"""Byte code for the containers' Python, made by that Python in a container of the base image.

The .pyc files carry a hash that is never checked: start-up is quick, the root can be read-only, and a file's time does
not matter. The container has no network and is gone afterwards.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from drills.errors import CannotRun
from drills.stage.images import places, tarball
from drills.stage.images.tarball import Member

# The label of a container that makes images; one that a killed maker of this folder has left is removed.
MAKING = "wavry-drills.making"
CACHE = "compiled"
WITHIN_S = 300.0


@dataclass(frozen=True)
class Compiler:
    """The Python of a base image, by its reference in the engine."""

    client: Any
    base: str

    def compiled(self, members: Iterable[Member]) -> list[Member]:
        """These members, and the byte code of those that are Python sources."""
        whole = list(members)
        sources = [member for member in whole if member.path.endswith(".py")]
        return whole + list(self._byte_code(sources))

    def _byte_code(self, sources: list[Member]) -> Iterator[Member]:
        handed_in = places.WORK / "sources.tar"
        tarball.written([*sources, Member(CACHE, None, 0o755)], handed_in)
        roots = sorted({f"/{PurePosixPath(*PurePosixPath(source.path).parts[:2])}" for source in sources})
        container = self._container(roots)
        try:
            with handed_in.open("rb") as content:
                container.put_archive("/", content)
            container.start()
            container.wait(timeout=WITHIN_S)
            pieces, _ = container.get_archive(f"/{CACHE}")
            yield from _unpacked(b"".join(pieces))
        finally:
            container.remove(force=True)

    def _container(self, roots: list[str]) -> Any:
        remove_left(self.client)
        # one process: what one file's byte code looks like may depend on what the same process compiled before
        words = ["python3", "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash", *roots]
        return self.client.containers.create(
            self.base, words, entrypoint=[], user="0", network_mode="none", labels={MAKING: str(places.FOLDER)},
            environment={"PYTHONPYCACHEPREFIX": f"/{CACHE}", "PYTHONHASHSEED": "0"},
        )  # fmt: skip


def remove_left(client: Any) -> None:
    """Remove what a killed maker has left in the engine; only called with the lock held."""
    for container in client.containers.list(all=True, filters={"label": f"{MAKING}={places.FOLDER}"}):
        container.remove(force=True)


def _unpacked(archive: bytes) -> Iterator[Member]:
    """Each .pyc beside its source, from where PYTHONPYCACHEPREFIX had it put."""
    found = 0
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for entry in tar:
            content = tar.extractfile(entry) if entry.isfile() else None
            if content is not None:
                path = PurePosixPath(entry.name).relative_to(CACHE)
                yield Member(f"{path.parent}/__pycache__/{path.name}", content.read())
                found += 1
    if not found:
        raise CannotRun("the base image's Python compiled nothing")

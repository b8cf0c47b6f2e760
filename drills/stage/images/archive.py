"""Images handed to the engine in the form of ``docker save``, streamed, without what the engine already has.

The image's own description has a fixed time, so that the same layers and the same config are the same image id on
every machine. An engine that keeps layers in its own store (all but containerd's) looks for a layer by its chain
before it reads it, so that those it has are named in the archive and left out of it: after a change of one source,
only that layer travels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drills.errors import CannotRun
from drills.stage.images import base, recipes, tarball
from drills.stage.images.layers import MadeLayer
from drills.stage.images.recipes import Image
from drills.stage.images.tarball import EPOCH, Member

CREATED = datetime.fromtimestamp(EPOCH, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
_PADDING = 512
_END = b"\0" * 1024


@dataclass(frozen=True)
class MadeImage:
    """An image with its layers made."""

    image: Image
    layers: tuple[MadeLayer, ...]

    @property
    def description(self) -> bytes:
        """The image's config file, whose hash is the image id."""
        config = {**self.image.config, "Labels": _labels(self)}
        history = [{"created": CREATED, "created_by": f"wavry-drills {layer.name}"} for layer in self.image.layers]
        found = {
            "architecture": recipes.architecture(), "os": "linux", "created": CREATED, "config": config,
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]}, "history": history,
        }  # fmt: skip
        return json.dumps(found, sort_keys=True).encode()

    @property
    def id(self) -> str:
        """The image id."""
        return f"sha256:{hashlib.sha256(self.description).hexdigest()}"


def _labels(made: MadeImage) -> dict[str, str]:
    labels = {recipes.LABEL: made.image.inputs, f"{recipes.PREFIX}.image": made.image.name}
    packages = made.layers[0].notes.get("packages")
    if made.image.name == "base" and packages:
        labels[f"{recipes.PREFIX}.packages"] = " ".join(f"{name}={version}" for name, version in packages.items())
    if len(made.layers) > 1:
        labels[f"{recipes.PREFIX}.base"] = f"{base.SUITE} {made.layers[0].diff_id}"
    return labels


def loaded(client: Any, images: Sequence[MadeImage]) -> None:
    """Hand these images to the engine under both their tags; raises CannotRun with what it said."""
    import docker.errors
    import requests

    here = known_layers(client)
    try:
        for event in client.api.load_image(streamed(images, here)):
            if "error" in event:
                raise CannotRun(f"the engine does not take the images: {event['error']}")
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise CannotRun(f"the engine does not take the images: {error}") from error


def known_layers(client: Any) -> set[tuple[str, ...]]:
    """Chains of layers (diff ids from the bottom up) that the engine has and will not ask for again."""
    if any("io.containerd" in str(row) for row in client.info().get("DriverStatus") or ()):
        return set()  # this store wants every layer in every archive
    found = set()
    for image in client.api.images(filters={"label": recipes.LABEL}):
        layers = client.api.inspect_image(image["Id"])["RootFS"].get("Layers") or ()
        found |= {tuple(layers[:count]) for count in range(1, len(layers) + 1)}
    return found


def streamed(images: Sequence[MadeImage], here: set[tuple[str, ...]]) -> Iterator[bytes]:
    """The archive, piece by piece; layers in ``here`` are left out."""
    manifest = []
    for made in images:
        name = f"{made.id.removeprefix('sha256:')}.json"
        layers = [_file_name(layer.diff_id) for layer in made.layers]
        tags = [made.image.exact, made.image.moving]
        manifest.append({"Config": name, "RepoTags": tags, "Layers": layers})
        yield from _packed(Member(name, made.description))
    for diff_id, file in _missing(images, here).items():
        yield from _packed_file(_file_name(diff_id), file)
    yield from _packed(Member("manifest.json", json.dumps(manifest).encode()))
    yield _END


def _missing(images: Sequence[MadeImage], here: set[tuple[str, ...]]) -> Mapping[str, Path]:
    found = {}
    for made in images:
        chain: tuple[str, ...] = ()
        for layer in made.layers:
            chain = (*chain, layer.diff_id)
            if chain in here:
                continue
            if layer.file is None:
                raise CannotRun(f"layer {layer.diff_id} of {made.image.name} is neither in the engine nor here")
            found[layer.diff_id] = layer.file
    return found


def _file_name(diff_id: str) -> str:
    return f"{diff_id.removeprefix('sha256:')}.tar"


def _packed(member: Member) -> Iterator[bytes]:
    content = member.content or b""
    yield tarball.header(member.path, member).tobuf()
    yield content + _padding(len(content))


def _packed_file(name: str, file: Path) -> Iterator[bytes]:
    header = tarball.header(name, Member(name, b""))
    header.size = file.stat().st_size
    yield header.tobuf()
    yield from tarball.blocks(file)
    yield _padding(header.size)


def _padding(size: int) -> bytes:
    return b"\0" * (-size % _PADDING)

"""What the engine is handed: whole, the same every time, without what it has."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from drills.errors import CannotRun
from drills.stage.images import archive, tarball
from drills.stage.images.archive import MadeImage
from drills.stage.images.layers import Layer, MadeLayer
from drills.stage.images.recipes import LABEL, Image
from drills.stage.images.tarball import Member


def made(folder: Path, name: str, *layers: str) -> MadeImage:
    """An image of these layers, each of one file."""
    found = []
    for layer in layers:
        tarball.written([Member(layer, layer.encode())], folder / f"{layer}.tar")
        found.append(MadeLayer(tarball.digest(folder / f"{layer}.tar"), folder / f"{layer}.tar", {}))
    plans = tuple(Layer(layer, layer, {"of": layer}, lambda *_: {}) for layer in layers)
    return MadeImage(Image(name, "latest", plans, {"Cmd": ["x"]}), tuple(found))


def opened(images: list[MadeImage], here: set[tuple[str, ...]]) -> dict[str, bytes]:
    """The files of the archive, as the engine would read them."""
    content = b"".join(archive.streamed(images, here))
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {entry.name: file.read() for entry in tar if (file := tar.extractfile(entry))}


def test_an_image_id_is_the_hash_of_its_description(tmp_path: Path) -> None:
    """The same layers and config give the same id, today and elsewhere; another name another."""
    one, again = made(tmp_path, "load", "a", "b"), made(tmp_path, "load", "a", "b")
    assert one.id == again.id == f"sha256:{hashlib.sha256(one.description).hexdigest()}"
    assert made(tmp_path, "toxiproxy", "a", "b").id != one.id
    described = json.loads(one.description)
    assert described["created"] == "2026-01-01T00:00:00Z"
    assert described["config"]["Labels"][LABEL] == one.image.inputs


def test_layers_that_images_share_travel_once_and_both_tags_are_named(tmp_path: Path) -> None:
    """And the archive is whole: what the manifest names is there."""
    images = [made(tmp_path, "gateway:known-good", "a", "b"), made(tmp_path, "load", "a", "c")]
    found = opened(images, set())
    manifest = json.loads(found["manifest.json"])
    assert [row["RepoTags"] for row in manifest] == [[one.image.exact, one.image.moving] for one in images]
    named = {layer for row in manifest for layer in row["Layers"]} | {row["Config"] for row in manifest}
    assert named | {"manifest.json"} == found.keys()
    assert len([name for name in found if name.endswith(".tar")]) == 3


def test_layers_that_the_engine_has_do_not_travel(tmp_path: Path) -> None:
    """As a chain: the same layer on another one is not there yet."""
    image = made(tmp_path, "load", "a", "b")
    a, b = (layer.diff_id for layer in image.layers)
    tars = lambda here: sorted(name for name in opened([image], here) if name.endswith(".tar"))  # noqa: E731
    assert tars({(a,)}) == [f"{b.removeprefix('sha256:')}.tar"]
    assert tars({(a,), (a, b)}) == []
    assert len(tars({(b,)})) == 2


def test_a_layer_that_is_nowhere_is_named(tmp_path: Path) -> None:
    """Before anything is handed over by halves."""
    image = made(tmp_path, "load", "a")
    lost = MadeImage(image.image, (MadeLayer(image.layers[0].diff_id, None, {}),))
    with pytest.raises(CannotRun, match="of load is neither in the engine nor here"):
        opened([lost], set())

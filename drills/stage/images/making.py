"""Images made sure of: those that are missing are pulled where a registry has them, else made here.

The one place that knows the order: what is here, then ``DRILLS_REGISTRY``, then the base image, then the layers that
changed, then one archive for the engine.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from drills.errors import CannotRun
from drills.stage import engine
from drills.stage.images import archive, layers, places, recipes, registry
from drills.stage.images.archive import MadeImage
from drills.stage.images.compiled import Compiler
from drills.stage.images.layers import Layer, MadeLayer
from drills.stage.images.places import Say
from drills.stage.images.recipes import Image
from drills.stage.images.registry import Registry

ENGINE_SILENCE_S = 300.0  # the engine unpacks a layer of 300 MB without a word
FOREIGN_TOXIPROXY = "ghcr.io/shopify/toxiproxy:2.12.0"  # its makers' own image; takes the same arguments


def ensured(wanted: Sequence[str], say: Say) -> dict[str, str]:
    """For each image wanted ("gateway:known-good", "load" …) the reference to run; raises CannotRun.

    A tenth of a second where everything is here; what is not is pulled or made, and ``say`` is told in one line each.
    """
    import docker.errors
    import requests

    try:
        with closing(engine.client(ENGINE_SILENCE_S)) as client:
            return _ensured(client, wanted, say)
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise CannotRun(f"images could not be made sure of: {registry.said(error)}") from error


def _ensured(client: Any, wanted: Sequence[str], say: Say) -> dict[str, str]:
    images = {name: recipes.image(name) for name in wanted}
    found = {name: image.exact for name, image in images.items() if present(client, image)}
    if len(found) < len(images):
        with places.locked(say):
            missing = [image for name, image in images.items() if name not in found and not present(client, image)]
            substitutes = _made_or_pulled(client, missing, say)
        found = {name: substitutes.get(name, image.exact) for name, image in images.items()}
    return found


def present(client: Any, image: Image) -> bool:
    """Whether the engine has this image, made from the same inputs; its moving tag then follows it."""
    import docker.errors

    try:
        found = client.api.inspect_image(image.exact)
    except docker.errors.ImageNotFound:
        return False
    if registry.label(found) != image.inputs:
        return False
    if image.moving not in (found.get("RepoTags") or ()):
        client.api.tag(found["Id"], image.repository, image.tag)
    return True


def _made_or_pulled(client: Any, missing: Sequence[Image], say: Say) -> dict[str, str]:
    """Get these images; returns the references of those that stand in for one of ours."""
    ours = Registry(client, say)
    to_make = [image for image in missing if not ours.pulled(image)]
    substitutes = {image.name: reference for image in to_make if (reference := _substitute(image, say))}
    to_make = [image for image in to_make if image.name not in substitutes]
    if to_make:
        _Workshop(client, say, ours).make(to_make)
    return substitutes


def _substitute(image: Image, say: Say) -> str:
    """Toxiproxy's own image, where there is a registry or no Go; empty when ours is to be made."""
    if image.name != "toxiproxy" or not (registry.name() or shutil.which("go") is None):
        return ""
    try:
        registry.present_or_pulled(FOREIGN_TOXIPROXY, say)
    except CannotRun as error:
        if shutil.which("go") is None:
            raise CannotRun(f"{error}; nor is there a Go to build it with (1.23 or newer)") from None
        return ""
    return FOREIGN_TOXIPROXY


@dataclass(frozen=True)
class _Workshop:
    """Where images are made; the lock must be held."""

    client: Any
    say: Say
    ours: Registry

    def make(self, images: Sequence[Image]) -> None:
        """Make these images and hand them to the engine in one archive."""
        base = recipes.image("base")
        if any(base.layers[0].name in [layer.name for layer in image.layers] for image in images):
            self._have_base(base)
        compiler = Compiler(self.client, base.exact)
        done: dict[str, MadeLayer] = {}
        for layer in {layer.name: layer for image in images for layer in image.layers}.values():
            done[layer.name] = self._layer(layer, base, compiler)
        rest = [image for image in images if image.name != "base"]
        if rest:
            archive.loaded(self.client, [_piled(image, done) for image in rest])
            self.say(f"images: made {', '.join(image.name for image in rest)}")

    def _have_base(self, base: Image) -> None:
        """The base image in the engine: it compiles, and all others stand on it."""
        if present(self.client, base) or self.ours.pulled(base):
            return
        layer = base.layers[0]
        made = layers.made_before(layer) or self._made(layer, Compiler(self.client, base.exact))
        archive.loaded(self.client, [_piled(base, {layer.name: made})])
        self.say("images: made base")

    def _layer(self, layer: Layer, base: Image, compiler: Compiler) -> MadeLayer:
        if layer.name == base.layers[0].name:
            return self._of_engine(base, layers.made_before(layer))
        return layers.made_before(layer) or self._made(layer, compiler)

    def _made(self, layer: Layer, compiler: Compiler) -> MadeLayer:
        self.say(f"images: making {layer.what}")
        return layers.make(layer, compiler)

    def _of_engine(self, base: Image, cached: MadeLayer | None) -> MadeLayer:
        """The base layer that the engine has, which another machine may have made from a mirror in another state."""
        diff_id = self.client.api.inspect_image(base.exact)["RootFS"]["Layers"][0]
        return cached if cached and cached.diff_id == diff_id else MadeLayer(diff_id, None, {})


def _piled(image: Image, done: dict[str, MadeLayer]) -> MadeImage:
    return MadeImage(image, tuple(done[layer.name] for layer in image.layers))

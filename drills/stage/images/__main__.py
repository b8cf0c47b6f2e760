"""``python -m drills.stage.images``: make all images (``make images``), push them, list them, remove old ones."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

from drills.errors import DrillError
from drills.signals import Signals
from drills.stage import engine
from drills.stage.images import making, recipes, registry

_MIB = 1 << 20


def main(words: Sequence[str]) -> int:
    """Do what was asked; the exit code of design §6."""
    parser = argparse.ArgumentParser(prog="python -m drills.stage.images", description=__doc__)
    parser.add_argument("act", nargs="?", choices=ACTS, default="make", help="make by default")
    try:
        act = parser.parse_args(words).act
    except SystemExit as left:
        return 4 if left.code else 0
    try:
        with Signals().caught():
            ACTS[act]()
    except DrillError as error:
        print(f"drills: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _make() -> None:
    began = time.monotonic()
    references = making.ensured(recipes.names(), _say)
    for name, reference in references.items():
        facts = registry.image_facts(reference)
        print(f"{name:20}  {facts['size_bytes'] / _MIB:6.1f} MiB  {facts['id'][7:19]}  {reference}")
    print(f"{len(references)} images in {time.monotonic() - began:.1f} s")


def _push() -> None:
    making.ensured(recipes.names(), _say)
    registry.pushed([recipes.image(name) for name in recipes.names()], _say)


def _list() -> None:
    """The first line sums up, for the doctor."""
    client = engine.client()
    images = [recipes.image(name) for name in recipes.names()]
    here = {image.name for image in images if making.present(client, image)}
    print(f"{len(here)} of {len(images)} are here")
    for image in images:
        print(f"{image.name:20}  {'present' if image.name in here else 'missing':8}  {image.exact}")


def _prune() -> None:
    """Remove images of ours whose inputs are no longer these, unless a container uses them."""
    client = engine.client()
    current = {recipes.image(name).inputs for name in recipes.names()}
    used = {container.image.id for container in client.containers.list(all=True)}
    for found in client.api.images(filters={"label": recipes.LABEL}):
        if _current(found, current) or found["Id"] in used:
            continue
        for tag in found.get("RepoTags") or [found["Id"]]:
            client.api.remove_image(tag)
            print(f"removed {tag}")


def _current(found: dict[str, Any], current: set[str]) -> bool:
    return (found.get("Labels") or {}).get(recipes.LABEL) in current


def _say(line: str) -> None:
    print(line, flush=True)


ACTS = {"make": _make, "push": _push, "list": _list, "prune": _prune}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A named network condition, in force for the whole run: toxics on every UDP path, proven like any fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drills.faults.base import Receipt
from drills.faults.impaired import Toxic, impaired
from drills.paths.effects import EFFECTS
from drills.record import CONDITION
from drills.scenario.networks import Network

if TYPE_CHECKING:
    from drills.scene import Scene


@contextmanager
def networked(scene: Scene, network: Network | None) -> Iterator[None]:
    """Every UDP path is as the condition has it while this lasts; nothing, where there is no condition."""
    if network is None:
        yield
        return
    toxics = [
        Toxic(proxy, stream, kind, attributes, CONDITION)
        for proxy in scene.stage.on_path("ends")
        for stream, made in network.toxics[proxy.partition("_to_")[0]].items()
        for kind, attributes in made
    ]
    asked = "; ".join(
        f"{side} {stream} " + ", ".join(EFFECTS[kind].words(attributes) for kind, attributes in made)
        for side, streams in network.toxics.items() for stream, made in streams.items()
    )  # fmt: skip
    # a condition may lose one packet in a thousand: no run is long enough for a canary to tell that from none
    with impaired(scene, Receipt(CONDITION, network.name, f"{network.name}: {asked}"), toxics, told=False):
        yield

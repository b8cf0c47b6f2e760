"""A toxic as the API shows it, and its deciders in the links that it acts on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from drills.udp_proxy.draws import Draws, threshold
from drills.udp_proxy.fates import Decide
from drills.udp_proxy.toxics.table import Attributes

STREAMS = ("upstream", "downstream")


@dataclass
class Toxic:
    """One toxic on one proxy. Only ``acted`` ever changes: an edit makes another toxic at the same place."""

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: Attributes
    order: int  # its place among all that were ever put on this proxy
    acted: int = 0  # packets that it did not just let pass

    def to_json(self) -> dict[str, Any]:
        """As Toxiproxy shows one."""
        attributes = dataclasses.asdict(self.attributes)  # type: ignore[call-overload]
        return {"attributes": attributes, "name": self.name, "type": self.type, "stream": self.stream,
                "toxicity": self.toxicity}  # fmt: skip


class Stage(NamedTuple):
    """A toxic in one direction of one flow."""

    order: int
    decide: Decide
    toxic: Toxic


def stages(toxics: Iterable[Toxic], before: Iterable[Stage], *asker: str | int) -> list[Stage]:
    """The stages of a link, in order; those of toxics that were there before keep their deciders.

    A toxic acts on a whole flow or not at all, with its toxicity as the probability (Toxiproxy: "applied to a link").
    """
    kept = {id(stage.toxic): stage for stage in before}
    found = []
    for toxic in toxics:
        draws = Draws(*asker, toxic.name, toxic.stream)
        if toxic.toxicity >= 1 or draws.lane("toxicity").at(0) < threshold(toxic.toxicity):
            found.append(kept.get(id(toxic)) or Stage(toxic.order, toxic.attributes.decider(draws), toxic))
    return found

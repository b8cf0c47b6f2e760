"""Named network conditions (``scenarios/networks/*.yaml``): what lies between a session's ends and its relay.

Each figure says where it comes from. A condition acts on the session's own packets (UDP), whole runs long; it makes
both directions of either end late, unevenly late and lossy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from drills.errors import BadInput
from drills.scenario import strict_yaml
from drills.scenario.models import Strict
from drills.scenario.problems import Problems
from drills.scenario.reading import read_part

SIDES = {"clients": "client", "hosts": "host"}  # a side of the stage, and its name in a file
STREAMS = {"upstream": "up", "downstream": "down"}
Attributes = Mapping[str, Any]
Toxics = tuple[tuple[str, Attributes], ...]  # type and attributes, in the order in which they act


class Figure(Strict):
    """One number and where it comes from: a key of ``sources``."""

    value: Annotated[float, Field(alias="is", ge=0, le=5000)]
    source: Annotated[str, Field(alias="from", min_length=1)]


class Way(Strict):
    """One direction of one end's access: half-way figures, from the end to its relay or back."""

    delay_ms: Annotated[Figure, Field(description="one way, the median")]
    jitter_ms: Annotated[
        Figure | None, Field(description="standard deviation (normal, pareto), half-width (uniform)")
    ] = None
    distribution: Literal["normal", "uniform", "pareto"] = "normal"
    loss: Annotated[Figure | None, Field(description="share of packets lost, 0 to 0.5")] = None
    burst: Annotated[Figure | None, Field(description="packets lost in a row, in the mean; left out: independent")] = (
        None
    )

    def toxics(self) -> Toxics:
        """What makes such a way."""
        latency = {"latency": self.delay_ms.value, "jitter": self.jitter_ms.value if self.jitter_ms else 0.0,
                   "distribution": self.distribution, "order": "kept"}  # fmt: skip
        return (("latency", latency), *self._loss())

    def _loss(self) -> Iterator[tuple[str, Attributes]]:
        if self.loss is None or not self.loss.value:
            return
        if self.burst is None or self.burst.value <= 1:
            yield "loss", {"probability": self.loss.value}
        else:  # a bad spell lasts 1/r packets in the mean, p/(p + r) of all packets meet one
            r = 1.0 / self.burst.value
            yield "bursty_loss", {"p": r * self.loss.value / (1.0 - self.loss.value), "r": r}


class Side(Strict):
    """One end's access, both directions."""

    up: Way
    down: Way


class Written(Strict):
    """A file of conditions."""

    name: str
    what: Annotated[str, Field(min_length=8)]
    client: Side
    host: Side
    sources: Annotated[dict[str, str], Field(min_length=1)]


@dataclass(frozen=True)
class Network:
    """One condition, understood completely."""

    name: str
    what: str
    toxics: Mapping[str, Mapping[str, Toxics]]  # side of the stage -> stream -> its toxics
    text: str


def load_network(path: Path) -> Network:
    """The condition in ``path``, whose name must be the file's stem; raises BadInput with every problem found."""
    document = strict_yaml.read(path)
    problems = Problems(path, [*document.problems])
    written = None
    if isinstance(document.data, dict):
        written = read_part(problems, "", Written, document.data)
    else:
        problems.add("the whole file", document.data, f"a mapping with the keys {', '.join(Written.model_fields)}")
    if written:
        if written.name != path.stem:
            problems.add("name", written.name, f"the file's own stem, {path.stem!r}")
        for where, way in _ways(written):
            _check_way(problems, where, way, written.sources)
    if problems.lines or written is None:
        raise BadInput(*problems.lines)
    toxics = {side: {stream: getattr(getattr(written, key), way).toxics() for stream, way in STREAMS.items()}
              for side, key in SIDES.items()}  # fmt: skip
    return Network(written.name, written.what, toxics, document.text)


def _ways(written: Written) -> Iterator[tuple[str, Way]]:
    for side in SIDES.values():
        for way in STREAMS.values():
            yield f"{side}.{way}", getattr(getattr(written, side), way)


def _check_way(problems: Problems, where: str, way: Way, sources: Mapping[str, str]) -> None:
    for key in ("delay_ms", "jitter_ms", "loss", "burst"):
        figure: Figure | None = getattr(way, key)
        if figure and figure.source not in sources:
            problems.add(f"{where}.{key}.from", figure.source, f"one of the sources {', '.join(sources)}")
    if way.loss and way.loss.value > 0.5:
        problems.add(f"{where}.loss.is", way.loss.value, "a share from 0 to 0.5")
    if way.burst and not (way.loss and way.loss.value):
        problems.add(f"{where}.burst", way.burst.value, "no burst where nothing is lost")
    if way.burst and not 1 <= way.burst.value <= 1000:
        problems.add(f"{where}.burst.is", way.burst.value, "a number of packets from 1 to 1000")


def networks(folder: Path) -> dict[str, Path]:
    """The files of conditions in a folder of scenarios, by name."""
    return {path.stem: path for path in sorted((folder / "networks").glob("*.yaml"))}


def named_network(folder: Path, name: str, where: str) -> Network:
    """The condition of this name; raises BadInput, naming the ones there are or what is wrong with its file."""
    found = networks(folder)
    if name not in found:
        raise BadInput(f"{where}: found {name!r}, expected one of {', '.join(found) or 'none, as there are no files'}")
    return load_network(found[name])

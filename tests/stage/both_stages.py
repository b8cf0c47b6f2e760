"""One run on both stages, neither of them raised, and what their services are given without what must differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from drills.catalogue import Catalogue
from drills.signals import Signals
from drills.stage.addresses import loopback_block, network_block
from drills.stage.base import Service, Stage
from drills.stage.compose import CONTROL_PLANE, interpolate
from drills.stage.containers import ContainerStage
from drills.stage.processes import ProcessStage, Target
from drills.stage.programs import Programs

DEFECTS = ("relay_forgets_drain", "relay_adds_40ms")
DIVISOR = 10.0
KINDS = (*CONTROL_PLANE, "toxiproxy", "load")
PROGRAMS = Programs({f"DRILLS_{kind.upper()}_IMAGE": f"example/{kind}:1" for kind in KINDS})


def both_stages(folder: Path) -> tuple[ProcessStage, ContainerStage]:
    """Processes and containers for every service of the control plane that the file has."""
    compose = Catalogue().compose
    wanted = compose.of_kind(*CONTROL_PLANE)
    how = {"divisor": DIVISOR, "defects": DEFECTS}
    (folder / "run").mkdir()
    return (
        ProcessStage(compose, wanted, Target.named("reference"), folder / "run", loopback_block(20), **how),  # type: ignore[arg-type]
        ContainerStage(compose, wanted, PROGRAMS, folder / "run", network_block(3), Signals(), **how),  # type: ignore[arg-type]
    )


def plainly(stage: Stage, service: Service) -> tuple[list[str], dict[str, str]]:
    """What a service is given, each address, data path and secret replaced by what it is."""
    return without_places(stage, service.command), dict(
        zip(service.environment, without_places(stage, service.environment.values()), strict=True)
    )


def without_places(stage: Stage, texts: Iterable[str]) -> list[str]:
    """These texts, each address, data path and secret of the stage replaced by what it is."""
    named = _names(stage)
    found = []
    for text in texts:
        for value in sorted(named, key=len, reverse=True):
            text = text.replace(value, f"<{named[value]}>")
        found.append(text)
    return found


def _names(stage: Stage) -> Mapping[str, str]:
    places = {value: name for name, value in stage.variables.items()
              if name.startswith("DRILLS_ADDRESS_") or name.endswith(("_KEY", "_TOKEN"))}  # fmt: skip
    data = {interpolate(path, stage.variables): f"data of {name}" for name in stage.services
            for path in stage.compose.services[name].data_paths}  # fmt: skip
    return places | data

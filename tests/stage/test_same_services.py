"""Both stages start the same services with the same arguments and environment, as far as no engine is asked.

What Compose itself makes of the file is compared in ``tests/engine/test_same_services_by_compose.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drills.catalogue import Catalogue
from drills.stage import processes
from drills.stage.base import Stage
from drills.stage.compose import CONTROL_PLANE, interpolate
from tests.stage.both_stages import DEFECTS, DIVISOR, PROGRAMS, both_stages, plainly

COMPOSE = Catalogue().compose
SERVICES = (*COMPOSE.of_kind(*CONTROL_PLANE), "toxiproxy")
SECRETS = ("DRILLS_SIGNING_KEY", "DRILLS_SIGNING_PUBLIC_KEY", "DRILLS_ADMIN_TOKEN", "DRILLS_RELAY_TOKEN")
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+):-([^}]*)\}")
# A run has no say in these: what belongs to the other stage, and what only a stage raised by hand uses.
LEFT_OPEN_BY_CONTAINERS = {"DRILLS_DATA_GATEWAY", "DRILLS_DATA_MASTER", "DRILLS_PROJECT", "DRILLS_LOAD",
                           "DRILLS_PROGRAMS", "DRILLS_WORKERS"}  # fmt: skip


@pytest.fixture
def stages(tmp_path: Path) -> tuple[Stage, Stage]:
    """Processes and containers of one run with defects, at a fast pace."""
    return both_stages(tmp_path)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_given_the_same_on_both_stages(stages: tuple[Stage, Stage], name: str) -> None:
    """Arguments and environment, but for where things are and for the secrets of the run."""
    of_processes, of_containers = (plainly(stage, stage.services[name]) for stage in stages)
    assert of_processes == of_containers
    if name != "toxiproxy":
        environment = of_processes[1]
        assert environment["DRILLS_DEFECTS"] == ",".join(DEFECTS)
        assert environment["DRILLS_TIME_DIVISOR"] == f"{DIVISOR:g}"


def test_the_same_services_stand_on_both_stages(stages: tuple[Stage, Stage]) -> None:
    """Those that the drill asks for, and Toxiproxy."""
    assert [*stages[0].services] == [*stages[1].services] == [*SERVICES]


def test_the_same_paths_lie_between_them(stages: tuple[Stage, Stage]) -> None:
    """Each door and what is behind it, by service and port."""
    doors = []
    for stage in stages:
        names = {address: name for name, address in addresses(stage).items()}
        ends = {proxy: (stage.proxied(proxy), stage.upstream(proxy)) for proxy in COMPOSE.proxies}
        doors.append({proxy: [(names[end.split(":")[0]], end.split(":")[1]) for end in pair]
                      for proxy, pair in ends.items()})  # fmt: skip
    assert doors[0] == doors[1]
    assert doors[0]["ends_to_gateway"] == [("toxiproxy", "3000"), ("gateway", "3000")]


def addresses(stage: Stage) -> dict[str, str]:
    """Every address of a stage, by the service that has it."""
    return {name: service.address for name, service in stage.services.items()}


def test_a_process_is_really_started_with_what_its_service_says(
    stages: tuple[Stage, Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program's own prefix, then the arguments; the environment as it is, nothing added by the stage."""
    started: dict[str, tuple[list[str], Mapping[str, str]]] = {}

    def spawned(name: str, command: list[str], environment: Mapping[str, str], *_: Any, **__: Any) -> Any:
        started[name] = (command, environment)
        return SimpleNamespace(name=name)

    monkeypatch.setattr(processes, "spawn", spawned)
    stage = stages[0]
    for name in SERVICES:
        stage._run(stage.services[name])
        command, environment = started[name]
        assert tuple(command[-len(stage.services[name].command) or len(command) :]) == stage.services[name].command
        assert environment == stage.services[name].environment
    prefixes = {name: command[: len(command) - len(stage.services[name].command)]
                for name, (command, _) in started.items()}  # fmt: skip
    assert prefixes["relay_a"][1:] == ["-m", "drills.reference.relay"]
    assert [Path(word).name for word in prefixes["toxiproxy"]] == ["toxiproxy-server"]


@pytest.mark.parametrize("which", [0, 1])
def test_a_run_leaves_nothing_to_what_is_meant_for_a_stage_by_hand(stages: tuple[Stage, Stage], which: int) -> None:
    """No default of the file that names a secret, an address or a defect reaches a service of a run."""
    stage = stages[which]
    for service in stage.services.values():
        for text in (*service.plan.command, *service.plan.environment.values()):
            for name, _ in VARIABLE.findall(text):
                assert name in stage.variables or name in LEFT_OPEN_BY_CONTAINERS, (service.name, name)
    given = " ".join(word for service in stage.services.values()
                     for word in (*service.command, *service.environment.values()))  # fmt: skip
    for name in SECRETS:
        (default,) = {default for found, default in VARIABLE.findall(COMPOSE.path.read_text()) if found == name}
        assert default
        assert default not in given.split()
    assert "198.18.1." not in given


def test_containers_are_told_everything_that_the_file_leaves_open(stages: tuple[Stage, Stage]) -> None:
    """Also what processes have no use for: images, networks, the run's folder. By hand is by hand."""
    open_in_file = {name for name, _ in VARIABLE.findall(COMPOSE.path.read_text())}
    given = stages[1].compose_variables()  # type: ignore[attr-defined]
    assert open_in_file - set(given) == LEFT_OPEN_BY_CONTAINERS
    assert set(PROGRAMS.images) <= set(given)
    assert [name for name in open_in_file & set(given) if not given[name]] == []


def test_secrets_are_the_runs_own_on_both(stages: tuple[Stage, Stage]) -> None:
    """Two stages never share one, and no data path of one is the other's."""
    for name in SECRETS:
        assert stages[0].variables[name] != stages[1].variables[name]
    plan = COMPOSE.services["gateway"]
    data = [interpolate(plan.data_paths[0], stage.variables) for stage in stages]
    assert data[1] == "/var/lib/wavry"
    assert data[0] == str(stages[0].folder / "volumes" / "gateway")

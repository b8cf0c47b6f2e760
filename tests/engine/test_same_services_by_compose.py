"""What Docker Compose itself makes of the file is what the process stage starts, service by service.

Needs the Compose program and no engine; without it these tests are errors, never skipped.
"""

from __future__ import annotations

from typing import Any

import pytest

from drills.load.planning import load_settings
from drills.stage import engine
from drills.stage.compose import CONTROL_PLANE
from drills.stage.containers import ContainerStage
from drills.stage.drills_compose import DrillsCompose
from drills.stage.processes import ProcessStage
from tests.load.made_settings import small_drill
from tests.stage.both_stages import PROGRAMS, both_stages, plainly, without_places

SERVICES = ("gateway", "master", "relay_a", "relay_b", "toxiproxy")
LOAD = ("locust_master", "locust_worker")


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> tuple[ProcessStage, ContainerStage]:
    """Both stages of one run, with the load planned on the container stage."""
    stages = both_stages(tmp_path_factory.mktemp("runs"))
    stages[1].plan_load(load_settings(small_drill(), stages[1], 1, 1, stages[1].folder))
    return stages


@pytest.fixture(scope="module")
def told(stages: tuple[ProcessStage, ContainerStage]) -> dict[str, Any]:
    """What `docker compose config` says for this run; CannotRun, with the way to get it, where there is no Compose."""
    stage = stages[1]
    program = engine.compose_program()
    variables = stage.compose_variables()
    return DrillsCompose.of(stage.compose.path, "drills-of-a-test", program, variables, "").get_config()


@pytest.mark.parametrize("name", SERVICES)
def test_compose_starts_what_the_process_stage_starts(
    stages: tuple[ProcessStage, ContainerStage], told: dict[str, Any], name: str
) -> None:
    """Arguments and environment alike, but for addresses, data paths and the secrets of the run."""
    processes, containers = stages
    service = told["services"][name]
    assert tuple(service.get("command") or ()) == containers.services[name].command
    assert (service.get("environment") or {}) == containers.services[name].environment
    by_compose = (
        without_places(containers, service.get("command") or ()),
        dict(zip(service.get("environment") or {}, without_places(containers, (service.get("environment") or {})
                                                                  .values()), strict=True)),
    )  # fmt: skip
    assert by_compose == plainly(processes, processes.services[name])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_its_image_its_address_and_its_runs_label(
    stages: tuple[ProcessStage, ContainerStage], told: dict[str, Any], name: str
) -> None:
    """Where the stage will look for it."""
    stage, service = stages[1], told["services"][name]
    kind = stage.services[name].kind
    assert service["image"] == PROGRAMS.images[f"DRILLS_{kind.upper()}_IMAGE"]
    assert service["networks"]["stage"]["ipv4_address"] == stage.services[name].address
    assert service["labels"] == {"wavry-drills.kind": kind, "wavry-drills.run": str(stage.folder)}
    assert not service.get("ports")


@pytest.mark.parametrize("name", [*SERVICES, *LOAD, "proxies"])
def test_every_container_is_hardened(told: dict[str, Any], name: str) -> None:
    """As Wavry's compose file has it; only the load keeps what it gives up once its ends have their addresses."""
    service = told["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert bool(service.get("cap_add")) == (name in LOAD)
    if name in SERVICES and name != "toxiproxy":
        assert service["restart"] == "unless-stopped"
        assert service["tmpfs"] == ["/tmp"]


def test_the_load_is_told_by_its_settings_and_writes_into_the_runs_folder(
    stages: tuple[ProcessStage, ContainerStage], told: dict[str, Any]
) -> None:
    """The same JSON text as a process gets; quotes in it survive the way through the env-file."""
    stage = stages[1]
    assert stage.load_settings is not None
    for name in LOAD:
        service = told["services"][name]
        assert service["environment"]["DRILLS_LOAD"] == stage.load_settings.environment()["DRILLS_LOAD"]
        (volume,) = service["volumes"]
        assert (volume["type"], volume["source"], volume["target"]) == ("bind", str(stage.folder), str(stage.folder))
    assert told["services"]["locust_worker"]["scale"] == stage.load_settings.workers


def test_the_network_is_the_blocks_and_leaves_the_machine_nowhere(
    stages: tuple[ProcessStage, ContainerStage], told: dict[str, Any]
) -> None:
    """Subnet, this machine's own address in it, and where an engine may pick."""
    network, block = told["networks"]["stage"], stages[1].block
    assert network["internal"] is True
    assert network["ipam"]["config"] == [{"subnet": str(block.network), "gateway": block.host, "ip_range": block.picks}]
    assert told["name"] == "drills-of-a-test"


def test_no_image_is_left_to_a_default(told: dict[str, Any]) -> None:
    """A run says what it runs; `latest` would be whatever is there."""
    assert {service["image"] for service in told["services"].values()} == set(PROGRAMS.images.values())
    assert len(CONTROL_PLANE) + 2 == len(PROGRAMS.images)

"""Nothing stands between ends and relays where nobody asks for it; else a proxy for each side and relay."""

from __future__ import annotations

from pathlib import Path

import pytest

from drills.catalogue import Catalogue
from drills.load.settings import LoadSettings
from drills.run import on_udp_paths
from drills.stage.addresses import loopback_block
from drills.stage.base import UDP_PROXY, Stage
from drills.stage.processes import ProcessStage, Target

SERVICES = ("gateway", "master", "relay_a", "relay_b")
PROXIES = ("clients_to_relay_a", "hosts_to_relay_a", "clients_to_relay_b", "hosts_to_relay_b")


def stage_of(tmp_path: Path, *more: str) -> Stage:
    """A stage of processes that is not raised."""
    catalogue = Catalogue()
    return ProcessStage(catalogue.compose, (*SERVICES, *more), Target.named("reference"), tmp_path, loopback_block(20))


def test_without_a_need_nothing_is_in_the_way(tmp_path: Path) -> None:
    """No proxy on stage, no detour for the load."""
    stage = stage_of(tmp_path)
    assert UDP_PROXY not in stage.services
    assert (stage.udp_proxy, stage.on_path("ends"), stage.detours()) == (None, (), {})


def test_with_one_each_side_has_a_way_of_its_own_to_each_relay(tmp_path: Path) -> None:
    """And only to relays on stage."""
    stage = stage_of(tmp_path, UDP_PROXY)
    assert stage.on_path("ends") == PROXIES
    assert stage.on_path("clients") == PROXIES[::2]
    assert stage.detours() == {
        "clients": {"127.20.1.101:4000": "127.20.1.217:4101", "127.20.1.102:4000": "127.20.1.217:4102"},
        "hosts": {"127.20.1.101:4000": "127.20.1.217:4201", "127.20.1.102:4000": "127.20.1.217:4202"},
    }


def test_each_client_keeps_its_own_address_towards_a_relay(tmp_path: Path) -> None:
    """A relay takes 1000 packets a second from one address (contract-master-relay §4.7)."""
    command = stage_of(tmp_path, UDP_PROXY).services[UDP_PROXY].command
    assert command[command.index("--source") + 1] == "client"


@pytest.mark.parametrize(("drill", "wanted"), [("calm", False), ("relay_drain", False), ("nat_rebind", True)])
def test_a_drill_wants_the_proxy_where_its_story_has_a_fault_on_a_path(drill: str, wanted: bool) -> None:
    """And nowhere else, so that existing drills cost what they did."""
    assert on_udp_paths(Catalogue().named([drill])[0]) is wanted


def test_ends_send_by_the_detour_and_else_straight_to_the_relay() -> None:
    """What the lease names stays the relay's own address."""
    settings = LoadSettings(
        "g", "m", "127.20.32.0", 64, "c", 1, 0, 1, (1.0, 2.0), 1.0, 1.0, 60, 60, 1,
        detours={"clients": {"127.20.1.101:4000": "127.20.1.217:4101"}},
    )  # fmt: skip
    relay = ("127.20.1.101", 4000)
    assert settings.way("clients", relay) == ("127.20.1.217", 4101)
    assert settings.way("hosts", relay) == relay

"""Blocks of addresses, of loopback and of networks: one run each, and no address the beginning of another."""

from __future__ import annotations

import itertools
import socket
import struct
import subprocess
import sys
from contextlib import AbstractContextManager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from drills.catalogue import Catalogue
from drills.errors import CannotRun
from drills.load.settings import ADDRESSES_A_WORKER
from drills.stage import addresses
from drills.stage.addresses import (
    BENCHMARKING,
    Block,
    address_of,
    addresses_in_use,
    claimed,
    claimed_network,
    loopback_block,
    network_block,
    networks_routed,
)
from drills.stage.compose import load_compose

REPOSITORY = Path(__file__).resolve().parents[2]
CLAIM = """
import sys
from pathlib import Path
from drills.stage import addresses
addresses.LOCKS, addresses.LOOPBACK_BLOCKS = Path(sys.argv[1]), range(100, 103)
with addresses.claimed() as block:
    print(block.number, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def three_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three blocks, far from those of real runs, with locks of this test's own."""
    monkeypatch.setattr(addresses, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(addresses, "LOOPBACK_BLOCKS", range(100, 103))
    monkeypatch.setattr(addresses, "NETWORK_BLOCKS", range(13, 16))
    monkeypatch.setattr(addresses, "addresses_in_use", set)
    return tmp_path / "locks"


def kinds(relays: int) -> dict[str, str]:
    """A compose file's services: one of each, and so many relays."""
    return {"gateway": "gateway", "master": "master", "toxiproxy": "toxiproxy"} | {
        f"relay_{number}": "relay" for number in range(relays)
    }


@pytest.fixture(params=["loopback", "network"])
def block(request: pytest.FixtureRequest) -> Block:
    """A block of either kind."""
    return loopback_block(20) if request.param == "loopback" else network_block(5)


@pytest.mark.parametrize("relays", [2, 60, 114])
def test_no_address_is_the_beginning_of_another(block: Block, relays: int) -> None:
    """Wavry tells relays' endpoints apart by prefix: 127.20.1.1 would count as every 127.20.1.1xx."""
    found = block.service_addresses(kinds(relays))
    assert len(set(found.values())) == relays + 3
    assert [pair for pair in itertools.permutations(found.values(), 2) if pair[1].startswith(pair[0])] == []
    assert all(address in block for address in found.values())


def test_the_shipped_services_have_addresses(block: Block) -> None:
    """Those of docker-compose.drills.yml that anybody dials; who only dials others takes what it is given."""
    services = Catalogue().compose.services
    found = block.service_addresses({name: plan.kind for name, plan in services.items()})
    assert set(services) - set(found) == {"proxies", "locust_worker"}


def test_the_addresses_by_hand_are_those_of_the_first_network() -> None:
    """What docker-compose.drills.yml says by default is what no run ever takes, and what a run would get there."""
    compose = load_compose(REPOSITORY / "docker-compose.drills.yml")
    text = compose.path.read_text()
    block = network_block(0)
    for name, address in block.service_addresses({name: plan.kind for name, plan in compose.services.items()}).items():
        assert f"${{DRILLS_ADDRESS_{name.upper()}:-{address}}}" in text
    for name, value in (("SUBNET", block.network), ("HOST_ADDRESS", block.host), ("PICKS", block.picks)):
        assert f"${{DRILLS_{name}:-{value}}}" in text
    assert f"${{DRILLS_ENDS:-{block.ends_first}}}" in text


def test_too_many_services_are_refused(block: Block) -> None:
    """Rather than two at one address, or one outside the block."""
    with pytest.raises(CannotRun, match="no addresses"):
        block.service_addresses(kinds(115))


@pytest.mark.parametrize("workers", [1, 16])
def test_services_ends_probes_and_an_engines_own_picks_never_meet(block: Block, workers: int) -> None:
    """Each has its part of the block; up to 16 workers with all their addresses fit into it."""
    first = IPv4Address(block.ends_first)
    last = first + workers * ADDRESSES_A_WORKER - 1
    parts = [
        {IPv4Address(address) for address in block.service_addresses(kinds(114)).values()},
        {first + number for number in range(workers * ADDRESSES_A_WORKER)},
        {*IPv4Network(block.picks)},
        {IPv4Address(block.host)},
        {block.network.network_address, block.network.broadcast_address},
        {IPv4Address(block.address(2, number)) for number in (1, 2)},  # what probes send from
    ]
    assert first in block.network
    assert last in block.network
    assert sum(map(len, parts)) == len(set().union(*parts))


def test_networks_lie_in_the_range_for_benchmarking_and_share_nothing() -> None:
    """198.18.0.0/15 is nobody's office and nobody's VPN (RFC 2544)."""
    networks = [network_block(number).network for number in range(16)]
    assert all(network.subnet_of(BENCHMARKING) for network in networks)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(networks, 2))
    assert str(BENCHMARKING) == "198.18.0.0/15"


def any_claim(kind: str) -> AbstractContextManager[Block]:
    """A claim on a block of this kind."""
    return claimed() if kind == "loopback" else claimed_network(set())


@pytest.mark.parametrize(("kind", "first"), [("loopback", 100), ("network", 13)])
def test_two_claims_never_share_a_block(kind: str, first: int) -> None:
    """Two drills side by side; the third block is free again after them."""
    with any_claim(kind) as one, any_claim(kind) as two:
        assert {one.number, two.number} == {first, first + 1}
        assert not one.network.overlaps(two.network)
    with any_claim(kind) as again:
        assert again.number == first


def test_a_drill_on_each_stage_can_run_side_by_side(three_blocks: Path) -> None:
    """Their locks are not each other's, whatever the numbers."""
    with claimed() as one, claimed_network(set()) as two:
        assert len(list(three_blocks.iterdir())) == 2
        assert not one.network.overlaps(two.network)


@pytest.mark.parametrize(
    ("used", "free"),
    [
        (["198.18.0.0/15"], None), (["198.18.0.0/16"], 13), (["198.19.160.0/24"], 14), (["198.19.191.255/32"], 14),
        (["198.19.160.0/19", "198.19.200.0/30"], 15), (["198.19.128.0/17"], None), (["10.0.0.0/8", "0.0.0.0/1"], 13),
    ],
)  # fmt: skip
def test_a_network_that_overlaps_one_in_use_is_passed_over(used: list[str], free: int | None) -> None:
    """Larger, smaller or equal: a route that was shadowed would be somebody's VPN."""
    networks = {IPv4Network(text) for text in used}
    if free is None:
        with pytest.raises(CannotRun, match="no block of addresses is free"), claimed_network(networks):
            pass
        return
    with claimed_network(networks) as block:
        assert block.number == free
        assert not any(block.network.overlaps(network) for network in networks)


def test_a_block_belongs_to_one_process_and_is_free_when_that_is_killed(three_blocks: Path) -> None:
    """The kernel frees the lock with the process, however it ends."""
    command = [sys.executable, "-c", CLAIM, str(three_blocks)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "100\n"
        with claimed() as ours:
            assert ours.number == 101
        other.kill()
        other.wait(5.0)
    with claimed() as ours:
        assert ours.number == 100


def test_without_a_free_block_the_drill_cannot_run() -> None:
    """And the reason is said."""
    with claimed(), claimed(), claimed(), pytest.raises(CannotRun, match="no block of addresses is free"), claimed():
        pass


def test_a_block_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed run has left may still listen there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as left:
        left.bind(("127.100.1.101", 0))
        monkeypatch.setattr(addresses, "addresses_in_use", addresses_in_use)
        with claimed() as block:
            assert block.number != 100


def test_a_place_for_locks_that_cannot_be_made_is_a_drill_that_cannot_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For instance where a file is in the way."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(addresses, "LOCKS", tmp_path / "file")
    with pytest.raises(CannotRun, match="locks"), claimed():
        pass


def test_addresses_are_read_as_the_kernel_writes_them() -> None:
    """/proc/net has them in host byte order, in hex."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.102.1.7", 0))
        assert "127.102.1.7" in addresses_in_use()
    if sys.byteorder == "little":
        assert address_of("0100007F:1F90") == ("127.0.0.1", 8080)


def hexed(address: str) -> str:
    """An address as /proc/net has it."""
    (number,) = struct.unpack("=I", socket.inet_aton(address))
    return f"{number:08X}"


def route(destination: str, mask: str) -> str:
    """A line of /proc/net/route."""
    return f"eth0\t{hexed(destination)}\t{hexed('10.0.0.1')}\t0003\t0\t0\t0\t{hexed(mask)}\t0\t0\t0\n"


def test_routes_are_networks_in_use_but_not_the_default_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default route covers everything; a host's own, of 32 bits, counts."""
    table = tmp_path / "route"
    rows = [("0.0.0.0", "0.0.0.0"), ("198.19.160.0", "255.255.224.0"), ("10.8.0.7", "255.255.255.255")]
    table.write_text("Iface\tDestination\tGateway\n" + "".join(route(*row) for row in rows))
    monkeypatch.setattr(addresses, "Path", lambda name: table if name == "/proc/net/route" else Path(name))
    assert networks_routed() == {IPv4Network("198.19.160.0/19"), IPv4Network("10.8.0.7/32")}


def test_this_machines_routes_can_be_read() -> None:
    """Whatever they are, none of them is the default one."""
    assert all(network.prefixlen for network in networks_routed())


def test_the_first_network_is_never_a_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is for a stage that a person raises by hand."""
    monkeypatch.undo()
    assert 0 not in addresses.NETWORK_BLOCKS
    assert max(addresses.NETWORK_BLOCKS) == 15

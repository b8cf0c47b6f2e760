"""Blocks of loopback addresses: one run each, and no address the beginning of another."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from drills.catalogue import Catalogue
from drills.errors import CannotRun
from drills.stage import addresses
from drills.stage.addresses import Block, address_of, addresses_in_use, claimed

CLAIM = """
import sys
from pathlib import Path
from drills.stage import addresses
addresses.LOCKS, addresses.BLOCKS = Path(sys.argv[1]), range(100, 103)
with addresses.claimed() as block:
    print(block.number, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def three_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three blocks, far from those of real runs, with locks of this test's own."""
    monkeypatch.setattr(addresses, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(addresses, "BLOCKS", range(100, 103))
    monkeypatch.setattr(addresses, "addresses_in_use", set)
    return tmp_path / "locks"


def kinds(relays: int) -> dict[str, str]:
    """A compose file's services: one of each, and so many relays."""
    return {"gateway": "gateway", "master": "master", "toxiproxy": "toxiproxy"} | {
        f"relay_{number}": "relay" for number in range(relays)
    }


@pytest.mark.parametrize("relays", [2, 60, 114])
def test_no_address_is_the_beginning_of_another(relays: int) -> None:
    """Wavry tells relays' endpoints apart by prefix: 127.20.1.1 would count as every 127.20.1.1xx."""
    found = Block(20).service_addresses(kinds(relays))
    assert len(set(found.values())) == relays + 3
    assert [pair for pair in itertools.permutations(found.values(), 2) if pair[1].startswith(pair[0])] == []
    assert all(address in Block(20) for address in found.values())


def test_the_shipped_services_have_addresses() -> None:
    """Those of docker-compose.drills.yml."""
    services = Catalogue().compose.services
    found = Block(21).service_addresses({name: plan.kind for name, plan in services.items()})
    assert set(found) == set(services)


def test_too_many_services_are_refused() -> None:
    """Rather than two at one address, or one outside the block."""
    with pytest.raises(CannotRun, match="no addresses"):
        Block(20).service_addresses(kinds(115))


def test_two_claims_never_share_a_block() -> None:
    """Two drills side by side; the third block is free again after them."""
    with claimed() as one, claimed() as two:
        assert {one.number, two.number} == {100, 101}
    with claimed() as again:
        assert again.number == 100


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
    with claimed(), claimed(), claimed(), pytest.raises(CannotRun, match="no free block"), claimed():
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

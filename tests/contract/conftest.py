"""Which control plane the contract tests run against, and the services they share.

The reference always; Wavry's own binaries as well where ``WAVRY_BIN`` names their folder. A service that a
test does not change lives as long as the module.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.wavry.relay import RelayPeer
from tests.contract.desk import Desk
from tests.contract.fake_master import FakeMaster
from tests.contract.services import Addresses, Gateway, Master, Relay, Stage, Target


def _targets() -> list[Target]:
    binaries = os.environ.get("WAVRY_BIN")
    wavry = [Target("wavry", Path(binaries).resolve())] if binaries else []
    return [Target("reference"), *wavry]


@pytest.fixture(scope="session", params=_targets(), ids=lambda target: target.name)
def target(request: pytest.FixtureRequest) -> Target:
    """Whose services are under test."""
    assert isinstance(request.param, Target)
    return request.param


@pytest.fixture(scope="session")
def addresses() -> Addresses:
    """Loopback addresses that no other test uses."""
    return Addresses()


@pytest.fixture(scope="module")
def stage(target: Target, addresses: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Starts services for the tests of one module."""
    stage = Stage(target, tmp_path_factory.mktemp("stage"), addresses)
    try:
        yield stage
    finally:
        stage.end()


@pytest.fixture(scope="module")
def reference_stage(addresses: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage for what only the reference can show in reasonable time, because its timers can be divided."""
    stage = Stage(Target("reference"), tmp_path_factory.mktemp("stage"), addresses)
    try:
        yield stage
    finally:
        stage.end()


@pytest.fixture(scope="module")
def gateway(stage: Stage) -> Gateway:
    """A gateway with default limits."""
    return stage.gateway()


@pytest.fixture(scope="module")
def master(stage: Stage) -> Master:
    """A master without a relay token."""
    return stage.master()


@pytest.fixture(scope="module")
def fake_master(addresses: Addresses) -> Iterator[FakeMaster]:
    """A master that we play ourselves, with a key of ours."""
    with FakeMaster(addresses.fresh()) as playing:
        yield playing


@pytest.fixture(scope="module")
def relay(stage: Stage, fake_master: FakeMaster) -> Relay:
    """A relay registered at the fake master, its limit of packets per address out of the way."""
    return stage.relay(fake_master.base_url, "--ip-rate-limit-pps", "1000000")


@pytest.fixture(scope="module")
def desk(relay: Relay, fake_master: FakeMaster) -> Desk:
    """That relay with that master's key."""
    return Desk(relay, fake_master, relay.relay_id)


@pytest.fixture
def peer(relay: Relay) -> Iterator[RelayPeer]:
    """An end at that relay."""
    with relay.peer() as peer:
        yield peer


@pytest.fixture
def other_peer(relay: Relay) -> Iterator[RelayPeer]:
    """The other end."""
    with relay.peer() as peer:
        yield peer

"""Which stage a run gets: what was asked for or nothing; else containers where they can be had, or processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from drills.catalogue import Catalogue
from drills.errors import BadInput, CannotRun
from drills.options import Options
from drills.signals import Signals
from drills.stage import addresses, choice, engine, programs
from drills.stage.addresses import Block, loopback_block, network_block
from drills.stage.choice import chosen, stage_of
from tests.stage.both_stages import PROGRAMS


@pytest.fixture(autouse=True)
def nothing_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine, no Toxiproxy, nothing of Wavry's: each test says what there is."""

    def none() -> str:
        raise CannotRun("no toxiproxy-server; `make setup`")

    monkeypatch.setattr(engine, "problem", lambda: "no engine answers")
    monkeypatch.setattr(programs, "_unmakeable", lambda names: "")
    monkeypatch.setattr(choice, "toxiproxy_program", none)
    for name in (
        "WAVRY_BIN",
        "WAVRY_CONTROL_PLANE_TAG",
        *(f"WAVRY_{kind}_IMAGE" for kind in ("GATEWAY", "MASTER", "RELAY")),
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that can carry a stage."""
    monkeypatch.setattr(engine, "problem", lambda: "")


@pytest.fixture
def toxiproxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the process stage needs for the reference."""
    monkeypatch.setattr(choice, "toxiproxy_program", lambda: "/somewhere/toxiproxy-server")


@pytest.mark.usefixtures("an_engine")
def test_containers_are_taken_where_an_engine_can() -> None:
    """Whatever else is or is not there; the words say that nobody asked."""
    assert chosen("", "reference") == ("containers", "an engine answers")


@pytest.mark.usefixtures("toxiproxy")
def test_without_an_engine_it_is_processes_and_the_words_say_why() -> None:
    """They stand in the record, so that nobody takes a fallback for the real thing."""
    assert chosen("", "reference") == ("processes", "no containers: no engine answers")


@pytest.mark.usefixtures("an_engine", "toxiproxy")
def test_without_images_it_is_processes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine alone cannot carry a stage."""
    monkeypatch.setattr(programs, "_unmakeable", lambda names: f"no image {names[0]} here")
    assert chosen("", "reference") == ("processes", "no containers: no image gateway:known-good here")


def test_where_neither_can_be_had_the_drill_cannot_run() -> None:
    """With the way to get what is missing; never a skip."""
    with pytest.raises(CannotRun, match="make setup"):
        chosen("", "reference")


@pytest.mark.usefixtures("an_engine", "toxiproxy")
@pytest.mark.parametrize("asked", ["containers", "processes"])
def test_what_was_asked_for_is_what_is_had(asked: str) -> None:
    """Also where the other one would have been chosen."""
    assert chosen(asked, "reference") == (asked, "asked for")


@pytest.mark.usefixtures("toxiproxy")
def test_containers_that_were_asked_for_are_never_processes() -> None:
    """CI relies on it: no engine is an error there, with the way to get one and the way without."""
    with pytest.raises(CannotRun, match=r"--stage containers: no engine answers; `make engine` .*--stage processes"):
        chosen("containers", "reference")


@pytest.mark.usefixtures("an_engine")
def test_processes_that_were_asked_for_are_never_containers() -> None:
    """The engine is there and is not taken."""
    with pytest.raises(CannotRun, match="toxiproxy-server"):
        chosen("processes", "reference")


@pytest.mark.usefixtures("toxiproxy")
@pytest.mark.parametrize("asked", ["", "containers", "processes"])
def test_programs_that_nobody_has_named_are_bad_input_on_every_stage(asked: str) -> None:
    """No other stage would help."""
    with pytest.raises(BadInput, match="WAVRY_BIN: found nothing"):
        chosen(asked, "wavry")


class Claims:
    """Blocks that are handed out and given back, in place of those of this machine."""

    def __init__(self) -> None:
        self.held: list[Block] = []
        self.used: set[IPv4Network] = set()

    @contextmanager
    def loopback(self) -> Iterator[Block]:
        with self._held(loopback_block(100)) as block:
            yield block

    @contextmanager
    def network(self, used: set[IPv4Network]) -> Iterator[Block]:
        self.used = used
        with self._held(network_block(7)) as block:
            yield block

    @contextmanager
    def _held(self, block: Block) -> Iterator[Block]:
        self.held.append(block)
        try:
            yield block
        finally:
            self.held.remove(block)


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> Claims:
    """What the engine has: one network of somebody's; every image is there."""
    claims = Claims()
    monkeypatch.setattr(addresses, "claimed", claims.loopback)
    monkeypatch.setattr(addresses, "claimed_network", claims.network)
    monkeypatch.setattr("drills.stage.networks.in_use", lambda: {IPv4Network("172.17.0.0/16")})
    monkeypatch.setattr(programs, "ensured", lambda target, say: PROGRAMS)
    return claims


@pytest.mark.parametrize("name", ["processes", "containers"])
def test_a_stage_has_its_addresses_for_as_long_as_it_may_stand(claims: Claims, tmp_path: Path, name: str) -> None:
    """On a block of its own kind, at the run's pace and with its defects; nothing is raised."""
    compose = Catalogue().compose
    options = Options(stage=name, pace="fast", defects=("relay_forgets_drain",))
    with stage_of(options, compose, ("gateway", "master", "relay_a"), tmp_path, Signals(), lambda words: None) as stage:
        assert stage.name == name
        assert claims.held == [stage.block]
        assert [*stage.services] == ["gateway", "master", "relay_a", "toxiproxy"]
        assert (stage.heartbeat_s, stage.variables["DRILLS_DEFECTS"]) == (0.5, "relay_forgets_drain")
        assert not any(service.running for service in stage.services.values())
    assert claims.held == []
    assert claims.used == ({IPv4Network("172.17.0.0/16")} if name == "containers" else set())

"""What a run has in the engine: found by its folder alone, removed whole, and noted for as long as there may be any."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drills.errors import CannotRun
from drills.stage import leftovers, networks
from drills.stage.leftovers import note, noted, project_of, sweep
from tests.stage.fake_engine import FakeEngine


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine in memory, and a patience that fits into a test."""
    monkeypatch.setattr(leftovers, "GONE_S", 0.05)
    return FakeEngine.installed(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run that has noted that the engine may hold something of it."""
    folder = tmp_path / "run"
    folder.mkdir()
    note(folder)
    return folder


def raised(engine: FakeEngine, folder: Path) -> None:
    """Put into the engine what a raised stage of this folder has there."""
    project = project_of(folder)
    for service in ("gateway", "relay_a"):
        engine.made(f"{project}-{service}-1", project, service)
    engine.made(f"{project}-master-1", project, "master", runs=False)
    engine.network(f"{project}_stage", project)
    engine.volume(f"{project}_gateway-data", project)


def test_a_project_is_known_by_the_runs_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever way it is named; other folders have other projects, and Compose takes the name as it is."""
    folder = tmp_path / "Übung 1" / "run"
    folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    assert project_of(folder) == project_of(tmp_path / "link") == project_of(Path("Übung 1/run"))
    assert project_of(folder) != project_of(folder.with_name("run2"))
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", project_of(folder))


def test_a_note_says_what_to_look_for(tmp_path: Path) -> None:
    """Also to a person who wants to remove it by hand."""
    assert not noted(tmp_path)
    note(tmp_path)
    assert noted(tmp_path)
    assert project_of(tmp_path) in (tmp_path / "stage.json").read_text()


def test_everything_of_a_run_is_removed_and_nothing_else(engine: FakeEngine, folder: Path) -> None:
    """Containers that do not run too, then network and volumes; the other run's stage stays."""
    other = folder.with_name("other")
    other.mkdir()
    raised(engine, folder)
    raised(engine, other)
    ours = {name for name in engine.everything() if name.startswith(project_of(folder))}
    swept = sweep(folder)
    assert {name.split()[-1] for name in swept} == ours
    assert len(swept) == len(ours) == 5
    assert len(engine.everything()) == 5
    assert all(name.startswith(project_of(other)) for name in engine.everything())
    assert not noted(folder)


def test_containers_go_before_what_they_hold_on_to(engine: FakeEngine, folder: Path) -> None:
    """A network with a container on it cannot be removed."""
    raised(engine, folder)
    sweep(folder)
    removed = [word.removeprefix(f"remove {project_of(folder)}") for word in engine.told]
    assert sorted(removed[:3]) == ["-gateway-1", "-master-1", "-relay_a-1"]
    assert sorted(removed[3:]) == ["_gateway-data", "_stage"]


def test_sweeping_what_is_gone_finds_nothing(engine: FakeEngine, folder: Path) -> None:
    """And takes the note away: somebody has removed it by hand."""
    assert sweep(folder) == []
    assert not noted(folder)
    assert sweep(folder) == []


def test_an_engine_that_does_not_answer_keeps_the_note(engine: FakeEngine, folder: Path) -> None:
    """What is there cannot be known; the next `drills recover` asks again."""
    raised(engine, folder)
    engine.silent = True
    with pytest.raises(CannotRun, match="did not remove what a run has left"):
        sweep(folder)
    assert noted(folder)


def test_something_that_will_not_go_is_named_and_keeps_the_note(engine: FakeEngine, folder: Path) -> None:
    """A wait has a bound, and a witness when it runs out; the others are gone all the same."""
    raised(engine, folder)
    stuck = f"{project_of(folder)}_gateway-data"
    engine.stuck = {stuck}
    with pytest.raises(CannotRun, match=rf"still there after 0\.05 s: volume {stuck}$"):
        sweep(folder)
    assert noted(folder)
    assert engine.everything() == {stuck}


def test_networks_of_the_engine_count_as_in_use(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside those that this machine has routes to; one without a subnet and one of IPv6 are none of ours."""
    monkeypatch.setattr(networks, "networks_routed", lambda: set())
    engine.network("bridge", "", "172.17.0.0/16")
    engine.network("host", "")
    engine.network("six", "", "fd00::/64")
    engine.network("other_run", "drills-1", "198.18.32.0/19")
    assert {str(network) for network in networks.in_use()} == {"172.17.0.0/16", "198.18.32.0/19"}


def test_networks_cannot_be_told_by_an_engine_that_is_silent(engine: FakeEngine) -> None:
    """A run must not guess."""
    engine.silent = True
    with pytest.raises(CannotRun, match="did not list its networks"):
        networks.in_use()

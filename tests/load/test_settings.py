"""What the load is told: the same on both ends of the environment, and an address of its own for every end."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from drills.errors import BadInput
from drills.load.settings import ADDRESSES_A_WORKER, VARIABLE, LoadSettings
from tests.load.made_settings import made_settings

BY_HAND = {"DRILLS_GATEWAY": "198.18.1.215:3000", "DRILLS_MASTER": "198.18.1.215:8080", "DRILLS_ENDS": "198.18.15.0",
           "DRILLS_CONTROL_HOST": "198.18.1.240"}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in the environment of whoever runs the tests."""
    for name in (VARIABLE, *BY_HAND):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("run_folder", [None, "/somewhere/with a space"])
def test_what_goes_into_the_environment_comes_out_of_it(
    monkeypatch: pytest.MonkeyPatch, run_folder: str | None
) -> None:
    """One text, and nothing is lost on the way."""
    settings = made_settings(run_folder=run_folder)
    ((name, text),) = settings.environment().items()
    assert name == VARIABLE
    assert "'" not in text  # it travels in single quotes, through an env-file and through a shell
    monkeypatch.setenv(name, text)
    assert LoadSettings.from_environment() == settings


def test_every_end_has_a_door_of_its_own_on_the_direct_path() -> None:
    """Whoever Locust puts on whichever worker, its proxy is there; with the path closed there is none."""
    settings = made_settings(direct="127.20.1.217:10000")
    doors = settings.doors()
    assert len(doors) == 2 * 2 * (5 + 1)  # two ends, two workers, five pairs each and one more
    assert len({listen for listen, _ in doors.values()}) == len({end for _, end in doors.values()}) == len(doors)
    assert doors["direct_1_3"] == (settings.door(1, 3), f"{settings.end_address(1, 3)}:{settings.media_port(3)}")
    assert made_settings().doors() == {}
    assert made_settings().media_port(3) == 0


@pytest.mark.parametrize("text", ["{", "[]", "{}", '"text"', json.dumps({"resident_length_s": [1, 2], "mistake": 1})])
def test_settings_that_are_none_are_bad_input(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """With where they come from."""
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(BadInput, match=r"DRILLS_LOAD: found .*, expected what `drills stand` prints"):
        LoadSettings.from_environment()


def test_no_settings_at_all_are_bad_input() -> None:
    """And nothing is guessed."""
    with pytest.raises(BadInput, match="DRILLS_LOAD: found nothing"):
        LoadSettings.from_environment()


def test_a_stage_raised_by_hand_has_a_small_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the compose file's own variables, at Wavry's own pace, recorded nowhere; a run's settings go before it."""
    for name, value in BY_HAND.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(VARIABLE, "")  # as the compose file has it by default
    settings = LoadSettings.from_environment()
    assert (settings.gateway, settings.control_host) == ("198.18.1.215:3000", "198.18.1.240")
    assert settings.end_address(0, 0) == "198.18.15.0"
    assert settings.folder is None
    assert settings.population > 0
    monkeypatch.setenv(VARIABLE, made_settings().to_json())
    assert LoadSettings.from_environment() == made_settings()


def test_no_two_workers_share_an_address() -> None:
    """Sixteen workers, every one of their addresses, and all of them in a row."""
    settings = made_settings(ends_first="198.18.47.0", ends_addresses=ADDRESSES_A_WORKER, workers=16)
    found = [settings.end_address(worker, number) for worker in range(16) for number in range(ADDRESSES_A_WORKER)]
    assert len(set(found)) == 16 * ADDRESSES_A_WORKER
    assert (found[0], found[-1]) == ("198.18.47.0", "198.18.62.255")


@pytest.mark.parametrize("addresses", [64, 100, 256])
def test_ends_of_a_worker_share_its_addresses_evenly(addresses: int) -> None:
    """And only those that are used: nobody else has them."""
    settings = made_settings(ends_addresses=addresses)
    held = Counter(settings.end_address(1, number) for number in range(12 * addresses))
    assert set(held.values()) == {12}
    assert len(held) == addresses
    assert min(held, key=lambda text: tuple(map(int, text.split(".")))) == "127.20.33.0"

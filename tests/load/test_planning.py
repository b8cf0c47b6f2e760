"""How many visitors and addresses a drill's load needs: enough, and never more ends an address than a relay allows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from drills.errors import BadInput
from drills.load import planning
from drills.load.planning import load_settings
from drills.load.settings import ADDRESSES_A_WORKER, ENDS_AN_ADDRESS, LoadSettings
from drills.stage.base import Stage
from tests.load.made_settings import small_drill
from tests.stage.both_stages import both_stages


@pytest.fixture(params=[0, 1], ids=["processes", "containers"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    """A stage of either kind, not raised."""
    return both_stages(tmp_path)[request.param]


def planned(stage: Stage, *, factor: int = 1, folder: Path | None = None, **load: Any) -> LoadSettings:
    """The settings of a drill with this load."""
    return load_settings(small_drill(**load), stage, factor, 7, folder)


def test_the_load_is_told_where_things_are_on_its_stage(stage: Stage) -> None:
    """Through the proxies, the ends on the block's own addresses."""
    settings = planned(stage, folder=stage.folder)
    assert settings.gateway == f"{stage.services['toxiproxy'].address}:3000"
    assert settings.master == f"{stage.services['toxiproxy'].address}:8080"
    assert settings.control_host in stage.block
    assert settings.control_host not in {service.address for service in stage.services.values()}
    assert settings.ends_first == stage.block.ends_first
    assert settings.folder == stage.folder
    assert settings.seed == 7
    assert planned(stage).folder is None


def ends_by_address(settings: LoadSettings) -> Counter[str]:
    """How many ends send from each address, with pairs spread over the workers and numbered from one, as they are."""
    pairs = -(-settings.population // settings.workers)
    return Counter(settings.end_address(worker, number) for worker in range(settings.workers)
                   for number in range(2, 2 * pairs + 2))  # fmt: skip


@pytest.mark.parametrize(
    ("resident", "workers"),
    [(1, 1), (32, 1), (60, 2), (370, 1), (400, 1), (1000, 2), (1500, 1), (2500, 2), (20000, 16)],
)
def test_no_address_has_more_ends_than_a_relay_takes_packets_from(stage: Stage, resident: int, workers: int) -> None:
    """Twelve ends at 60 packets/s stay below 1000 (contract-master-relay §4.7), and the block has room for all."""
    settings = planned(stage, resident=resident, workers=workers, visits_per_window=0)
    assert settings.visitors == 0
    held = ends_by_address(settings)
    assert max(held.values()) <= ENDS_AN_ADDRESS == 12
    assert all(address in stage.block for address in held)
    assert settings.ends_addresses <= ADDRESSES_A_WORKER


def test_a_few_ends_have_an_address_each(stage: Stage) -> None:
    """As in life; only many share."""
    settings = planned(stage, resident=32, workers=1, visits_per_window=0)
    assert set(ends_by_address(settings).values()) == {1}


def test_more_ends_than_addresses_are_bad_input(stage: Stage) -> None:
    """With the place in the scenario and the most that one worker takes; one pair fewer is none."""
    pairs = ADDRESSES_A_WORKER * ENDS_AN_ADDRESS // 2
    planned(stage, resident=2 * pairs, workers=2, visits_per_window=0)
    with pytest.raises(BadInput) as refused:
        planned(stage, resident=2 * pairs + 1, workers=2, visits_per_window=0)
    (line,) = refused.value.problems
    assert line.startswith(f"{small_drill().path}: load.workers: found 2 for {2 * pairs + 1} residents and 0 visitors")
    assert line.endswith(f", expected at most {pairs} pairs a worker")


def test_visitors_count_among_the_ends(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tier that asks for more evidence needs more of them, and more addresses."""
    monkeypatch.setattr(planning, "visitors", lambda scenario, heartbeat_s, factor: 1000 * factor)
    assert planned(stage, resident=10, workers=1).ends_addresses == -(-2 * 1010 // 12)
    with pytest.raises(BadInput, match="10 residents and 2000 visitors"):
        planned(stage, resident=10, workers=1, factor=2)


@pytest.mark.parametrize("workers", [1, 4])
def test_whoever_visits_has_at_least_one_visitor_a_worker(stage: Stage, workers: int) -> None:
    """Or a worker's share of the visits would never be made; without visits there are none."""
    assert planned(stage, workers=workers, visits_per_window=1).visitors == workers
    assert planned(stage, workers=workers, visits_per_window=0).visitors == 0

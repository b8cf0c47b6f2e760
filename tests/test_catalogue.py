"""Which drills there are, and that each is worth having: every promise has a defect that breaks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from drills.catalogue import CONTROL, SCENARIOS, Catalogue
from drills.errors import BadInput
from drills.invariants.table import INVARIANTS
from drills.reference.defects import REGISTRY
from drills.scenario.models import SUITES, Scenario

CATALOGUE = Catalogue()
NAMES = list(CATALOGUE.paths())


@pytest.fixture(scope="module")
def drills() -> dict[str, Scenario]:
    """Every shipped drill."""
    return CATALOGUE.all()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of scenarios with the shipped tiers and the control run."""
    for name in ("tiers.yaml", "calm.yaml"):
        (tmp_path / name).write_text((SCENARIOS / name).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def copied(folder: Path, name: str) -> None:
    """The control run once more, under another name."""
    text = (folder / "calm.yaml").read_text(encoding="utf-8")
    (folder / f"{name}.yaml").write_text(text.replace("name: calm", f"name: {name}"), encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_scenario_is_understood(name: str) -> None:
    """Without a single problem."""
    assert CATALOGUE.read(CATALOGUE.paths()[name]).name == name


def test_calm_comes_first(drills: dict[str, Scenario]) -> None:
    """In the listing and in every suite."""
    assert next(iter(drills)) == CONTROL
    assert all(CATALOGUE.suite(suite)[0].name == CONTROL for suite in SUITES)


def test_no_drills_name_stands_inside_another() -> None:
    """`pytest -k` matches substrings."""
    assert not [(one, other) for one in NAMES for other in NAMES if one != other and one in other]


@pytest.mark.parametrize("name", NAMES)
def test_every_objective_has_a_defect_that_breaks_it(drills: dict[str, Scenario], name: str) -> None:
    """A promise that nothing has ever been seen to break promises nothing."""
    bitten = {claim for caught_by in drills[name].teeth.values() for claim in caught_by}
    toothless = [spec.claim for spec in drills[name].objectives if spec.claim not in bitten]
    assert not toothless, f"no defect in `teeth` of {name} breaks {', '.join(toothless)}"


def test_every_drill_has_a_defect_and_every_invariant_one_that_breaks_it(drills: dict[str, Scenario]) -> None:
    """What can never be seen to fail proves nothing by holding."""
    assert [name for name, drill in drills.items() if not drill.teeth] == []
    bitten = {claim for drill in drills.values() for caught_by in drill.teeth.values() for claim in caught_by}
    assert set(INVARIANTS) <= bitten


def test_every_defect_of_the_reference_is_caught_by_some_drill(drills: dict[str, Scenario]) -> None:
    """A defect that no drill names is one that nobody would notice."""
    used = {defect for drill in drills.values() for defect in drill.teeth}
    assert not sorted(REGISTRY.keys() - used)


def test_a_name_inside_another_is_told(folder: Path) -> None:
    """Before anybody's `-k` runs two drills."""
    copied(folder, "calm_night")
    with pytest.raises(BadInput, match="found 'calm', expected a name that does not stand inside 'calm_night'"):
        Catalogue(folder).all()


def test_a_file_that_nobody_would_read_is_told(folder: Path) -> None:
    """.yml beside .yaml would be a drill that never runs."""
    (folder / "storm.yml").write_text("name: storm\n")
    with pytest.raises(BadInput, match=r"found the ending \.yml, expected \.yaml"):
        Catalogue(folder).all()


def test_a_folder_without_drills_is_told(tmp_path: Path) -> None:
    """An empty listing would look like success."""
    with pytest.raises(BadInput, match="found no scenario, expected at least one"):
        Catalogue(tmp_path).all()


def test_the_problems_of_all_files_come_together(folder: Path) -> None:
    """Not file after file."""
    (folder / "one.yaml").write_text("name: one\n")
    (folder / "two.yaml").write_text("name: two\nname: two\n")
    with pytest.raises(BadInput) as refused:
        Catalogue(folder).all()
    assert {"one.yaml", "two.yaml"} <= {Path(line.split(":")[0]).name for line in refused.value.problems}


def test_a_broken_tiers_file_is_told_once(folder: Path) -> None:
    """And not once a scenario."""
    (folder / "tiers.yaml").write_text("tiers: 3\n")
    copied(folder, "storm")
    _, problems = Catalogue(folder).everything()
    assert len(problems) == 1 and "tiers: found 3, expected a mapping with the keys evidence, indicators" in problems[0]


def test_every_unknown_name_is_told() -> None:
    """Each on a line of its own, with the names there are."""
    with pytest.raises(BadInput) as refused:
        CATALOGUE.named(["calm", "storm", "relay-drain"])
    assert len(refused.value.problems) == 2
    assert f"found 'relay-drain', expected one of {', '.join(NAMES)}" in refused.value.problems[1]


def test_a_drill_named_twice_runs_once() -> None:
    """In the order in which they were named first."""
    assert [drill.name for drill in CATALOGUE.named(["relay_drain", "calm", "relay_drain"])] == ["relay_drain", "calm"]


def test_tiers_beside_the_scenarios_can_be_checked_too() -> None:
    """`drills check scenarios/*.yaml` names them with the rest."""
    assert CATALOGUE.checked([SCENARIOS / "tiers.yaml"]) == ({}, [])

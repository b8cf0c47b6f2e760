"""Files of conditions: what is not understood is refused, all at once, before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from drills.__main__ import main
from drills.catalogue import SCENARIOS, Catalogue
from drills.errors import BadInput, Exit
from drills.options import Options
from drills.scenario.networks import load_network, named_network, networks
from drills.suite import under_networks

GOOD = (SCENARIOS / "networks" / "lte.yaml").read_text(encoding="utf-8")
WRONG = {
    "name": ("name: lte", "name: 3g", "expected the file's own stem, 'lte'"),
    "source": ("from: ofcom", "from: hearsay", "client.up.delay_ms.from: found 'hearsay', expected one of the sources"),
    "key": ("jitter_ms", "jiter_ms", "jiter_ms"),
    "loss": ("loss: {is: 0.002", "loss: {is: 0.9", "client.up.loss.is: found 0.9, expected a share from 0 to 0.5"),
    "burst": ("burst: {is: 2", "burst: {is: 0.2", "expected a number of packets from 1 to 1000"),
    "negative": ("is: 30", "is: -30", "client.up.delay_ms"),
    "nan": ("is: 30", "is: .nan", "client.up.delay_ms"),
    "text": ("is: 30", "is: fast", "client.up.delay_ms"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, wrong: str) -> None:
    """With file, path, what was found and what was expected."""
    before, after, said = WRONG[wrong]
    path = tmp_path / "lte.yaml"
    path.write_text(GOOD.replace(before, after))
    with pytest.raises(BadInput) as refused:
        load_network(path)
    assert any(said in line and str(path) in line for line in refused.value.problems)


@pytest.mark.parametrize("text", ["", "just text", "[lte]", "name: lte"])
def test_what_is_no_condition_is_refused(tmp_path: Path, text: str) -> None:
    """In the family of errors, never with a traceback."""
    path = tmp_path / "lte.yaml"
    path.write_text(text)
    with pytest.raises(BadInput):
        load_network(path)


def test_a_burst_without_a_loss_is_refused(tmp_path: Path) -> None:
    """It would say nothing."""
    path = tmp_path / "lte.yaml"
    path.write_text(GOOD.replace("    loss: {is: 0.002, from: ours}\n", ""))
    with pytest.raises(BadInput, match="no burst where nothing is lost"):
        load_network(path)


def test_an_unknown_condition_is_bad_input_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 4, naming those that there are."""
    code = main(["run", "calm", "--network", "carrier_pigeon", "--stage", "processes", "--out", str(tmp_path)])
    assert code == Exit.BAD_INPUT
    assert "--network: found 'carrier_pigeon', expected one of cable, fibre" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_every_condition_can_be_named() -> None:
    """By the stem of its file."""
    assert all(named_network(SCENARIOS, name, "--network").name == name for name in networks(SCENARIOS))


def test_a_drill_runs_under_each_condition_that_it_names_and_any_drill_under_one_that_is_asked_for() -> None:
    """A matrix of its own, or one condition for all."""
    calm, lossy = Catalogue().named(["calm", "lossy_media"])
    plain = [(asked.network, [one.name for one in some]) for asked, some in under_networks([calm, lossy], Options())]
    assert plain == [("", ["calm"]), ("fibre", ["lossy_media"]), ("lte", ["lossy_media"]),
                     ("geo_satellite", ["lossy_media"])]  # fmt: skip
    asked = under_networks([calm, lossy], Options(network="cable"))
    assert [(one.network, len(some)) for one, some in asked] == [("cable", 2)]


def test_a_scenario_that_names_an_unknown_condition_is_refused(tmp_path: Path) -> None:
    """Where it is read."""
    text = (SCENARIOS / "lossy_media.yaml").read_text(encoding="utf-8").replace("lte", "carrier_pigeon")
    (tmp_path / "lossy_media.yaml").write_text(text)
    with pytest.raises(BadInput, match="carrier_pigeon"):
        Catalogue().read(tmp_path / "lossy_media.yaml")

"""Scenarios read whole: what comes out of a sound file, and that no mutation of one is ever a traceback."""

from __future__ import annotations

import copy
import random
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from drills.catalogue import SCENARIOS, Catalogue
from drills.errors import BadInput
from drills.objectives import Shape
from drills.scenario.models import Action, Injection
from drills.scenario.parse import least_samples, load_scenario

NOISE = re.compile(r"\[type=|Input should|pydantic|function-|constrained|literal\[", re.IGNORECASE)
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, float("nan"), float("inf"), -float("inf"), 10**30, "", "x", [], {}, [1], {"a": 1}, [[[]]],
    "tier", "10 s", "-1 s", "\n", "relay_a", ["calm"], [["calm"]], [{"inject": ["x"]}], [{"do": {}}], 5e-324, 1e308,
    [{"inject": "drain", "service": ["relay_a"], "steps": 3}], "\x1b[31m", "🙂",
)  # fmt: skip
TOKENS = (
    "{", "}", "[", "]", ": ", "- ", "\n", "\t", "&a ", "*a", "!!int ", "? ", "| ", "> ", "'", '"', "#", "---\n", ".nan",
    "%YAML 1.1\n", "1e400", "<<: ", "\x00", "é", "\u2028", '"\\ud800"', "2026-01-01", "=", "!", "@", "`", "\r",
)  # fmt: skip


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The shipped compose file and tiers, read once."""
    return Catalogue()


def is_understood_or_refused(catalogue: Catalogue, path: Path) -> None:
    """No third outcome, and nothing but one line a problem."""
    try:
        load_scenario(path, catalogue.compose, catalogue.tiers)
    except BadInput as error:
        assert error.problems
        for line in error.problems:
            assert line.startswith(f"{path}:") and ": found " in line and ", expected " in line, line
            assert line.isprintable() and len(line) < 1200 and not NOISE.search(line), line


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a tree, as the keys and indices that lead there."""
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for key, value in inside for place in places(value, (*path, key)))]


def mutated_tree(tree: Any, choose: random.Random) -> Any:
    """The tree with one to three values replaced, removed or added."""
    tree = copy.deepcopy(tree)
    for _ in range(choose.randint(1, 3)):
        *before, last = choose.choice([place for place in places(tree) if place])
        owner = tree
        for part in before:
            owner = owner[part]
        match choose.randrange(3):
            case 0:
                owner[last] = choose.choice(VALUES)
            case 1 if len(tree) > 1:
                del owner[last]
            case _ if isinstance(owner, dict):
                owner[choose.choice(["why", "service", "lasts", "steps", "inject", "a b\n"])] = choose.choice(VALUES)
            case _:
                owner.insert(0, choose.choice(VALUES))
    return tree


def mutated_text(text: str, choose: random.Random) -> str:
    """The text with a few tokens put in, pieces cut out and lines repeated."""
    for _ in range(choose.randint(1, 4)):
        place = choose.randrange(len(text) + 1)
        match choose.randrange(3):
            case 0:
                text = text[:place] + choose.choice(TOKENS) * choose.choice([1, 1, 40]) + text[place:]
            case 1:
                text = text[:place] + text[place + choose.randrange(20) :]
            case _:
                lines = text.split("\n")
                lines.insert(choose.randrange(len(lines)), choose.choice(lines))
                text = "\n".join(lines)
    return text


@pytest.mark.parametrize("seed", range(4))
def test_no_mutation_of_a_sound_scenario_is_a_traceback(catalogue: Catalogue, tmp_path: Path, seed: int) -> None:
    """Sixty mutations a seed of values and of text: each is a drill or a list of clear lines."""
    choose = random.Random(seed)
    text = (SCENARIOS / "relay_drain.yaml").read_text(encoding="utf-8")
    tree = yaml.safe_load(text)
    path = tmp_path / "relay_drain.yaml"
    for round_number in range(60):
        broken = (mutated_text(text, choose) if round_number % 2
                  else yaml.safe_dump(mutated_tree(tree, choose), allow_unicode=True, sort_keys=False))  # fmt: skip
        path.write_text(broken, encoding="utf-8")
        is_understood_or_refused(catalogue, path)


def test_a_scenario_comes_out_as_it_was_written(catalogue: Catalogue) -> None:
    """Order, subjects and nesting of the story are kept, and so is the text."""
    drill = catalogue.named(["relay_drain"])[0]
    (drain,) = drill.fault
    assert isinstance(drain, Injection) and (drain.fault, drain.subject, drain.lasts) == ("drain", "relay_a", None)
    kinds = [step.name if isinstance(step, Action) else step.fault for step in drain.steps]
    assert kinds == ["sample_leases", "hold", "down", "await_reregistration", "sample_leases", "hold", "empty",
                     "restart", "await_back", "hold"]  # fmt: skip
    assert drill.text == drill.path.read_text(encoding="utf-8")


def test_the_copy_in_a_record_may_have_another_file_name(catalogue: Catalogue, tmp_path: Path) -> None:
    """A record keeps its drill as scenario.yaml; the name comes from the record."""
    copied = tmp_path / "scenario.yaml"
    copied.write_text((SCENARIOS / "calm.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert load_scenario(copied, catalogue.compose, catalogue.tiers, name="calm").name == "calm"
    with pytest.raises(BadInput, match="name: found 'calm', expected the file's own stem, 'scenario'"):
        load_scenario(copied, catalogue.compose, catalogue.tiers)


@pytest.mark.parametrize(
    ("shape", "limit", "least"),
    [(Shape.RATIO_MIN, 0.98, 150), (Shape.RATIO_MAX, 0.02, 150), (Shape.RATIO_MIN, 0.95, 60),
     (Shape.RATIO_MAX, 0.005, 600), (Shape.RATIO_MIN, 1.0, 3), (Shape.RATIO_MAX, 0.0, 3)],
)  # fmt: skip
def test_a_stricter_ratio_needs_more_samples(shape: Shape, limit: float, least: int) -> None:
    """3/(1 − limit), as the design has it."""
    assert least_samples(shape, limit) == least

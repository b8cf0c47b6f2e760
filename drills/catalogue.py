"""Which drills there are: every scenario in ``scenarios/``, read on demand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from drills.errors import BadInput
from drills.scenario.models import SUITES, Scenario
from drills.scenario.parse import load_scenario
from drills.scenario.tiers import Tiers, load_tiers
from drills.stage.compose import Compose, load_compose

REPOSITORY = Path(__file__).resolve().parents[1]
SCENARIOS = REPOSITORY / "scenarios"
NOT_DRILLS = {"tiers"}
CONTROL = "calm"  # runs first in a suite (design §6)


@dataclass(frozen=True)
class Catalogue:
    """The scenarios of one folder, with the files they rest on."""

    folder: Path = SCENARIOS
    compose_path: Path = REPOSITORY / "docker-compose.drills.yml"

    @cached_property
    def compose(self) -> Compose:
        """The services and proxies."""
        return load_compose(self.compose_path)

    @cached_property
    def tiers(self) -> Tiers:
        """The limits by tier."""
        return load_tiers(self.folder / "tiers.yaml")

    def paths(self) -> dict[str, Path]:
        """The scenario files by drill name, in the order of their names, ``calm`` first."""
        found = {path.stem: path for path in sorted(self.folder.glob("*.yaml")) if path.stem not in NOT_DRILLS}
        return {name: found[name] for name in sorted(found, key=lambda name: (name != CONTROL, name))}

    def read(self, path: Path) -> Scenario:
        """One scenario file; raises BadInput with all its problems."""
        return load_scenario(path, self.compose, self.tiers)

    def all(self) -> dict[str, Scenario]:
        """Every drill; raises BadInput with the problems of all files together."""
        scenarios, problems = self.everything()
        if problems:
            raise BadInput(*problems)
        return scenarios

    def everything(self) -> tuple[dict[str, Scenario], list[str]]:
        """Every drill that could be read, and every problem of the folder as a whole and of each file in it."""
        paths = self.paths()
        scenarios, problems = self.checked(list(paths.values()))
        problems += self._names_inside_others(list(paths))
        problems += [f"{path}: found the ending .yml, expected .yaml, or nobody reads it"
                     for path in sorted(self.folder.glob("*.yml"))]  # fmt: skip
        if not paths:
            problems.append(f"{self.folder}: found no scenario, expected at least one *.yaml")
        return scenarios, problems

    def checked(self, paths: list[Path]) -> tuple[dict[str, Scenario], list[str]]:
        """What could be read of these files, and every problem of the rest."""
        scenarios: dict[str, Scenario] = {}
        problems: list[str] = []
        for path in paths:
            try:
                if path.stem in NOT_DRILLS:  # `drills check scenarios/*.yaml`
                    load_tiers(path)
                else:
                    scenarios[path.stem] = self.read(path)
            except BadInput as error:
                problems += error.problems
        return scenarios, [*dict.fromkeys(problems)]

    def named(self, names: list[str]) -> list[Scenario]:
        """The drills of these names, in this order; raises BadInput for all that do not exist."""
        paths = self.paths()
        unknown = [name for name in names if name not in paths]
        if unknown:
            raise BadInput(
                *(f"command line: NAME: found {name!r}, expected one of {', '.join(paths)}" for name in unknown)
            )
        scenarios, problems = self.checked([paths[name] for name in dict.fromkeys(names)])
        if problems:
            raise BadInput(*problems)
        return [scenarios[name] for name in dict.fromkeys(names)]

    def suite(self, suite: str) -> list[Scenario]:
        """The drills of a suite, the control run first."""
        if suite not in SUITES:
            raise BadInput(f"command line: --suite: found {suite!r}, expected one of {', '.join(SUITES)}")
        return [scenario for scenario in self.all().values() if suite in scenario.suites]

    def _names_inside_others(self, names: list[str]) -> list[str]:
        """`pytest -k` matches substrings: no drill's name may stand inside another's (design §1)."""
        return [
            f"{self.folder / name}.yaml: name: found {name!r}, expected a name that does not stand inside {other!r}"
            for name in names
            for other in names
            if name != other and name in other
        ]

"""``pytest drills -k relay_drain``: every scenario as one test; only `held` passes.

A drill that cannot be run is an error and never a skip: the run happens in a fixture, whose exceptions pytest reports
as errors, and the verdict in the test, whose exceptions are failures.
"""

from __future__ import annotations

import argparse
import shlex
import sys

import pytest

from drills.catalogue import Catalogue
from drills.judging import judge_folder
from drills.placing import check_stage, options_of
from drills.recovery import recover_all
from drills.report.terminal import verdict_lines
from drills.run import run_drill
from drills.signals import Signals
from drills.verdict import Outcome, Verdict


@pytest.fixture
def verdict(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Verdict:
    """Run the drill that the test is named after."""
    catalogue = Catalogue()
    (scenario,) = catalogue.named([request.getfixturevalue("drill")])
    names = ("target", "stage", "tier", "pace", "seed", "network", "defect", "out")
    words = {name: request.config.getoption(f"--{name}") for name in names}
    options = options_of(argparse.Namespace(**words, command_line=shlex.join(["pytest", *sys.argv[1:]])))
    check_stage([scenario], options)
    recover_all(options.out)
    signals = Signals()

    def say(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)

    say(f"stage: {options.stage} ({options.stage_why})")
    with signals.caught():
        folder = run_drill(scenario, catalogue.compose, catalogue.tiers, options, say, signals)
    if signals.interrupted:
        raise KeyboardInterrupt(signals.interrupted)
    return judge_folder(folder)


@pytest.mark.parametrize("drill", [*Catalogue().paths()])
def test_drill(drill: str, verdict: Verdict) -> None:
    """The drill held."""
    if verdict.verdict is not Outcome.HELD:
        pytest.fail("\n".join(verdict_lines(verdict)), pytrace=False)

"""The command line: which mistake has which exit code, and that no user ever sees a traceback. No drill is started."""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drills import __main__, commands
from drills.errors import GRAVEST_FIRST, CannotRun, Exit, Interrupted, combined

REPOSITORY = Path(__file__).resolve().parents[1]
HEAVY = ("numpy", "pyarrow", "locust", "gevent", "requests", "matplotlib", "aiohttp", "websocket", "cryptography",
         "docker", "testcontainers", "toxiproxy", "pyseto", "http.client", "urllib.request", "ssl",
         "asyncio")  # fmt: skip
KINDS = ("GATEWAY", "MASTER", "RELAY")
NO_ENGINE = "no engine answers at a place of this test's own"


@pytest.fixture(autouse=True)
def _no_drill_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a test get past the checks, it fails here and nothing runs; no engine is asked, and none answers."""
    from drills import suite

    def refuse(*_: Any) -> Any:
        raise AssertionError("a drill was about to be started")

    monkeypatch.setattr(suite, "run_drill", refuse)
    monkeypatch.setattr(suite, "standing_stage", refuse)
    monkeypatch.setattr(suite, "recover_all", refuse)
    monkeypatch.setattr("drills.stage.engine.problem", lambda: NO_ENGINE)
    for name in (
        "WAVRY_BIN",
        "WAVRY_CONTROL_PLANE_TAG",
        "WAVRY_IMAGE_REPO",
        *(f"WAVRY_{kind}_IMAGE" for kind in KINDS),
    ):
        monkeypatch.delenv(name, raising=False)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code of a command and what it said on stderr."""
    code = __main__.main([*words])
    return code, capsys.readouterr().err


MISTAKES = {
    "no_command": ([], "COMMAND: found nothing, expected one"),
    "unknown_command": (["dance"], "COMMAND: found 'dance', expected one of 'list', 'check', 'run'"),
    "unknown_flag": (["list", "--loud"], "found --loud, expected only arguments that this command knows"),
    "shortened_flag": (["run", "calm", "--pac", "fast"], "found --pac fast, expected only arguments"),
    "flag_without_value": (["run", "calm", "--tier"], "--tier: found nothing, expected a value"),
    "value_for_a_switch": (["list", "--json=yes"], "--json: found 'yes', expected no value"),
    "run_without_names": (["run"], "found neither"),
    "names_and_suite": (["run", "calm", "--suite", "daily"], "found both"),
    "teeth_of_names_and_suite": (["teeth", "calm", "--suite", "daily"], "found both drill names and --suite"),
    "teeth_of_an_unknown_drill": (["teeth", "storm", "--list"], "found 'storm', expected one of calm"),
    "sample_of_nothing": (["teeth", "--sample", "0"], "--sample: found '0', expected a whole number from 1"),
    "three_at_once": (["teeth", "--at-once", "3"], "--at-once: found 3, expected one of 1, 2"),
    "three_side_by_side": (["run", "calm", "--side-by-side", "3"], "--side-by-side: found 3, expected one of 1, 2"),
    "hold_without_a_terminal": (["run", "calm", "--hold"], "--hold: found no terminal on stdin, expected one"),
    "hold_of_two": (["run", "calm", "relay_drain", "--hold"], "--hold: found 2 drills, expected one"),
    "hold_max_alone": (["run", "calm", "--hold-max-s", "9"], "--hold-max-s: found it without --hold, expected both"),
    "unknown_drill": (["run", "storm"], "found 'storm', expected one of calm, "),
    "unknown_drill_to_stand": (["stand", "storm"], "found 'storm', expected one of calm, "),
    "stand_without_a_name": (["stand"], "NAME: found nothing, expected one"),
    "unknown_suite": (["run", "--suite", "weekly"], "--suite: found 'weekly', expected one of 'monthly'"),
    "unknown_tier": (["run", "calm", "--tier", "moon"], "--tier: found 'moon', expected one of 'dev'"),
    "unknown_target": (["run", "calm", "--target", "moon"], "--target: found 'moon', expected one of 'reference'"),
    "unknown_stage": (["run", "calm", "--stage", "moon"], "--stage: found 'moon', expected one of"),
    "unknown_pace": (["run", "calm", "--pace", "slow"], "--pace: found 'slow', expected one of 'real', 'fast'"),
    "unknown_defect": (["run", "calm", "--defect", "sulks"], "--defect: found sulks, expected one of "),
    "wavry_fast": (["run", "calm", "--target", "wavry", "--pace", "fast"], "--pace: found fast with --target wavry"),
    "wavry_with_a_defect": (["run", "calm", "--target", "wavry", "--defect", "relay_adds_40ms"],
                            "--defect: found relay_adds_40ms with --target wavry"),
    "wavry_without_programs": (["run", "calm", "--target", "wavry", "--stage", "processes"],
                               "WAVRY_BIN: found nothing, expected a folder"),
    "seed_of_text": (["run", "calm", "--seed", "lucky"], "--seed: found 'lucky', expected a whole number from 0"),
    "negative_seed": (["run", "calm", "--seed", "-1"], "--seed: found '-1', expected a whole number from 0"),
    "endless_seed": (["run", "calm", "--seed", "9" * 5000], "expected a whole number from 0 to 4294967295"),
    "out_is_a_file": (["run", "calm", "--out", __file__], "which is not a folder, expected a folder"),
    "out_below_a_file": (["recover", "--out", f"{__file__}/deep"], "which is not a folder, expected a folder"),
    "out_of_nothing": (["report", "2026-11", "--out", ""], "--out: found '', which is not a folder"),
    "month_that_is_none": (["report", "2026-13"], "YYYY-MM: found '2026-13', expected a month such as 2026-11"),
    "month_that_is_a_path": (["report", "../2026-11"], "YYYY-MM: found '../2026-11', expected a month"),
    "no_record_to_judge": (["judge", "/nowhere"], "/nowhere: found no journal.jsonl, expected the folder of a run"),
    "finding_that_is_none": (["findings", "close", "x", "--because", "y", "--out", "/nowhere"], "found no finding"),
    "unknown_act": (["findings", "dance"], "ACT: found 'dance', expected one of 'list', 'show', 'update', 'assign'"),
    "close_without_a_reason": (["findings", "close", "x"], "--because: found nothing, expected one"),
    "missing_scenario": (["check", "/nowhere.yaml"], "/nowhere.yaml: found no such file, expected a YAML file"),
    "folder_as_a_scenario": (["check", str(REPOSITORY)], "found a folder, expected a YAML file"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_each_mistake_is_bad_input_in_one_line(capsys: pytest.CaptureFixture[str], case: str) -> None:
    """Exit code 4, and a line that says what was found and what was expected."""
    words, fragment = MISTAKES[case]
    code, said = told(capsys, *words)
    assert code == Exit.BAD_INPUT == 4
    assert fragment in said
    assert len(said.splitlines()) == 1 and ", expected " in said
    assert said.startswith("drills: ") and "Traceback" not in said


def test_programs_that_are_not_there_are_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A WAVRY_BIN that is empty says which programs it lacks."""
    monkeypatch.setenv("WAVRY_BIN", str(tmp_path))
    code, said = told(capsys, "run", "calm", "--target", "wavry", "--stage", "processes")
    assert code == Exit.BAD_INPUT
    assert all(f"{tmp_path}/wavry-{kind}" in said for kind in ("gateway", "master", "relay"))


@pytest.mark.parametrize("stage", [[], ["--stage", "containers"]])
def test_images_that_are_not_named_are_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stage: list[str]
) -> None:
    """One line for each kind of service, with every way to give it; said before anybody looks for an engine."""
    monkeypatch.setenv("WAVRY_BIN", str(tmp_path))
    monkeypatch.setenv("WAVRY_GATEWAY_IMAGE", "registry.example/gateway:1")
    code, said = told(capsys, "run", "calm", "--target", "wavry", *stage)
    assert code == Exit.BAD_INPUT
    lines = said.splitlines()
    assert [f"for {kind}, expected a folder with wavry-{kind}, or an image's name in WAVRY_{kind.upper()}_IMAGE" in line
            for kind, line in zip(("master", "relay"), lines, strict=True)] == [True, True]  # fmt: skip
    assert ["WAVRY_CONTROL_PLANE_TAG" in line for line in lines] == [False, True]  # no master is published
    assert NO_ENGINE not in said


def test_containers_that_were_asked_for_and_cannot_be_had_are_no_other_stage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 3 with the reason, the way to get an engine and the way without one; never processes in silence."""
    code, said = told(capsys, "run", "calm", "--stage", "containers")
    assert code == Exit.CANNOT_RUN == 3
    assert NO_ENGINE in said
    assert "make engine" in said
    assert "--stage processes" in said


def test_every_problem_of_every_file_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """`drills check A B` with a mistake in each is two lines, and as JSON two problems."""
    gallery = REPOSITORY / "tests" / "broken_scenarios"
    files = [str(gallery / "limit_of_nan.yaml"), str(gallery / "unknown_fault.yaml")]
    code, said = told(capsys, "check", *files)
    assert code == Exit.BAD_INPUT and len(said.splitlines()) == 2
    assert __main__.main(["check", "--json", *files]) == Exit.BAD_INPUT
    told_as_json = json.loads(capsys.readouterr().out)
    assert told_as_json["understood"] == [] and len(told_as_json["problems"]) == 2


def test_what_is_shipped_passes_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    """`drills check` is quiet on stderr and exits 0."""
    assert told(capsys, "check") == (Exit.HELD, "")


def test_the_listing_can_be_read_by_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """`drills list --json` is a list with a drill's name, suites and claim in each row."""
    assert __main__.main(["list", "--json"]) == Exit.HELD
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["drill"] == "calm"
    assert all({"drill", "suites", "claim"} <= row.keys() for row in rows)


def test_the_rows_of_the_teeth_can_be_read_by_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """`drills teeth --list --json` names them, and runs nothing; without a name or a suite it is the monthly one."""
    assert __main__.main(["teeth", "--list", "--json"]) == Exit.HELD
    rows = json.loads(capsys.readouterr().out)
    assert rows[0] == {"drill": "calm", "defect": None, "claims": []}
    assert all(row["claims"] for row in rows if row["defect"])
    assert {"drill": "calm", "defect": "relay_drops_one_in_fifty", "claims": ["packets_lost_ratio"]} in rows


@pytest.mark.parametrize(
    ("raised", "code", "fragment"),
    [
        (RuntimeError("boom\nand more"), Exit.CANNOT_RUN, "an error of our own: RuntimeError: boom and more"),
        (RecursionError("deep"), Exit.CANNOT_RUN, "an error of our own: RecursionError: deep"),
        (CannotRun("no toxiproxy-server"), Exit.CANNOT_RUN, "drills: no toxiproxy-server"),
        (Interrupted("SIGTERM"), Exit.INCONCLUSIVE, "interrupted by SIGTERM"),
        (KeyboardInterrupt(), Exit.INCONCLUSIVE, "interrupted"),
        (ModuleNotFoundError("No module named 'yaml'", name="yaml"), Exit.CANNOT_RUN, "found no package 'yaml'"),
        (ModuleNotFoundError("No module named 'drills.x'", name="drills.x"), Exit.CANNOT_RUN, "an error of our own"),
    ],
)
def test_no_error_is_ever_a_verdict(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, raised: BaseException,
    code: Exit, fragment: str,
) -> None:  # fmt: skip
    """Whatever happens inside, the exit code is not 0 or 1 and stderr has no traceback."""

    def failing(options: argparse.Namespace) -> Exit:
        raise raised

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(commands, "list", failing)
    found, said = told(capsys, "list")
    assert found == code
    assert fragment in said and "Traceback" not in said
    kept = list(tmp_path.glob("drills-error-*.txt"))
    assert len(kept) == ("of our own" in fragment)
    assert all("Traceback" in path.read_text() for path in kept)


def test_a_full_disk_does_not_hide_the_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the details cannot be written, the line is still said."""

    def failing(options: argparse.Namespace) -> Exit:
        raise RuntimeError("boom")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    monkeypatch.setattr(commands, "list", failing)
    code, said = told(capsys, "list")
    assert code == Exit.CANNOT_RUN and "RuntimeError: boom" in said and "no file" in said


def test_the_gravest_code_wins() -> None:
    """4, 3, 1, 2, 0, whatever the order in which they occurred; of nothing, nothing is concluded."""
    assert [int(code) for code in GRAVEST_FIRST] == [4, 3, 1, 2, 0]
    for count in (1, 2, 3):
        for codes in itertools.product(Exit, repeat=count):
            assert combined(codes) is min(codes, key=GRAVEST_FIRST.index)
    assert combined([]) is Exit.INCONCLUSIVE


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    """A real process, as a user would start it."""
    return subprocess.run(
        [sys.executable, *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("command", ["list", "check"])
def test_looking_at_drills_imports_nothing_heavy(command: str) -> None:
    """What only running or reporting needs is not loaded to list or check."""
    script = f"""
import sys
from drills.__main__ import main
code = main([{command!r}])
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""
    done = ran("-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"


def test_a_reader_that_leaves_early_sees_no_traceback() -> None:
    """`drills list | head -0` breaks the pipe."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m drills list | true; exit ${{PIPESTATUS[0]}}"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert done.returncode in (Exit.HELD, Exit.CANNOT_RUN)

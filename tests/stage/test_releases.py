"""Releases: which there are, what each is told, and that a stage can start a service as another and back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.errors import BadInput
from drills.reference.defects import REGISTRY, VARIABLE
from drills.reference.releases import CANDIDATE, IMAGE_TAGS, KNOWN_GOOD, RELEASES, asked_for
from drills.stage.addresses import Block, claimed
from drills.stage.base import Stage
from drills.stage.children import sweep
from drills.stage.images import recipes
from drills.stage.processes import ProcessStage, Target, candidate_programs
from tests.stage.both_stages import both_stages
from tests.stage.test_processes import TINY, compose

CANDIDATES = [name for name, defect in REGISTRY.items() if defect.release == CANDIDATE]


def test_every_defect_of_a_candidate_is_a_release() -> None:
    """On the candidate's own images, with the defect in its environment."""
    assert CANDIDATES
    for name in CANDIDATES:
        release = RELEASES[f"candidate_{name}"]
        assert (release.image_tag, dict(release.environment)) == (CANDIDATE, {VARIABLE: name})
    assert IMAGE_TAGS == (KNOWN_GOOD, CANDIDATE)
    assert {"gateway:known-good", "relay:candidate"} <= set(recipes.names())


@pytest.mark.parametrize(
    ("tag", "defects", "expected"),
    [
        (CANDIDATE, ("relay_adds_40ms",), CANDIDATE),
        (CANDIDATE, ("relay_adds_40ms", "slow_auth"), "candidate_slow_auth"),
        (CANDIDATE, ("slow_auth", "schema_step"), "candidate_slow_auth_schema_step"),
        (KNOWN_GOOD, ("slow_auth",), KNOWN_GOOD),
        ("candidate_schema_step", ("slow_auth",), "candidate_schema_step"),
    ],
)
def test_the_candidate_is_the_faulty_one_that_was_asked_for(tag: str, defects: tuple[str, ...], expected: str) -> None:
    """`--defect` of a candidate changes the candidate and nothing else."""
    assert asked_for(tag, defects).tag == expected


@pytest.fixture(params=[0, 1], ids=["processes", "containers"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    """A stage of either kind that is not raised, in a run with a defect of everybody and one of the candidate."""
    stage = both_stages(tmp_path)[request.param]
    stage.defects = ("relay_adds_40ms", "slow_auth")
    return stage


def test_a_candidates_defect_is_told_to_the_candidate_alone(stage: Stage) -> None:
    """Everybody's defects to all of them."""
    plan = stage.services["gateway"].plan
    known_good = stage._environment(plan, asked_for(KNOWN_GOOD, stage.defects))
    candidate = stage._environment(plan, asked_for(CANDIDATE, stage.defects))
    assert known_good[VARIABLE] == "relay_adds_40ms"
    assert candidate == {**known_good, VARIABLE: "relay_adds_40ms,slow_auth", "DRILLS_RELEASE": "candidate_slow_auth"}


@pytest.fixture
def block() -> Iterator[Block]:
    """Addresses of our own."""
    with claimed() as block:
        yield block


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A run's folder."""
    folder = tmp_path / "run"
    folder.mkdir()
    yield folder
    assert sweep(folder) == []


def test_a_process_is_replaced_by_another_release_and_back(folder: Path, tmp_path: Path, block: Block) -> None:
    """By what the kernel says of the process that runs; the same version afterwards as before, in a third process."""
    (tmp_path / "tiny.py").write_text(TINY)
    programs = dict.fromkeys(("gateway", "master", "relay"), (sys.executable, "-S", str(tmp_path / "tiny.py")))
    stage = ProcessStage(compose(), ("gateway", "master"), Target("reference", programs), folder, block)
    with stage.standing():
        before, pids = stage.version("gateway"), [stage.services["gateway"].running.pid]  # type: ignore[union-attr]
        written = folder / "volumes" / "gateway" / "written"
        written.write_text("before")
        replaced = stage.replace("gateway", CANDIDATE, keep=True)
        stage.await_ready("gateway")
        pids.append(stage.services["gateway"].running.pid)  # type: ignore[union-attr]
        assert stage.version("gateway") == replaced.planned != before
        assert [*replaced.seconds] == ["stopped_s", "data_kept_s", "installed_s", "started_s"]
        written.write_text("during")
        stage.replace("gateway", KNOWN_GOOD)
        stage.await_ready("gateway")
        pids.append(stage.services["gateway"].running.pid)  # type: ignore[union-attr]
        assert stage.version("gateway") == before
        assert written.read_text() == "during"
        stage.replace("gateway", KNOWN_GOOD, put_back=True)
        assert written.read_text() == "before"
    assert len(set(pids)) == 3
    assert not (folder / "volumes").exists()


def wavry(folder: Path, block: Block, **candidates: Path) -> ProcessStage:
    """A stage of somebody's programs: one that ends at once in the place of each."""
    programs = dict.fromkeys(("gateway", "master", "relay"), ("/bin/true",))
    return ProcessStage(compose(), ("gateway",), Target("wavry", programs, candidates), folder, block)


def test_without_another_program_the_candidate_is_the_same_one_at_a_second_path(folder: Path, block: Block) -> None:
    """Said, and told apart by the path."""
    stage = wavry(folder, block)
    before = stage.version("gateway")
    replaced = stage.replace("gateway", CANDIDATE)
    assert "WAVRY_CANDIDATE_BIN" in replaced.said
    assert replaced.planned != before
    assert replaced.planned.split()[0] == before.split()[0]
    assert replaced.planned.endswith("candidate/wavry-gateway")
    stage.lower()
    assert not (folder / "volumes").exists()


def test_a_candidate_of_its_own_is_what_is_started(folder: Path, block: Block) -> None:
    """From where it is, without a word."""
    stage = wavry(folder, block, gateway=Path("/bin/false").resolve())
    replaced = stage.replace("gateway", CANDIDATE)
    assert replaced.said == ""
    assert replaced.planned.endswith(str(Path("/bin/false").resolve()))
    assert stage.services["gateway"].running.process.wait(5) == 1  # type: ignore[union-attr]
    stage.lower()


def test_a_folder_of_candidates_needs_both_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gateway and relay; what is missing is named."""
    monkeypatch.delenv("WAVRY_CANDIDATE_BIN", raising=False)
    assert candidate_programs() == {}
    monkeypatch.setenv("WAVRY_CANDIDATE_BIN", str(tmp_path))
    (tmp_path / "wavry-gateway").touch(0o755)
    with pytest.raises(BadInput, match=r"found no program at .*wavry-relay, expected a folder with wavry-gateway and"):
        candidate_programs()
    (tmp_path / "wavry-relay").touch(0o755)
    assert set(candidate_programs()) == {"gateway", "relay"}

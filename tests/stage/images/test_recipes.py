"""Images before they are made: what determines them, and what they are called."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drills.errors import BadInput, CannotRun
from drills.reference.defects import Defects
from drills.reference.releases import IMAGE_TAGS, RELEASES
from drills.stage.images import recipes, sources, toxiproxy_program

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", recipes.names())
def test_every_image_has_a_tag_for_people_and_one_for_runs(name: str) -> None:
    """The exact one is the moving one and the hash of the inputs."""
    image = recipes.image(name)
    assert image.exact == f"{image.moving}-{image.inputs[:12]}"
    assert re.fullmatch(r"wavry-drills/[a-z]+:[a-z0-9.-]+", image.moving)
    assert image.moving.removeprefix("wavry-drills/").startswith(name)


def test_an_image_that_is_not_there_is_refused_with_those_that_are() -> None:
    """Bad input, exit 4."""
    with pytest.raises(BadInput, match=r"no image 'gateway:better'.*gateway:known-good.*relay:mounted"):
        recipes.image("gateway:better")


def test_an_edit_of_the_reference_changes_its_images_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that what runs is what is in the repository, and nothing is made in vain."""
    before = {name: recipes.image(name).exact for name in recipes.names()}
    edited = {**sources.reference_files(), "drills/reference/relay/log.py": b"# edited\n"}
    monkeypatch.setattr(sources, "reference_files", lambda: edited)
    after = {name: recipes.image(name).exact for name in recipes.names()}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"{kind}:{tag}" for kind in sources.KINDS for tag in IMAGE_TAGS}


def test_releases_differ_even_where_their_programs_do_not() -> None:
    """A roll-out of the candidate must be seen to change the image."""
    good, candidate = recipes.image("relay:known-good"), recipes.image("relay:candidate")
    assert [layer.key for layer in good.layers] == [layer.key for layer in candidate.layers]
    assert good.inputs != candidate.inputs
    assert "DRILLS_RELEASE=candidate" in candidate.config["Env"]


@pytest.mark.parametrize("release", RELEASES.values(), ids=lambda release: release.tag)
def test_a_release_only_has_defects_that_there_are(release: object) -> None:
    """A misspelt one would keep its services from starting."""
    environment = getattr(release, "environment", {})
    Defects.from_environment(environment)


@pytest.mark.parametrize("kind", sources.KINDS)
def test_services_start_as_wavrys_own_images_do(kind: str) -> None:
    """Entry script, user, folder (operations-facts §1.2)."""
    for tag in ("known-good", "candidate", "mounted"):
        config = recipes.image(f"{kind}:{tag}").config
        assert config["Entrypoint"] == [f"/usr/local/bin/{kind}-entrypoint.sh"]
        assert config["User"] == "wavry" and config["WorkingDir"].startswith("/var/lib/wavry")
        assert f"HOME={config['WorkingDir']}" in config["Env"]


def test_toxiproxy_is_the_one_that_the_process_stage_builds() -> None:
    """One pin in two places: the Makefile's and ours."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert f"TOXIPROXY := {toxiproxy_program.MODULE}\n" in makefile


def test_a_machine_that_no_image_can_be_made_for_is_told_of_the_other_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 3 with a way on."""
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(CannotRun, match=r"x86_64 and aarch64, not riscv64.*--stage processes"):
        recipes.architecture()

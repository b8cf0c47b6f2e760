"""Which images a target runs as: each way to name them, what is missing is said, and what they are is in the record."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from drills.catalogue import Catalogue
from drills.errors import BadInput, CannotRun
from drills.stage import programs
from drills.stage.programs import Programs, ensured, is_ours, problem, variable, wanted

KINDS = ("gateway", "master", "relay")
OURS = {"toxiproxy": "toxiproxy", "load": "load"}


@pytest.fixture(autouse=True)
def nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the environment of whoever runs the tests is not theirs."""
    for name in ("WAVRY_BIN", "WAVRY_CONTROL_PLANE_TAG", "WAVRY_IMAGE_REPO"):
        monkeypatch.delenv(name, raising=False)
    for kind in KINDS:
        monkeypatch.delenv(f"WAVRY_{kind.upper()}_IMAGE", raising=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A WAVRY_BIN with all three programs."""
    for kind in KINDS:
        (tmp_path / f"wavry-{kind}").write_text(f"#!/bin/sh\n# {kind}\n")
        (tmp_path / f"wavry-{kind}").chmod(0o755)
    monkeypatch.setenv("WAVRY_BIN", str(tmp_path))
    return tmp_path


def test_the_reference_is_a_release_of_our_own() -> None:
    """With Toxiproxy and the load, which every target needs; the environment has no say."""
    assert wanted("reference") == {kind: f"{kind}:known-good" for kind in KINDS} | OURS
    assert all(is_ours(image) for image in wanted("reference").values())


def test_wavrys_programs_are_mounted_into_an_image_of_ours(folder: Path) -> None:
    """Which behaves as Wavry's own does."""
    assert wanted("wavry") == {kind: f"{kind}:mounted" for kind in KINDS} | OURS
    assert all(is_ours(image) for image in wanted("wavry").values())


def test_wavrys_images_are_named_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any name an engine knows, from any registry."""
    names = {"gateway": "registry.example:5000/gateway:1", "master": "our-master@sha256:12", "relay": "relay"}
    for kind, name in names.items():
        monkeypatch.setenv(f"WAVRY_{kind.upper()}_IMAGE", name)
    assert wanted("wavry") == names | OURS
    assert [name for name in names.values() if is_ours(name)] == []


def test_a_tag_names_what_is_published_and_a_master_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables are those of Wavry's own compose file (operations-facts §1.2)."""
    monkeypatch.setenv("WAVRY_CONTROL_PLANE_TAG", "v1.2")
    with pytest.raises(BadInput) as refused:
        wanted("wavry")
    (line,) = refused.value.problems
    assert "for master" in line
    assert "WAVRY_CONTROL_PLANE_TAG" not in line
    monkeypatch.setenv("WAVRY_MASTER_IMAGE", "mine/master:7")
    assert wanted("wavry")["gateway"] == "ghcr.io/bybrooklyn/wavry/gateway:v1.2"
    monkeypatch.setenv("WAVRY_IMAGE_REPO", "registry.example/wavry")
    assert wanted("wavry") == {
        "gateway": "registry.example/wavry/gateway:v1.2", "master": "mine/master:7",
        "relay": "registry.example/wavry/relay:v1.2",
    } | OURS  # fmt: skip


def test_the_nearest_name_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image by its name before a program in the folder before a tag: each kind by itself."""
    monkeypatch.setenv("WAVRY_CONTROL_PLANE_TAG", "v1.2")
    monkeypatch.setenv("WAVRY_GATEWAY_IMAGE", "mine/gateway:1")
    (folder / "wavry-relay").unlink()
    found = wanted("wavry")
    assert (found["gateway"], found["master"]) == ("mine/gateway:1", "master:mounted")
    assert found["relay"] == "ghcr.io/bybrooklyn/wavry/relay:v1.2"


def test_everything_that_is_missing_is_named_at_once(folder: Path) -> None:
    """A line for each kind, with what was found; a file that cannot be executed is no program."""
    (folder / "wavry-gateway").unlink()
    (folder / "wavry-relay").chmod(0o644)
    with pytest.raises(BadInput) as refused:
        wanted("wavry")
    assert len(refused.value.problems) == 2
    for kind, line in zip(("gateway", "relay"), refused.value.problems, strict=True):
        assert line.startswith(f"WAVRY_BIN: found no program in {folder} for {kind}, expected ")
        assert f"WAVRY_{kind.upper()}_IMAGE or a tag in WAVRY_CONTROL_PLANE_TAG" in line


def test_what_cannot_be_had_is_said_in_a_few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine first; then the images that we make, and only those: others may still be pulled."""
    looked: list[list[str]] = []
    monkeypatch.setattr(programs.engine, "problem", lambda: "no engine answers")
    monkeypatch.setattr(programs, "_unmakeable", lambda names: looked.append(names) or "no image load here")
    assert problem("reference") == "no engine answers"
    assert looked == []
    monkeypatch.setattr(programs.engine, "problem", lambda: "")
    for kind in KINDS:
        monkeypatch.setenv(f"WAVRY_{kind.upper()}_IMAGE", f"mine/{kind}:1")
    assert problem("wavry") == "no image load here"
    assert looked == [["toxiproxy", "load"]]


class Images:
    """What is made and what is pulled, in place of an engine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[str] = []
        self.pulled: list[str] = []
        self.missing: set[str] = set()
        monkeypatch.setattr(programs.making, "ensured", self.ensured)
        monkeypatch.setattr(programs.registry, "present_or_pulled", self.present_or_pulled)
        monkeypatch.setattr(programs.registry, "image_facts", lambda reference: {"id": f"sha256:id-of-{reference}"})

    def ensured(self, names: list[str], say: object) -> dict[str, str]:
        self.made += names
        return {name: f"wavry-drills/{name}-0123" for name in names}

    def present_or_pulled(self, reference: str, say: object) -> None:
        if reference in self.missing:
            raise CannotRun(f"{reference} cannot be pulled")
        self.pulled.append(reference)


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> Images:
    """An engine that makes and pulls whatever it is asked for."""
    return Images(monkeypatch)


def test_images_of_ours_are_made_and_others_pulled(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the compose file is told what came of it."""
    for kind in KINDS:
        monkeypatch.setenv(f"WAVRY_{kind.upper()}_IMAGE", f"mine/{kind}:1")
    found = ensured("wavry", lambda words: None)
    assert (sorted(images.made), sorted(images.pulled)) == (["load", "toxiproxy"], [f"mine/{kind}:1" for kind in KINDS])
    assert found.variables() == {
        "DRILLS_GATEWAY_IMAGE": "mine/gateway:1", "DRILLS_MASTER_IMAGE": "mine/master:1",
        "DRILLS_RELAY_IMAGE": "mine/relay:1", "DRILLS_TOXIPROXY_IMAGE": "wavry-drills/toxiproxy-0123",
        "DRILLS_LOAD_IMAGE": "wavry-drills/load-0123",
    }  # fmt: skip


def test_a_folder_of_programs_is_mounted_where_one_is_used(
    images: Images, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its real path: an engine knows no links of ours; and not for a target that does not need it."""
    (folder / "link").symlink_to(folder)
    monkeypatch.setenv("WAVRY_BIN", str(folder / "link"))
    assert ensured("wavry", lambda words: None).variables()["DRILLS_PROGRAMS"] == str(folder)
    assert "DRILLS_PROGRAMS" not in ensured("reference", lambda words: None).variables()


def test_an_image_that_cannot_be_had_says_what_else_could_be_done(
    images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3, and the other stage is named."""
    for kind in KINDS:
        monkeypatch.setenv(f"WAVRY_{kind.upper()}_IMAGE", f"mine/{kind}:1")
    images.missing = {"mine/master:1"}
    with pytest.raises(CannotRun, match=r"mine/master:1 cannot be pulled; or run it with --stage processes"):
        ensured("wavry", lambda words: None)


def test_the_record_says_what_ran(images: Images, folder: Path) -> None:
    """The id of each image, and the digest of a program that is mounted into it: that is not in the id."""
    found = Programs({"DRILLS_RELAY_IMAGE": "wavry-drills/relay:mounted-01", "DRILLS_LOAD_IMAGE": "load:1"}, folder)
    digest = sha256((folder / "wavry-relay").read_bytes()).hexdigest()[:16]
    assert found.version("load") == "load:1 sha256:id-of-load:1"
    assert found.version("relay").startswith(
        f"sha256:{digest} mounted into wavry-drills/relay:mounted-01 sha256:id-of-"
    )
    named = Programs({"DRILLS_RELAY_IMAGE": "mine/relay:1"}, folder)
    assert named.version("relay") == "mine/relay:1 sha256:id-of-mine/relay:1"


@pytest.mark.parametrize("target", ["reference", "wavry"])
def test_every_service_of_the_compose_file_has_an_image(target: str, folder: Path) -> None:
    """The UDP proxy runs from the load's: the record asks each for its version."""
    services = Catalogue().compose.services.values()
    kinds = {service.kind for service in services} - {"locust_master", "locust_worker", "proxies"}
    assert "udp_proxy" in kinds
    assert {variable(kind) for kind in kinds} <= {variable(kind) for kind in wanted(target)}

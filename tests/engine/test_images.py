"""The images as a real engine has them. Without an engine these are errors, never skipped (`make test-engine`)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from drills.errors import CannotRun
from drills.stage import engine
from drills.stage.images import archive, layers, making, places, recipes, registry, sources, tarball, toxiproxy_program
from drills.stage.images.compiled import Compiler

HARDENED = {
    "read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"], "tmpfs": {"/tmp": ""},
    "network_mode": "none",
}  # fmt: skip
STARTED_WITHIN_S = 10.0


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client; raises where there is no engine."""
    with contextlib.closing(engine.client(60.0)) as found:
        yield found


@pytest.fixture(scope="module")
def references(client: Any) -> dict[str, str]:
    """Every image, made where it is missing."""
    return making.ensured(recipes.names(), print)


@pytest.fixture
def run(client: Any) -> Iterator[Any]:
    """Start containers as the stage does, and have them gone afterwards."""
    started = []

    def start(reference: str, *words: str, **options: Any) -> Any:
        container = client.containers.run(reference, list(words), detach=True, **{**HARDENED, **options})
        started.append(container)
        return container

    yield start
    for container in started:
        with contextlib.suppress(docker.errors.NotFound):
            container.remove(force=True, v=True)


def said(container: Any) -> tuple[int, str]:
    """Exit code and output of a container that ends by itself."""
    code = container.wait(timeout=STARTED_WITHIN_S)["StatusCode"]
    return code, container.logs().decode()


def until_said(container: Any, words: str) -> None:
    """Wait for these words in its log (asked for again and again: docker-py leaves the sockets of streams open)."""
    deadline = time.monotonic() + STARTED_WITHIN_S
    while words not in (log := container.logs().decode()):
        assert time.monotonic() < deadline, f"{words!r} was never said: {log}"


@pytest.mark.parametrize("name", recipes.names())
def test_every_image_is_here_under_both_its_tags(client: Any, references: dict[str, str], name: str) -> None:
    """And carries the hash of what it was made from."""
    image, found = recipes.image(name), client.api.inspect_image(references[name])
    assert {image.exact, image.moving} <= set(found["RepoTags"])
    assert found["Config"]["Labels"][recipes.LABEL] == image.inputs
    assert registry.image_facts(references[name])["id"] == found["Id"]


def test_images_that_are_here_are_found_at_once(references: dict[str, str]) -> None:
    """A run must not wait for them (hashing included); the best of three, since others may be at work here."""
    took = []
    for _ in range(3):
        began = time.perf_counter()
        assert making.ensured(recipes.names(), print) == references
        took.append(time.perf_counter() - began)
    assert min(took) < 0.3


def test_the_same_inputs_are_the_same_image(client: Any, references: dict[str, str], tmp_path: Path) -> None:
    """Made again from nothing but the sources, to the byte: layer by layer and so the image id."""
    compiler = Compiler(client, references["base"])
    before = client.api.inspect_image(references["relay:known-good"])
    with places.locked(print):
        for layer in (layers.entry(), layers.reference()):
            target = tmp_path / f"{layer.name}.tar"
            layer.make(target, compiler)
            assert tarball.digest(target) in before["RootFS"]["Layers"]


@pytest.mark.usefixtures("references")
def test_an_image_taken_away_comes_back_with_the_same_id(client: Any) -> None:
    """From the layers in the cache, or made again; the candidate of the master, which no drill runs on yet."""
    image = recipes.image("master:candidate")
    before = client.api.inspect_image(image.exact)["Id"]
    for tag in client.api.inspect_image(image.exact)["RepoTags"]:
        client.api.remove_image(tag)
    assert making.ensured([image.name], print) == {image.name: image.exact}
    assert client.api.inspect_image(image.exact)["Id"] == before


@pytest.mark.usefixtures("references")
def test_layers_that_the_engine_has_are_known(client: Any) -> None:
    """So that after an edit only one small layer travels."""
    found = client.api.inspect_image(recipes.image("load").exact)["RootFS"]["Layers"]
    assert tuple(found) in archive.known_layers(client)


def test_the_gateway_starts_on_a_read_only_root_and_keeps_its_file_on_the_volume(
    run: Any, client: Any, references: dict[str, str]
) -> None:
    """As user wavry, as process 1, on a named volume that belongs to it."""
    volume = client.volumes.create(labels={"wavry-drills.test": "images"})
    try:
        container = run(references["gateway:known-good"], volumes=[f"{volume.name}:/var/lib/wavry"])
        until_said(container, "gateway listening")
        code, output = container.exec_run(["sh", "-c", "id -un; ls /var/lib/wavry; tr '\\0' ' ' < /proc/1/cmdline"])
        assert code == 0
        assert output.decode().split("\n") == ["wavry", "gateway.db", "python3 -m drills.reference.gateway "]
        container.remove(force=True)
    finally:
        volume.remove(force=True)


def test_the_master_and_the_relay_start_on_a_read_only_root(run: Any, references: dict[str, str]) -> None:
    """The relay as far as its first try to reach its master."""
    until_said(run(references["master:known-good"], "--listen", "127.0.0.1:8080"), "wavry-master listening")
    assert said(run(references["relay:known-good"]))[0] == 64


def test_no_byte_code_is_made_in_a_container(run: Any, references: dict[str, str]) -> None:
    """All of it is in the image, made by the image's own Python, and valid: start-up is quick."""
    code = (
        "import importlib.util, sys, pathlib, drills.reference.gateway.__main__, aiohttp\n"
        "for module in list(sys.modules.values()):\n"
        "    file = getattr(module, '__file__', None) or ''\n"
        "    if file.endswith('.py') and file.startswith('/opt/'):\n"
        "        cached = pathlib.Path(importlib.util.cache_from_source(file)).read_bytes()\n"
        "        assert cached[:4] == importlib.util.MAGIC_NUMBER and cached[4] == 1, file\n"
        "print(sys.flags.dont_write_bytecode, sys.flags.safe_path)"
    )
    container = run(references["gateway:known-good"], "-c", code, entrypoint=["python3"])
    assert said(container) == (0, "1 True\n")


def test_everything_of_the_load_can_be_imported(run: Any, references: dict[str, str]) -> None:
    """Locust, pyarrow, the wire clients, what sets up the proxies."""
    code = "import drills.load.users, drills.load.worker, drills.load.master, drills.stage.toxiproxy, toxiproxy"
    assert said(run(references["load"], "python3", "-c", code)) == (0, "")


@pytest.mark.parametrize("kind", sources.KINDS)
def test_a_program_that_is_mounted_is_the_one_that_runs(
    run: Any, references: dict[str, str], tmp_path: Path, kind: str
) -> None:
    """Wavry's own, in an image that has no program of its own."""
    tmp_path.chmod(0o755)
    program = tmp_path / f"wavry-{kind}"
    program.write_text('#!/bin/sh\necho "$0 $*"; id -un; pwd\n')
    program.chmod(0o755)
    container = run(
        references[f"{kind}:mounted"], "--help", volumes=[f"{tmp_path}:/opt/wavry/bin:ro"],
        environment={"WAVRY_RELAY_MASTER_PUBLIC_KEY": "ab", "DATABASE_URL": "sqlite:/tmp/gateway.db"},
    )  # fmt: skip
    code, output = said(container)
    assert code == 0
    assert output.startswith(f"/opt/wavry/bin/wavry-{kind} ") and " --help\nwavry\n/var/lib/wavry" in f" {output}"


def test_toxiproxy_is_the_version_that_was_checked(run: Any, references: dict[str, str]) -> None:
    """Static, as nobody."""
    code, output = said(run(references["toxiproxy"], "-version"))
    assert code == 0 and toxiproxy_program.VERSION in output


def test_an_image_that_is_nowhere_is_named_with_what_was_said() -> None:
    """Nobody listens at this registry; one sentence, exit 3."""
    began = time.perf_counter()
    with pytest.raises(CannotRun, match=r"no image 127\.0\.0\.1:1/wavry/gateway:v0 here, and it could not be pulled: "):
        registry.present_or_pulled("127.0.0.1:1/wavry/gateway:v0", print)
    assert time.perf_counter() - began < registry.ANSWER_WITHIN_S + 1


def test_an_image_that_is_here_is_not_pulled(references: dict[str, str]) -> None:
    """Its id, and not a word."""
    spoken: list[str] = []
    assert registry.present_or_pulled(references["base"], spoken.append).startswith("sha256:")
    assert spoken == []

"""Names of images and of registries; what a registry says is tried for real in tests/engine."""

from __future__ import annotations

import pytest

from drills.errors import CannotRun
from drills.stage.images import recipes, registry


@pytest.mark.parametrize(
    ("reference", "repository", "tag"),
    [
        ("ghcr.io/bybrooklyn/wavry/gateway:v0.0.5", "ghcr.io/bybrooklyn/wavry/gateway", "v0.0.5"),
        ("registry.example:5000/team/relay", "registry.example:5000/team/relay", "latest"),
        ("registry.example:5000/team/relay:x", "registry.example:5000/team/relay", "x"),
        ("team/relay@sha256:ab", "team/relay", "sha256:ab"),
        ("relay", "relay", "latest"),
    ],
)
def test_a_reference_is_a_repository_and_a_tag(reference: str, repository: str, tag: str) -> None:
    """A registry's port is not a tag; a digest is as good as one."""
    assert registry.split(reference) == (repository, tag)


def test_our_images_lie_in_the_registrys_folder_under_their_exact_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    """A moving tag in a registry would be somebody else's state."""
    monkeypatch.setenv("DRILLS_REGISTRY", "registry.example/team/")
    image = recipes.image("gateway:known-good")
    assert registry.remote(image) == ("registry.example/team/gateway", image.exact_tag)


def test_nothing_is_pushed_to_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said what to set."""
    monkeypatch.delenv("DRILLS_REGISTRY", raising=False)
    with pytest.raises(CannotRun, match="DRILLS_REGISTRY is not set"):
        registry.pushed([], print)

"""Images from registries: ours where ``DRILLS_REGISTRY`` names one, Wavry's own from wherever their name says.

A registry that does not answer is given up after five seconds; a transfer is bounded too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Any

from drills.errors import CannotRun
from drills.stage import engine
from drills.stage.images import recipes
from drills.stage.images.places import Say
from drills.stage.images.recipes import Image

ANSWER_WITHIN_S = 5.0
TRANSFER_WITHIN_S = 120.0
SILENCE_S = 30.0  # the longest the engine may say nothing in the middle of a transfer


class _Refused(Exception):
    """What the registry or the engine said, in one line."""

    def __init__(self, said: str, *, lacks_it: bool = False) -> None:
        super().__init__(said)
        self.lacks_it = lacks_it  # the registry answers, and only has no such image


def name() -> str:
    """The registry and folder that ``DRILLS_REGISTRY`` names; empty for none."""
    return os.environ.get("DRILLS_REGISTRY", "").rstrip("/")


def remote(image: Image) -> tuple[str, str]:
    """Repository and tag of an image in our registry."""
    return f"{name()}/{image.repository.partition('/')[2]}", image.exact_tag


class Registry:
    """Ours, for as long as images are made sure of: one that does not answer is asked once, not for each image."""

    def __init__(self, client: Any, say: Say) -> None:
        self.client, self.say = client, say
        self.asked = bool(name())

    def pulled(self, image: Image) -> bool:
        """Whether the image came from here, made from the same inputs; it then has both its local tags."""
        if not self.asked:
            return False
        repository, tag = remote(image)
        try:
            _pull(repository, tag)
        except _Refused as refused:
            self.asked = refused.lacks_it
            self.say(f"images: {repository}:{tag} could not be pulled ({refused})")
            return False
        found = self.client.api.inspect_image(f"{repository}:{tag}")
        if label(found) != image.inputs:
            self.say(f"images: {repository}:{tag} was made from other inputs than its tag says; not used")
            return False
        for local in (image.exact_tag, image.tag):
            self.client.api.tag(found["Id"], image.repository, local)
        self.say(f"images: {image.exact} from {repository}")
        return True


def pushed(images: Sequence[Image], say: Say) -> None:
    """Put these images, which must be here, into our registry; raises CannotRun with what it said."""
    if not name():
        raise CannotRun("DRILLS_REGISTRY is not set: the registry and folder to push to, as registry.example/team")
    with closing(engine.client(SILENCE_S)) as client:
        for image in images:
            _push(client, image)
            say(f"images: pushed {remote(image)[0]}:{remote(image)[1]}")


def present_or_pulled(reference: str, say: Say) -> str:
    """The id of an image that is not ours; raises CannotRun with what its registry said where it is not to be had."""
    if found := _local(reference):
        return found
    say(f"images: pulling {reference}")
    repository, tag = split(reference)
    try:
        _pull(repository, tag)
    except _Refused as refused:
        raise CannotRun(f"no image {reference} here, and it could not be pulled: {refused}") from None
    return _local(reference)


def split(reference: str) -> tuple[str, str]:
    """Repository and tag (or digest) of a reference; the tag is ``latest`` where none is named."""
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return repository, digest
    repository, colon, tag = reference.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (reference, "latest")


def image_facts(reference: str) -> dict[str, Any]:
    """What provenance says of an image: id, digests in registries, labels, when it was made, its size.

    Raises CannotRun where it is not here.
    """
    import docker.errors

    with closing(engine.client()) as client:
        try:
            found = client.api.inspect_image(reference)
        except docker.errors.DockerException as error:
            raise CannotRun(f"no image {reference} here: {said(error)}") from None
    return {
        "reference": reference,
        "id": found["Id"],
        "digests": found.get("RepoDigests") or [],
        "labels": (found.get("Config") or {}).get("Labels") or {},
        "created": found.get("Created", ""),
        "size_bytes": found.get("Size", 0),
    }


def label(inspected: dict[str, Any]) -> str:
    """The hash of the inputs that an image carries; empty for somebody else's."""
    return str(((inspected.get("Config") or {}).get("Labels") or {}).get(recipes.LABEL, ""))


def said(error: BaseException) -> str:
    """An error of the engine or of a registry in one line."""
    text = getattr(error, "explanation", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:300]


def _local(reference: str) -> str:
    """The id of an image that is here; empty where there is none."""
    import docker.errors

    with closing(engine.client()) as client:
        try:
            return str(client.api.inspect_image(reference)["Id"])
        except docker.errors.ImageNotFound:
            return ""
        except docker.errors.DockerException as error:
            raise CannotRun(f"image {reference} cannot be looked for: {said(error)}") from None


def _push(client: Any, image: Image) -> None:
    repository, tag = remote(image)
    client.api.tag(image.exact, repository, tag)
    try:
        _transfer(lambda api: api.push(repository, tag=tag, stream=True, decode=True))
    except _Refused as refused:
        raise CannotRun(f"{repository}:{tag} could not be pushed: {refused}") from None


def _pull(repository: str, tag: str) -> None:
    """Bring an image here; raises _Refused. The registry is asked for its digest first, to see whether it answers."""
    import docker.errors
    import requests

    separator = "@" if tag.startswith("sha256:") else ":"
    with closing(engine.client(ANSWER_WITHIN_S)) as client:
        try:
            client.api.inspect_distribution(f"{repository}{separator}{tag}")
        except requests.Timeout:
            raise _Refused(f"no answer within {ANSWER_WITHIN_S:g} s") from None
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise _Refused(said(error), lacks_it=isinstance(error, docker.errors.NotFound)) from None
    _transfer(lambda api: api.pull(repository, tag=tag, stream=True, decode=True))


def _transfer(begun: Callable[[Any], Iterable[dict[str, Any]]]) -> None:
    """Follow a pull or a push to its end; raises _Refused. Leaving early ends it in the engine too."""
    import docker
    import docker.errors
    import requests

    class Bounded(docker.APIClient):  # type: ignore[misc]
        """docker-py asks for pulls and pushes without any time-out."""

        def request(self, *words: Any, **options: Any) -> Any:
            options["timeout"] = options.get("timeout") or SILENCE_S
            return super().request(*words, **options)

    deadline = time.monotonic() + TRANSFER_WITHIN_S
    try:
        with closing(Bounded(base_url=engine.host(), version="auto", timeout=SILENCE_S)) as api:
            for event in begun(api):
                if "error" in event:
                    raise _Refused(" ".join(str(event["error"]).split())[:300])
                if time.monotonic() > deadline:
                    raise _Refused(f"not done within {TRANSFER_WITHIN_S:g} s")
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise _Refused(said(error)) from None

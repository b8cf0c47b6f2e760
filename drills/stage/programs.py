"""Which images the services of a target run as, and whether this machine can have them.

``reference``: the release ``known-good`` of the control plane shipped here. ``wavry``: Wavry's own images by their
names, or its programs in ``WAVRY_BIN``, mounted read-only into a base image whose entry points behave like Wavry's own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from drills.errors import BadInput, CannotRun
from drills.reference.releases import CANDIDATE, IMAGE_TAGS, KNOWN_GOOD
from drills.stage import engine
from drills.stage.asking import asked
from drills.stage.compose import CONTROL_PLANE
from drills.stage.images import making, recipes, registry
from drills.stage.processes import UPGRADED, candidate_programs, is_program

Say = Callable[[str], None]
REPOSITORY = "ghcr.io/bybrooklyn/wavry"  # operations-facts §1.2
IMAGE_OF = {"udp_proxy": "load"}  # a kind of service that runs from another kind's image
INSTEAD = "; or run it with --stage processes"


@dataclass(frozen=True)
class Programs:
    """The images of one run."""

    images: Mapping[str, str]  # variable of the compose file -> what to run
    folder: Path | None = None  # whose programs are mounted
    reference: bool = True  # whether the control plane is the reference's

    def variables(self) -> dict[str, str]:
        """What the compose file must be told."""
        return {**self.images, **({"DRILLS_PROGRAMS": str(self.folder)} if self.folder else {})}

    def version(self, kind: str) -> str:
        """The id of the image of a kind of service, with the digest of a mounted program."""
        from hashlib import sha256

        reference = self.images[variable(kind)]
        words = f"{reference} {registry.image_facts(reference)['id']}"
        program = self.folder / f"wavry-{kind}" if self.folder and kind in CONTROL_PLANE else None
        if program is None or ":mounted" not in reference:
            return words
        return f"sha256:{sha256(program.read_bytes()).hexdigest()[:16]} mounted into {words}"


def variable(kind: str) -> str:
    """The variable of the compose file that names the image of a kind of service; the UDP proxy's is the load's."""
    return f"DRILLS_{IMAGE_OF.get(kind, kind).upper()}_IMAGE"


def wanted(target: str) -> dict[str, str]:
    """Kind of image -> the name of one that we make, or a full reference to somebody else's.

    Raises BadInput where the target's programs are not said.
    """
    ours = {"toxiproxy": "toxiproxy", "load": "load"}
    if target == "reference":
        return {kind: f"{kind}:{KNOWN_GOOD}" for kind in CONTROL_PLANE} | ours
    found = {kind: _wavry(kind) for kind in CONTROL_PLANE}
    if missing := [kind for kind, image in found.items() if not image]:
        folder = os.environ.get("WAVRY_BIN", "")
        seen = f"no program in {folder}" if folder else "nothing"
        raise BadInput(*(
            f"WAVRY_BIN: found {seen} for {kind}, expected a folder with wavry-{kind}, or an image's name in "
            f"WAVRY_{kind.upper()}_IMAGE" + ("" if kind == "master" else " or a tag in WAVRY_CONTROL_PLANE_TAG")
            for kind in missing
        ))  # fmt: skip
    return found | ours


def _wavry(kind: str) -> str:
    """An image by name, a program to be mounted, or a published image by its tag; a master is not published."""
    named, folder = os.environ.get(f"WAVRY_{kind.upper()}_IMAGE", ""), os.environ.get("WAVRY_BIN", "")
    tag = os.environ.get("WAVRY_CONTROL_PLANE_TAG", "")
    if named:
        return named
    if folder and is_program(Path(folder, f"wavry-{kind}")):
        return f"{kind}:mounted"
    if tag and kind != "master":
        return f"{os.environ.get('WAVRY_IMAGE_REPO', '') or REPOSITORY}/{kind}:{tag}"
    return ""


def is_ours(image: str) -> bool:
    """Whether it is one that we make."""
    return image in ("toxiproxy", "load") or (image.partition(":")[2] in (*IMAGE_TAGS, "mounted") and "/" not in image)


def problem(target: str) -> str:
    """Why this target cannot be rehearsed in containers here, in a few words; empty if it can."""
    ours = [image for image in wanted(target).values() if is_ours(image)]  # bad input is told before anything else
    try:
        return engine.problem() or _unmakeable(ours)
    except CannotRun as error:
        return str(error)


def _unmakeable(names: list[str]) -> str:
    """Why images that are not here could not be made or pulled either."""
    with asked("say which images it has") as client:
        missing = [name for name in names if not making.present(client, recipes.image(name))]
    if not missing or registry.name():
        return ""
    if missing == ["toxiproxy"]:
        lacking = [] if shutil.which("go") else ["go"]
    else:
        lacking = [word for word in ("mmdebstrap",) if not shutil.which(word)] + (["root"] if os.getuid() else [])
    return f"no image {', '.join(missing)} here, and making it needs {' and '.join(lacking)}" if lacking else ""


def check(target: str) -> None:
    """Raises BadInput or CannotRun where containers were asked for and cannot be had."""
    wanted(target)
    if found := engine.problem():
        raise CannotRun(f"--stage containers: {found}; `make engine` installs and starts one{INSTEAD}")


def ensured(target: str, say: Say) -> Programs:
    """Every image here, made or pulled where it was not; raises CannotRun where one cannot be had."""
    return _had(target, wanted(target), Path(os.environ.get("WAVRY_BIN", "")), say)


def candidate_ensured(target: str, say: Say) -> Programs:
    """What gateway and relay run as the candidate; raises BadInput or CannotRun where that cannot be had."""
    if target == "reference":
        return _had(target, {kind: f"{kind}:{CANDIDATE}" for kind in UPGRADED}, Path(), say)
    programs = candidate_programs()
    named = {kind: _candidate_image(kind) for kind in UPGRADED}
    found = {kind: named[kind] or (f"{kind}:mounted" if programs else _wavry(kind)) for kind in UPGRADED}
    folder = next(iter(programs.values())).parent if programs else Path(os.environ.get("WAVRY_BIN", ""))
    return _had(target, found, folder, say)


def _candidate_image(kind: str) -> str:
    """The candidate's image by name, or by the tag of a published one; empty where neither is said."""
    gateway, relay = (os.environ.get("WAVRY_CANDIDATE_GATEWAY_IMAGE", ""),
                      os.environ.get("WAVRY_CANDIDATE_RELAY_IMAGE", ""))  # fmt: skip
    named = gateway if kind == "gateway" else relay
    tag = os.environ.get("WAVRY_CANDIDATE_TAG", "")
    return named or (f"{os.environ.get('WAVRY_IMAGE_REPO', '') or REPOSITORY}/{kind}:{tag}" if tag else "")


def _had(target: str, kinds: Mapping[str, str], folder: Path, say: Say) -> Programs:
    """These images, made or pulled where they were not; raises CannotRun where one cannot be had."""
    try:
        made = making.ensured([image for image in kinds.values() if is_ours(image)], say)
        for image in kinds.values():
            if not is_ours(image):
                registry.present_or_pulled(image, say)
    except CannotRun as error:
        raise CannotRun(f"{error}{INSTEAD}") from error
    references = {variable(kind): made.get(image, image) for kind, image in kinds.items()}
    mounted = any(image.endswith(":mounted") for image in kinds.values())
    return Programs(references, folder.resolve() if mounted else None, target == "reference")

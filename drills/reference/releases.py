"""The releases of a control plane that a drill can upgrade to and roll back from.

``known-good`` and ``candidate`` are tags of images of their own for gateway, master and relay, and folders of programs
where the target has some. A faulty candidate is the candidate with an ``environment`` that names a defect: one for each
defect that only a candidate can have (``drills/reference/defects.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from drills.reference.defects import REGISTRY, VARIABLE

KNOWN_GOOD, CANDIDATE = "known-good", "candidate"


@dataclass(frozen=True)
class Release:
    """One release: its tag, whose programs it is, and what is said to them besides the tag."""

    tag: str
    why: str
    environment: Mapping[str, str] = field(default_factory=dict)
    programs: str = ""  # the tag of the release whose programs it runs; its own where nothing is said

    @property
    def image_tag(self) -> str:
        """The tag of its images."""
        return self.programs or self.tag


def _faulty(defect: str) -> Release:
    return Release(f"{CANDIDATE}_{defect}", REGISTRY[defect].wrong, {VARIABLE: defect}, CANDIDATE)


RELEASES = {
    release.tag: release
    for release in (
        Release(KNOWN_GOOD, "what every drill runs on"),
        Release(CANDIDATE, "the same programs as the next release: an upgrade that should go unnoticed"),
        *(_faulty(defect.name) for defect in REGISTRY.values() if defect.release == CANDIDATE),
    )
}
IMAGE_TAGS = tuple(dict.fromkeys(release.image_tag for release in RELEASES.values()))


def asked_for(tag: str, defects: Iterable[str]) -> Release:
    """The release of this tag; ``candidate`` is a faulty one where the run was asked for a candidate's defects."""
    mine = [name for name in defects if REGISTRY[name].release == CANDIDATE]
    if tag != CANDIDATE or not mine:
        return RELEASES[tag]
    if len(mine) == 1:
        return RELEASES[f"{CANDIDATE}_{mine[0]}"]
    why = "; ".join(REGISTRY[name].wrong for name in mine)
    return Release("_".join([CANDIDATE, *mine]), why, {VARIABLE: ",".join(mine)}, CANDIDATE)

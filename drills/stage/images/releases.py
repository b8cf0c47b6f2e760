"""The reference control plane's releases: what a drill can upgrade to and roll back from.

Each is an image tag of its own for gateway, master and relay. A faulty candidate is one whose ``environment`` names
defects (``DRILLS_DEFECTS``; ``drills/reference/defects.py`` lists them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Release:
    """One release: its tag, and what is baked into its images besides the tag."""

    tag: str
    why: str
    environment: Mapping[str, str] = field(default_factory=dict)


RELEASES = {
    release.tag: release
    for release in (
        Release("known-good", "what every drill runs on"),
        Release("candidate", "the same programs as the next release: an upgrade that should go unnoticed"),
    )
}

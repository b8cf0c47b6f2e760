"""back_up: an online backup of a service's database while load flows, with its configuration and its key.

The copy lies in a folder of mode 0700 that goes with the stage; the key stays in memory. The record has the manifest:
when, how old, hash, integrity, schema, rows by table, and fingerprints of key and configuration.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drills.faults.base import Arguments
from drills.stage.compose import TOTP_KEY
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene

NAMES_NO_SECRET = ("ADDR", "LIMIT", "MAX", "BIND", "URL", "RELEASE", "COLOR", "DIVISOR", "DEFECTS")


@dataclass(frozen=True)
class Backup:
    """What a restore starts from."""

    copy: Path
    key: str = field(repr=False)
    manifest: dict[str, Any] = field(default_factory=dict)


class BackUpArguments(Arguments):
    """Which service's database."""

    service: str


def fingerprint(secret: str) -> str:
    """Enough to tell two secrets apart, and of no use to whoever reads it."""
    return sha256(f"drills {secret}".encode()).hexdigest()[:12]


def configuration(scene: Scene, service: str) -> dict[str, Any]:
    """What a service is started with, secrets as fingerprints."""
    held = scene.stage.services[service]
    told = {name: value if any(word in name for word in NAMES_NO_SECRET) else fingerprint(value)
            for name, value in sorted(held.environment.items())}  # fmt: skip
    return {"program": scene.stage.versions()[service], "command": [*held.command], "environment": told}


def _perform(scene: Scene, arguments: BackUpArguments) -> None:
    service, began = arguments.service, time.monotonic()
    stage, volume = scene.stage, scene.stage.volume(service)
    copy = stage.keeping_place() / f"{service}.db"
    copy.unlink(missing_ok=True)
    began_ns = scene.now_ns()
    taken = volume.backup(copy)
    seen = volume.act("look", copy)
    usernames = seen.pop("usernames")
    words = json.dumps(configuration(scene, service), sort_keys=True)
    (copy.parent / f"{service}.json").write_text(words + "\n", encoding="utf-8")
    key = stage.variables[TOTP_KEY]
    manifest = {
        **seen, "age_s": round(time.time() - taken["taken_unix_s"], 3), "key": fingerprint(key),
        "configuration": sha256(words.encode()).hexdigest()[:32], "accounts": len(usernames),
    }  # fmt: skip
    scene.backups[service] = Backup(copy, key, manifest)
    scene.journal.write("backup.made", service=service, began_ns=began_ns, took_s=round(time.monotonic() - began, 3),
                        **manifest)  # fmt: skip


STEP = StepKind(
    "back_up", BackUpArguments, _perform,
    "an online backup of the database while load flows, with its configuration and the key of the second factors",
    frozenset({"gateway"}),
)  # fmt: skip

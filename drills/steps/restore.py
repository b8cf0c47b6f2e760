"""restore: a service's database comes back from its backup, by this target's own procedure: stop, put back, start.

What lies on the volume is looked at before the service has written anything (``restore.looked``), so that it can be
held against the manifest. Not being ready in time is evidence, not an error.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from drills.errors import CannotRun
from drills.faults.base import Arguments
from drills.faults.processes import start_noted
from drills.scenario.durations import Duration
from drills.stage.compose import TOTP_KEY
from drills.steps.back_up import fingerprint
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene


class RestoreArguments(Arguments):
    """Which service, and how long to wait at most until it is ready."""

    service: str
    within: Duration


def restored(scene: Scene, service: str) -> None:
    """Stop the service, put its database back and start it; raises StoryStopped where there is no backup."""
    from drills.scene import StoryStopped

    backup = scene.backups.get(service)
    if backup is None:
        raise StoryStopped(f"there is no backup of {service}: `back_up` comes before a restore")
    began, stage = time.monotonic(), scene.stage
    volume = stage.volume(service)
    stage.stop(service)
    volume.restore(backup.copy)
    seen = volume.act("look", volume.database)
    scene.journal.write("restore.looked", service=service, **seen)
    start_noted(scene, service)
    scene.restored.add(service)
    scene.journal.write("restore.done", service=service, took_s=round(time.monotonic() - began, 3),
                        key=fingerprint(stage.variables[TOTP_KEY]))  # fmt: skip


def _perform(scene: Scene, arguments: RestoreArguments) -> None:
    service = arguments.service
    restored(scene, service)
    try:
        scene.stage.await_ready(service, arguments.within.in_s(scene.heartbeat_s))
    except CannotRun as error:
        scene.journal.write("step.unmet", step="restore", service=service, reason=str(error))


STEP = StepKind(
    "restore", RestoreArguments, _perform, "the database comes back from its backup: stop, put back, start",
    frozenset({"gateway"}),
)  # fmt: skip

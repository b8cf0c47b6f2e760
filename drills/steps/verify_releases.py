"""verify_releases: write down what every service of the control plane runs now, relays included.

Read from the running process or container itself. Whether that is what ran before is not this step's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.faults.base import Arguments
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.scene import Scene

CONTROL_PLANE = ("gateway", "master", "relay")


def _perform(scene: Scene, arguments: Arguments) -> None:
    found = {}
    for name, service in scene.stage.services.items():
        if service.kind in CONTROL_PLANE:
            running = service.running is not None and service.running.exit_code() is None
            found[name] = scene.stage.version(name) if running else "does not run"
    scene.journal.write("releases.running", versions=found)


STEP = StepKind("verify_releases", Arguments, _perform, "write down which release every service really runs")

"""A container's volume: each act is a short-lived helper that has it mounted where the service has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from drills.errors import CannotRun
from drills.stage.asking import asked
from drills.stage.leftovers import PROJECT_LABEL
from drills.stage.volume import ACT_S, FILES, Volume, last_words

RIGHTS = ["CHOWN", "DAC_OVERRIDE", "FOWNER"]  # whatever an operator does to files that belong to the service


@dataclass(frozen=True)
class Helpers:
    """What the helpers of one volume are made from."""

    ours: str  # the image that has our acts
    custodian: str  # the image that has the target's backup and restore
    volume: str  # the engine's name of the volume
    kept: Path  # a folder of this machine that they see too, under the same path
    environment: Mapping[str, str]
    project: str


class HelpedVolume(Volume):
    """A volume that only the engine can reach."""

    def __init__(self, name: str, place: Path, custodian: str, helpers: Helpers) -> None:
        super().__init__(name, place, custodian)
        self.helpers = helpers

    def _run(self, module: str, words: list[str]) -> str:
        import docker.errors

        helpers = self.helpers
        mounted = {helpers.volume: {"bind": str(self.place), "mode": "rw"},
                   str(helpers.kept): {"bind": str(helpers.kept), "mode": "rw"}}  # fmt: skip
        with asked(f"{words[0]} on {self.name}'s volume", timeout_s=ACT_S) as client:
            try:
                said: bytes = client.containers.run(
                    helpers.ours if module == FILES else helpers.custodian, words, entrypoint=["python3", "-m", module],
                    user="0:0", volumes=mounted, network_mode="none", cap_drop=["ALL"], cap_add=RIGHTS, remove=True,
                    environment=dict(helpers.environment), working_dir="/",
                    labels={PROJECT_LABEL: helpers.project},
                )  # fmt: skip
            except docker.errors.ContainerError as error:
                said_last = last_words(bytes(error.stderr or b"").decode(errors="replace"))
                raise CannotRun(f"{self.name}'s volume: {said_last}") from error
        return said.decode()

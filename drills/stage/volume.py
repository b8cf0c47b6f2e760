"""The files of one service on its volume, and small acts on them, done where they are.

An act is a program (a module with one act and some paths as its words, which prints one line of JSON): local on the
process stage, in a helper's container elsewhere. Which modules there are is said by ``Volume.files`` (ours) and
``Volume.custodian`` (whoever makes and restores backups on this target).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drills.errors import CannotRun
from drills.record import scrubbed
from drills.stage.children import MARK, REPOSITORY

FILES = "drills.wavry.gateway_files"
OWN_CUSTODIAN = "drills.reference.gateway.custody"  # the reference's backup and restore; Wavry's are in FILES
DATABASE = "gateway.db"  # the file that the compose file's DATABASE_URL names
ACT_S = 30.0
# As in containers (`cap_drop: [ALL]`): root, too, is refused what a file's mode refuses. It may still read and search
# everywhere, or it could not reach its own programs in somebody's home.
UNPRIVILEGED = ("--bounding-set=-all,+dac_read_search", "--inh-caps=-all")


class Volume(ABC):
    """Where a service's files are, and who does something to them."""

    def __init__(self, name: str, place: Path, custodian: str) -> None:
        self.name, self.place, self.custodian = name, place, custodian

    @property
    def database(self) -> Path:
        """The database, as an act sees it."""
        return self.place / DATABASE

    def act(self, act: str, *paths: Path) -> dict[str, Any]:
        """One act of ours on the files; raises CannotRun with its words where it could not be done."""
        return self._done(FILES, act, *paths)

    def backup(self, copy: Path) -> dict[str, Any]:
        """A copy of the database while its service runs, by this target's own procedure; says when it was begun."""
        return self._done(self.custodian, "backup", self.database, copy)

    def restore(self, copy: Path) -> dict[str, Any]:
        """A copy in the place of a stopped service's database, by this target's own procedure."""
        return self._done(self.custodian, "restore", self.database, copy)

    def _done(self, module: str, act: str, *paths: Path) -> dict[str, Any]:
        text = self._run(module, [act, *map(str, paths)])
        try:
            found: dict[str, Any] = json.loads(text.splitlines()[-1])
        except (ValueError, IndexError):
            raise CannotRun(
                f"{self.name}'s volume: {act} said {scrubbed(text)[-200:]!r}, not one line of JSON"
            ) from None
        return found

    @abstractmethod
    def _run(self, module: str, words: list[str]) -> str:
        """What a program printed, run where the files are; raises CannotRun with its last words where it failed."""


class FolderVolume(Volume):
    """A folder on this machine."""

    def __init__(
        self, name: str, place: Path, custodian: str, environment: Mapping[str, str], run_folder: Path
    ) -> None:  # fmt: skip
        super().__init__(name, place, custodian)
        self._environment, self._run_folder = environment, run_folder

    def _run(self, module: str, words: list[str]) -> str:
        own = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        environment = {**own, "PYTHONPATH": str(REPOSITORY), **self._environment, MARK: str(self._run_folder)}
        try:
            done = subprocess.run(
                [sys.executable, "-m", module, *words], env=environment, cwd=self.place, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, start_new_session=True, timeout=ACT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise CannotRun(f"{self.name}'s volume: {words[0]} did not end within {ACT_S:g} s") from None
        if done.returncode:
            raise CannotRun(f"{self.name}'s volume: {last_words(done.stderr)}")
        return done.stdout


def last_words(text: str) -> str:
    """The last line of what a program complained, without secrets."""
    return scrubbed((text.strip().splitlines() or ["it said nothing"])[-1])[:300]


def unprivileged() -> list[str]:
    """What a program is started with so that root has no more rights in it than in a container; nothing for others."""
    return ["setpriv", *UNPRIVILEGED] if os.geteuid() == 0 and shutil.which("setpriv") else []


def modes_ignored() -> str:
    """Why a file's mode would refuse nothing to a local process of ours; empty where it would."""
    if os.geteuid() or unprivileged():
        return ""
    return "we are root, whom no mode refuses anything, and there is no `setpriv` (util-linux) to give that up with"

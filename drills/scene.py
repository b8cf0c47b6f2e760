"""What the story of a drill has at hand: the stage, the load, the journal, the clock, and the way out.

Faults and steps get a ``Scene`` and nothing else. It also owns the undo records: one file a fault, written before the
fault acts and removed once it is mended.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from drills.errors import Interrupted
from drills.load.settings import LoadSettings
from drills.measures.candidate import Upgraded
from drills.probes.follower import Follower
from drills.record import Journal, now_text
from drills.signals import Signals

if TYPE_CHECKING:
    from drills.load.control import Load
    from drills.paths.canaries import Canaries
    from drills.probes.accounts import ProbeAccount
    from drills.probes.own_account import OwnAccount
    from drills.probes.witnesses import Witnesses
    from drills.stage.base import Stage
    from drills.steps.back_up import Backup

SLICE_S = 0.1  # how long we sleep at most before we look whether the load still lives
HOLD_SLICE_S = 3.0  # how often, where only time is to pass, somebody may say that there has been enough of it


class StoryStopped(Exception):
    """A step could not do what the next steps rest on; the faults are mended and the drill goes on to recovery."""


@dataclass
class Scene:
    """The hands and eyes of a running drill."""

    stage: Stage
    load: Load
    load_settings: LoadSettings
    journal: Journal
    folder: Path
    heartbeat_s: float
    signals: Signals
    follower: Follower
    drained: dict[str, str] = field(default_factory=dict)  # service -> the relay id that was drained
    glance: Callable[[], None] = lambda: None  # taken again and again while time passes; may raise StoryStopped
    enough: Callable[[float], None] = lambda left_s: None  # asked while a step only holds; may raise StoryStopped
    witnesses: Witnesses | None = None  # the drill's own accounts at the gateway
    backups: dict[str, Backup] = field(default_factory=dict)  # service -> what its restore starts from
    restored: set[str] = field(default_factory=set)  # services whose database came back from there
    accounts: dict[str, OwnAccount] = field(default_factory=dict)  # those of the drill itself, by name
    upgraded: list[Upgraded] = field(default_factory=list)  # every candidate that was seen to run
    dead: dict[str, str] = field(default_factory=dict)  # service -> the id of the relay that was killed
    path_faults: list[tuple[int, int]] = field(default_factory=list)  # when faults on UDP paths were on (ns)
    canaries: Canaries | None = None  # on every UDP path, where the UDP proxy is on stage
    known_accounts: list[ProbeAccount] = field(default_factory=list)  # those that a step has made itself known with
    _undo_count: int = 0

    def now_ns(self) -> int:
        """The monotonic clock."""
        return time.monotonic_ns()

    def pause(self, seconds: float) -> None:
        """Let time pass; a signal ends it at once, and so does a stage that has lost its ground (CannotRun)."""
        until = time.monotonic() + seconds
        self.stage.check_alive()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(SLICE_S, left))
            self.stage.check_alive()
            self.glance()

    def hold(self, seconds: float) -> None:
        """Let time pass in which nothing is awaited; whoever is after one thing only may have seen it by now."""
        until_ns = self.now_ns() + round(seconds * 1e9)
        while (left_s := (until_ns - self.now_ns()) / 1e9) > 0:
            self.enough(left_s)
            self.pause(max(0.0, min(HOLD_SLICE_S, (until_ns - self.now_ns()) / 1e9)))

    @property
    def reregistered(self) -> set[str]:
        """Ids of relays that said they had registered again."""
        return self.follower.reregistered

    def sessions_on(self, relay_id: str) -> list[int]:
        """Our sessions whose newest lease names this relay."""
        return [session for session, relay in list(self.follower.sessions.items()) if relay == relay_id]

    def signals_held(self) -> contextlib.AbstractContextManager[None]:
        """Mending is not interrupted: a signal that comes meanwhile takes effect afterwards."""
        return self.signals.held()

    @contextlib.contextmanager
    def undo_record(self, fault: str, subject: str) -> Iterator[None]:
        """The note on disk that something is broken by us, for as long as it is."""
        self._undo_count += 1
        folder = self.folder / "undo"
        folder.mkdir(exist_ok=True)
        note = folder / f"{self._undo_count:03d}-{fault}-{subject}.json"
        note.write_text(json.dumps({"fault": fault, "subject": subject, "since": now_text()}))
        try:
            yield
        except (Interrupted, StoryStopped):
            note.unlink(missing_ok=True)  # the way out was taken on purpose, and the mending with it
            raise
        note.unlink(missing_ok=True)  # after any other error it stays, until the stage itself is gone

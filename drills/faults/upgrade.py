"""upgrade / roll back: the service runs another release; mended by starting the known-good one in its place.

A relay is drained and emptied first, both ways, where the scenario says within which time; the gateway's data is put
away before the upgrade. Where the known-good release refuses the data that the candidate has left (a schema that only
goes forward, operations-facts §4.4), the copy is put back and what was written since is lost: the receipt says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from drills.errors import CannotRun
from drills.faults import drain
from drills.faults.base import Arguments, Fault, Proof, Receipt, carried_out
from drills.faults.processes import note_started, running_again
from drills.measures.candidate import Upgraded
from drills.reference.releases import KNOWN_GOOD, RELEASES
from drills.scenario.durations import Duration
from drills.steps import empty

if TYPE_CHECKING:
    from drills.scene import Scene
    from drills.stage.base import Replaced

NEWER = tuple(tag for tag in RELEASES if tag != KNOWN_GOOD)


def _newer(tag: str) -> str:
    if tag not in NEWER:
        raise ValueError(f"one of the releases {', '.join(NEWER)}")
    return tag


class UpgradeArguments(Arguments):
    """To which release, and for relays how long emptying them may take."""

    release: Annotated[str, AfterValidator(_newer), Field(json_schema_extra={"enum": [*NEWER]})]
    empty_within: Annotated[Duration | None, Field(description="a relay is drained and emptied before")] = None


class _Upgrade:
    """One service on its way to a release and back."""

    def __init__(self, scene: Scene, service: str, arguments: UpgradeArguments) -> None:
        self.scene, self.service, self.arguments = scene, service, arguments
        self.stage = scene.stage
        self.kind = self.stage.services[service].kind
        self.before = self.stage.version(service)
        self.process_before = self.stage.services[service].running
        self.planned = ""
        self.receipt = Receipt("upgrade", service, f"{service} as {arguments.release}",
                               detail={"kind": self.kind, "ran_before": self.before, "restored": False})  # fmt: skip

    @contextmanager
    def emptied(self, seconds: dict[str, float]) -> Iterator[None]:
        """Nobody of ours on the relay, and nobody new sent there, until it was replaced."""
        within = self.arguments.empty_within
        if within is None:
            yield
            return
        began_ns = self.scene.now_ns()
        with drain.FAULT.injected(self.scene, self.service, Arguments()):
            empty.STEP.perform(self.scene, empty.EmptyArguments(service=self.service, within=within))
            seconds["emptied_s"] = round((self.scene.now_ns() - began_ns) / 1e9, 3)
            yield

    def begin(self) -> None:
        """Upgrade it."""
        seconds: dict[str, float] = {}
        with self.emptied(seconds):
            replaced = self.stage.replace(self.service, self.arguments.release, keep=self.kind == "gateway")
            self._note(replaced, "seconds_up", seconds)
        self.planned = replaced.planned
        self.receipt.asked = f"{self.service} as {replaced.tag}"
        self.receipt.detail["candidate"] = replaced.said or replaced.tag
        if self.kind == "gateway":
            self.receipt.detail["schema_before"] = self.stage.kept_schema_version(self.service)

    def runs_the_candidate(self) -> Proof:
        """Whether another process runs what was installed, and is ready."""
        ready = running_again(self.scene, self.service, self.receipt)
        now = self.stage.version(self.service)
        self.receipt.detail |= {"ran_during": now, **self._relay_id()}
        self.receipt.detail["seconds_up"]["ready_s"] = self.receipt.detail.pop("ready_s", None)
        other = self.stage.services[self.service].running is not self.process_before
        seen = ready.seen and other and now == self.planned
        if seen:
            relay_id = self.receipt.detail.get("candidate_relay_id", "")
            self.scene.upgraded.append(Upgraded(self.kind, self.scene.now_ns(), relay_id))
        return Proof(seen, f"{ready.measured}; runs {now}")

    def back(self) -> None:
        """The known-good release, on the data as the candidate left it or, where it refuses that, as it was before."""
        held = self.stage.services[self.service]
        if held.release.tag == KNOWN_GOOD and held.running is self.process_before:
            return  # it never came to the upgrade
        try:
            replaced = self.stage.replace(self.service, KNOWN_GOOD)
            self._note(replaced, "seconds_back", self.receipt.detail.get("seconds_back"))
            self.stage.await_ready(self.service)
        except CannotRun as refused:
            if self.kind != "gateway" or not self._ended_by_itself():  # slow is not refused
                raise
            self._restore(f"{refused}; its last words: {self._last_words()}")

    def _restore(self, refused: str) -> None:
        self.scene.journal.write("rollback.refused", service=self.service, reason=refused)
        self._note(self.stage.replace(self.service, KNOWN_GOOD, put_back=True), "seconds_restored", None)
        self.receipt.detail |= {"restored": True, "refused": refused}

    def _ended_by_itself(self) -> bool:
        held = self.stage.services[self.service]
        # where a container dies at once, the stage still has the one before it: ended as well
        return held.release.tag == KNOWN_GOOD and held.running is not None and held.running.exit_code() is not None

    def _last_words(self) -> str:
        """What the service said last: sqlx says there which migration it misses, and so does the reference."""
        running = self.stage.services[self.service].running
        try:
            lines = running.log.read_text(errors="replace").splitlines() if running else []
        except OSError:
            lines = []
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "none")

    def runs_the_known_good(self) -> Proof:
        """Whether the version is the one from before the upgrade, and is ready."""
        ready = running_again(self.scene, self.service, self.receipt)
        now = self.stage.version(self.service)
        self.receipt.detail["ran_after"] = now
        return Proof(ready.seen and now == self.before, f"{ready.measured}; runs {now}")

    def _note(self, replaced: Replaced, part: str, before: dict[str, float] | None) -> None:
        self.receipt.detail[part] = {**(before or {}), **replaced.seconds}
        note_started(self.scene, self.service)

    def _relay_id(self) -> dict[str, Any]:
        from drills.probes.relays import current_relay_id
        from drills.wavry.errors import WireError

        if self.kind != "relay":
            return {}
        with contextlib.suppress(WireError):
            return {"candidate_relay_id": current_relay_id(self.stage, self.service)}
        return {}


@contextmanager
def _injected(scene: Scene, service: str, arguments: UpgradeArguments) -> Iterator[Receipt]:
    upgrade = _Upgrade(scene, service, arguments)
    with contextlib.ExitStack() as leaving, carried_out(
        scene, upgrade.receipt, inject=upgrade.begin, heal=upgrade.back,
        proven_on=upgrade.runs_the_candidate, proven_off=upgrade.runs_the_known_good,
    ) as receipt:  # fmt: skip
        yield receipt
        # only at the end of a story that went well: after an error, or Ctrl-C, mending waits for nobody
        leaving.enter_context(upgrade.emptied(receipt.detail.setdefault("seconds_back", {})))


FAULT = Fault(
    "upgrade", "service", frozenset({"gateway", "relay"}), UpgradeArguments, _injected, True,
    "the service runs another release and is rolled back to the known-good one at the end",
)  # fmt: skip

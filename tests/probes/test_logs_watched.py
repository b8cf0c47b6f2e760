"""What of the services' logs gets into the journal: complaints and anchors, each at most twice a second."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from drills.probes.watch import _Logs
from drills.record import Journal


class Watched:
    """A log of a running service, and what the watcher makes of it."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.log, self.path = folder / "service.log", folder / "journal.jsonl"
        self.log.write_text("")
        service = SimpleNamespace(running=SimpleNamespace(log=self.log), kind=kind)
        stage: Any = SimpleNamespace(services={"the_service": service})
        self.logs = _Logs(stage, Journal(self.path))

    def noted(self, *lines: str) -> list[str]:
        """The lines that become events once these are in the log."""
        with self.log.open("a") as log:
            log.writelines(f"{line}\n" for line in lines)
        self.logs.look()
        events = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [event["line"] for event in events if event["event"] == "log"]


def test_complaints_of_every_service_are_noted(tmp_path: Path) -> None:
    """A relay's and a master's too, whatever they are about."""
    for kind in ("gateway", "master", "relay"):
        folder = tmp_path / kind
        folder.mkdir()
        assert Watched(folder, kind).noted("12:00 WARN x: odd", "12:00 INFO x: fine", "12:01 ERROR x: bad") == [
            "12:00 WARN x: odd", "12:01 ERROR x: bad",
        ]  # fmt: skip


def test_a_service_that_complains_of_everything_does_not_fill_the_journal(tmp_path: Path) -> None:
    """Of lines that differ only in numbers the first stands for those that come with it."""
    lines = [f"12:00:{second:02d} WARN relay: bad packet from 10.0.0.{second}" for second in range(50)]
    assert Watched(tmp_path, "relay").noted(*lines, "12:01 WARN relay: something else") == [
        lines[0], "12:01 WARN relay: something else",
    ]  # fmt: skip


def test_an_anchor_is_acted_on_however_often_it_is_seen(tmp_path: Path) -> None:
    """Two relays may register in the same moment: their lines are alike, the events are not."""
    ids = ["2a2fd7b5-e487-49fb-9fd0-305f7aa839f1", "8beec908-8fa4-4362-bed4-4859f4e340e2"]
    watched = Watched(tmp_path, "master")
    watched.noted(*(f"12:00 INFO wavry_master: relay registered: {one}" for one in ids))
    events = [json.loads(line) for line in watched.path.read_text().splitlines()]
    assert [event["relay_id"] for event in events if event["event"] == "master.registered"] == ids

"""One look at the master is one event, whatever it met."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from drills.probes.master import MasterLooks
from drills.wavry.errors import Unreachable
from tests.fakes import FakeJournal

RELAY = SimpleNamespace(relay_id="a", state="Active", last_seen_ms_ago=40, load_percent=1.0)


class FakeMaster:
    """A master that lists one relay more each time it is asked; ``gone`` is the first call that it does not answer."""

    def __init__(self, gone: str = "", status: str = "ok") -> None:
        self.gone, self.status, self.asked = gone, status, 0

    def __getattr__(self, name: str) -> Any:
        if name == self.gone:
            raise Unreachable(f"{name}: connection refused")
        return getattr(self, f"_{name}")

    def _health(self) -> SimpleNamespace:
        return SimpleNamespace(status=self.status, uptime_s=3)

    def _ready(self) -> SimpleNamespace:
        return SimpleNamespace(ready=True, relays_assignable=1)

    def _identity(self) -> SimpleNamespace:
        return SimpleNamespace(key_id="k1", public_key=bytes(32))

    def _relays(self) -> list[SimpleNamespace]:
        self.asked += 1
        return [RELAY] * (self.asked - 1)


def looks(master: FakeMaster) -> tuple[MasterLooks, FakeJournal]:
    """Somebody who looks at this master, and what is written down."""
    journal = FakeJournal([])
    found = MasterLooks(SimpleNamespace(http=lambda name: "http://127.0.0.1:1"), journal)  # type: ignore[arg-type]
    found.master = master  # type: ignore[assignment]
    return found, journal


def test_the_list_is_read_before_and_after_ready() -> None:
    """What comes between the two can be told from a lie."""
    look, journal = looks(FakeMaster())
    assert look.look() == {"a": 40}
    (seen,) = journal.named("master.seen")
    assert seen["before"] == []
    assert seen["after"] == [{"relay_id": "a", "state": "Active", "age_ms": 40, "load_pct": 1.0}]
    assert (seen["ready"], seen["key_id"], seen["public_key"]) == (True, "k1", "00" * 32)


@pytest.mark.parametrize("gone", ["health", "relays", "ready", "identity"])
def test_a_look_that_is_not_answered_to_its_end_is_none(gone: str) -> None:
    """What a half-answered look would show is not known."""
    look, journal = looks(FakeMaster(gone))
    assert look.look() is None
    assert journal.named("master.seen") == []
    assert journal.named("master.silent")[0]["reason"] == f"{gone}: connection refused"


def test_a_master_that_does_not_say_ok_is_not_healthy() -> None:
    """Whatever it lists."""
    look, journal = looks(FakeMaster(status="degraded"))
    assert look.look() is None
    assert journal.named("master.seen")[0]["status"] == "degraded"

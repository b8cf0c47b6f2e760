"""What a session does when its direct path falls silent: a relay serves it soon, or it is over."""

from __future__ import annotations

from typing import Any

import pytest

from drills.load.session import DIRECT_SILENCE_S, FIRST_MEDIA_S, SETUP_S
from tests.load.test_losing_a_relay import MS, Lost


class LostDirect(Lost):
    """A session on the direct path, which has just fallen silent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, given: list[str]) -> None:
        super().__init__(monkeypatch, given)
        self.session.path, self.pair.lease = "direct", None

    def fell_back(self, seconds: float) -> dict[str, Any]:
        """Let it last so long; how it fell back."""
        self.session.last(seconds)
        (found,) = (facts for event, facts in self.events if event == "path.fell_back")
        return found


def test_half_a_second_of_silence_and_a_relay_serves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on there until its planned end, and no lease of it counts as unplanned."""
    lost = LostDirect(monkeypatch, ["other"])
    one = lost.fell_back(20.0)
    assert one["ok"]
    assert one["began_ns"] - one["heard_ns"] == pytest.approx(DIRECT_SILENCE_S * 1e9, abs=60 * MS)
    assert (lost.session.path, lost.pair.lease.relay_id) == ("relay", "other")
    (end,) = (facts for event, facts in lost.events if event == "session.ended")
    assert end["planned"]
    assert "session.released" not in [event for event, _ in lost.events]


def test_a_lease_that_brings_no_packet_serves_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Acknowledged is not served: where nothing comes it asks again, for as long as a set-up may take."""
    lost = LostDirect(monkeypatch, ["mute"] * 20)
    took, media = lost.pair.take_lease, lost.session.media
    assert media

    def unheard(pump: Any, same: Any) -> int:
        before = media.client.last_received_ns
        at_ns = took(pump, same)
        media.client.last_received_ns = before
        return at_ns

    lost.pair.take_lease = unheard  # type: ignore[method-assign]
    one = lost.fell_back(60.0)
    assert (one["ok"], one["reason"]) == (False, f"media: no packet each way within {FIRST_MEDIA_S:g} s")
    assert SETUP_S <= (one["served_ns"] - one["began_ns"]) / 1e9 < SETUP_S + 2 * FIRST_MEDIA_S
    (end,) = (facts for event, facts in lost.events if event == "session.ended")
    assert not end["planned"]

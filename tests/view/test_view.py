"""What a terminal shows of a running drill, and what it says of the objectives so far."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from rich.console import Console

from drills.view.drawn import Drawn, run_drawn
from drills.view.seen import Seen
from drills.view.so_far import SoFar, settled_ns, so_far
from tests.record_builder import RecordBuilder, ns, promise, scenario_of, tiers_of
from tests.report.made_month import HOSTILE
from tests.report.made_record import COLUMNS

LOSSES = promise("packets_lost_ratio", 0.005, samples_min=600, windows=("calm", "fault"))
BACK = promise("reregistration_seen", 1, windows=("fault",))


class Written:
    """A journal that somebody writes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.jsonl"
        self.seen = Seen(self.path)

    def event(self, at_s: float, name: str, **fields: Any) -> Written:
        """One line, read at once."""
        with self.path.open("a") as lines:
            lines.write(json.dumps({"at": "", "ns": ns(at_s), "event": name, **fields}) + "\n")
        self.seen.catch_up()
        return self


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A drill in its fault window, 20 s after its start."""
    planned = {"calm": 11.0, "fault": 7.0, "recovery": 11.0}
    journal = Written(tmp_path)
    journal.event(0, "run.started", drill="relay_drain", target="reference", stage="processes", pace="fast",
                  planned_s=planned)  # fmt: skip
    for name in ("relay_a", "relay_b"):
        journal.event(1, "relay.known", service=name, relay_id=f"{name}-1")
    for session, relay in ((1, "relay_a-1"), (2, "relay_b-1"), (3, "relay_b-1")):
        journal.event(2, "lease.given", session=session, relay_id=relay)
        journal.event(2, "session.setup", session=session, kind="resident", ok=True, intended_ns=0, login_ms=None)
    journal.event(5, "window.opened", window="calm").event(16, "window.closed", window="calm")
    journal.event(16, "window.opened", window="fault")
    journal.event(17, "fault.injected", fault="drain", subject="relay_a")
    listed = [{"relay_id": "relay_a-1", "state": "Draining"}, {"relay_id": "relay_b-1", "state": "Active"}]
    return journal.event(18, "relays.seen", relays=listed).event(19, "step.begun", step="hold")


def drawn(seen: Seen, at_s: float, so_far: SoFar | None = None, *, width: int = 60, height: int = 40) -> list[str]:
    """The lines that a terminal of this size shows."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(Drawn([(seen, so_far or SoFar())], ns(at_s)))
    found: Any = console.file
    return [line.rstrip() for line in found.getvalue().splitlines()]


def test_everything_that_goes_on_is_shown_in_sixty_columns(written: Written) -> None:
    """Windows, time left, what is broken, sessions, relay states."""
    lines = drawn(written.seen, 20)
    whole = "\n".join(lines)
    assert max(map(len, lines)) <= 60
    assert lines[0].startswith("relay_drain") and lines[0].endswith("0:20, at least 0:14 left")
    assert "done, 11 s" in lines[1] and "4 of 7+ s" in lines[2] and "to come, 11+ s" not in lines[3]
    assert "drain on relay_a for 3 s, step hold" in whole
    assert "3 live, set up 3, failed 0" in whole
    assert "relay_a Draining 1   relay_b Active 2" in whole
    assert "no samples yet" in whole and "none can be looked at yet" in whole


def test_what_is_mended_is_not_shown_any_more(written: Written) -> None:
    """Nor a step that is done, nor a session that has ended."""
    written.event(21, "fault.receipt", fault="drain", subject="relay_a").event(21, "step.done", step="hold")
    written.event(21, "session.ended", session=1)
    whole = "\n".join(drawn(written.seen, 22))
    assert "nothing is broken by us" in whole and "2 live" in whole


def test_a_relay_that_does_not_answer_or_is_not_listed_says_so(written: Written) -> None:
    """In words, not by a colour."""
    written.event(20, "relay.unreachable", service="relay_b", reason="")
    written.event(20, "relays.seen", relays=[]).event(20, "master.unreachable", reason="")
    whole = "\n".join(drawn(written.seen, 21, width=100))
    assert "relay_b not listed, not ready 2" in whole and "master does not answer" in whole


def test_a_story_that_takes_longer_than_it_says_is_never_done_before_it_is(written: Written) -> None:
    """What is left is what the later windows last."""
    lines = drawn(written.seen, 40)
    assert "24 of 7+ s" in lines[2] and "at least 0:11 left" in lines[0]


def test_the_end_is_said(written: Written) -> None:
    """The stage is held, or lowered; and a run that is over is over."""
    written.event(30, "generator.finished", rows=1)
    assert drawn(written.seen, 31)[0].endswith("lowering and judging")
    written.event(31, "stage.held", max_s=900)
    assert drawn(written.seen, 31)[0].endswith("held, press a key to lower")
    written.event(32, "stage.lowered", took_s=1).event(32, "run.ended")
    assert written.seen.over and not written.seen.held


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    """Names in a journal can hold what moves a cursor, or what rich takes for markup."""
    journal = Written(tmp_path)
    journal.event(0, "run.started", drill="[bold]calm", target=HOSTILE.replace("\ud800", ""))
    journal.event(1, "relay.known", service=HOSTILE.replace("\ud800", ""), relay_id="a")
    journal.event(1, "fault.injected", fault="\x1b[2J", subject=HOSTILE.replace("\ud800", ""))
    whole = "\n".join(drawn(journal.seen, 2, width=200))
    assert "\x1b" not in whole and "\x00" not in whole and "\u202e" not in whole and "[bold]calm" in whole


def building(lost_every: int, until_s: float) -> SoFar:
    """A run in the middle of its fault window, as it is seen at a moment."""
    builder = RecordBuilder().witnessed(12)
    builder.event(0.0, "window.opened", window="calm").event(5.0, "window.closed", window="calm")
    builder.event(5.0, "window.opened", window="fault")
    for number in range(1, 61):
        builder.session(number, 0.1 * number, 0.1 * number + 3.0, lost_every=lost_every, ended=number < 40)
    return so_far(builder.record(), scenario_of(LOSSES, BACK), tiers_of(), ns(until_s))


def test_objectives_are_within_past_or_not_yet() -> None:
    """No word of a verdict is used before there is one."""
    words = {(one.objective, one.window): word for one, word in building(20, 9.0).judgements}
    assert words == {("packets_lost_ratio", "calm"): "past", ("packets_lost_ratio", "fault"): "past",
                     ("reregistration_seen", "fault"): "not yet"}  # fmt: skip
    words = {(one.objective, one.window): word for one, word in building(0, 9.0).judgements}
    assert words["packets_lost_ratio", "calm"] == "within"


def test_too_little_evidence_is_no_answer() -> None:
    """A tenth of a second after a window has opened."""
    words = {(one.objective, one.window): word for one, word in building(0, 5.05).judgements}
    assert words["packets_lost_ratio", "fault"] == "too little"


def test_the_most_urgent_objectives_are_shown_where_there_is_no_room(written: Written) -> None:
    """And how many are left out."""
    state = building(20, 9.0)
    whole = "\n".join(drawn(written.seen, 20, state, height=11))
    assert "packets_lost_ratio" in whole and "past" in whole
    assert "reregistration_seen" not in whole and "and 1 more" in whole
    wide = "\n".join(drawn(written.seen, 20, state, width=120))
    assert "past 0.05" in wide and "longest" in wide


def test_packets_are_known_until_the_worker_that_is_furthest_behind(tmp_path: Path) -> None:
    """Otherwise every session of that worker would seem to have fallen silent."""
    samples = tmp_path / "samples"
    assert settled_ns(samples) == 0
    samples.mkdir()
    for worker, part, due in ((0, 1, 40), (0, 2, 80), (1, 1, 50)):
        columns = {name: [0, due] if name == "intended_ns" else [0, 0] for name in COLUMNS}
        pyarrow.parquet.write_table(pyarrow.table(columns), samples / f"worker-{worker}-{part:05d}.parquet")
    assert settled_ns(samples) == 50


def test_silences_are_bars_from_a_frame_to_a_second(written: Written) -> None:
    """A second without samples is a gap, and a terminal that has only ASCII gets letters of it."""
    state = SoFar(until_ns=ns(19), silences_ms=(None, 17.0, 260.0, 1500.0), present_ms_p95=12.0)
    whole = "\n".join(drawn(written.seen, 20, state, width=100))
    assert " ▁▆█ longest 1500 ms, input to present p95 12 ms (1 s ago)" in whole
    lines = run_drawn(written.seen, state, ns(20), 100, 40, ascii_only=True).renderables
    assert "_*# longest" in "".join(str(line) for line in lines)

"""Two drills at once: in which order, when one begins beside another, and that an interrupt is heard by both."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from drills.apart import Done, Order
from drills.errors import Exit, Interrupted
from drills.options import Options
from drills.scenario.durations import Duration
from drills.scenario.models import Action, Scenario
from drills.side_by_side import SideBySide, longest_first
from drills.steps.hold import HoldArguments
from drills.weighing import Outcome
from tests.record_builder import scenario_of


def drill(name: str, lasts_s: float) -> Scenario:
    """A drill whose story lasts so long."""
    return replace(scenario_of(), name=name, fault=(Action("hold", HoldArguments(lasts=Duration(lasts_s))),))


A, B, C, D = drill("a", 90), drill("b", 20), drill("c", 60), drill("d", 30)


def test_the_longest_story_comes_first() -> None:
    """So that short ones are left to fill what remains."""
    assert [one.name for one in longest_first([B, A, D, C], 5.0)] == ["a", "c", "d", "b"]
    assert longest_first([], 5.0) == []


class Theatre:
    """Both seats, and in which order things happened."""

    def __init__(self, folder: Path, *, dies: str = "", finishes: bool = False) -> None:
        self.folder, self.dies, self.finishes = folder, dies, finishes
        self.events: list[str] = []
        self.on_look: Callable[[str], None] = lambda name: None
        self.on_over: Callable[[str], None] = lambda name: None

    def seat(self, say: Callable[[str], None]) -> FakeSeat:
        """One more process, as it were."""
        return FakeSeat(self)


class FakeSeat:
    """A run of eight looks: its fault window opens at the third and it is over at the eighth.

    Where it finishes, its recovery passes at the fifth, and its load has ended at the seventh.
    """

    def __init__(self, theatre: Theatre) -> None:
        self.theatre = theatre
        self.folder: Path | None = None
        self.order: Order | None = None
        self.looks = 0

    def give(self, order: Order) -> None:
        self.order, self.looks, self.waits = order, 0, order.waits
        self.theatre.events.append(f"{order.drill} begins" + (" behind" if order.gives_way else ""))
        self.folder = self.theatre.folder / order.drill
        self.folder.mkdir()
        self._write(event="window.opened", window="calm")

    def turn(self, control: str) -> None:
        assert self.order
        self.waits = False
        self.theatre.events.append(f"{self.order.drill} has its turn" + (f", calm {control}" if control else ""))

    def _write(self, **event: str) -> None:
        assert self.folder
        with (self.folder / "journal.jsonl").open("a") as journal:
            journal.write(json.dumps(event) + "\n")

    def heard(self, within_s: float) -> Done | None:
        assert self.order
        name = self.order.drill
        self.theatre.on_look(name)
        if self.waits:
            return None
        self.looks += 1
        if self.looks == 2 and name == self.theatre.dies:
            return Done(self.folder, "its process ended with 1", Exit.CANNOT_RUN)
        if self.looks == 3:
            self._write(event="window.opened", window="fault")
            self.theatre.events.append(f"{name} in fault")
        if self.looks == 5 and self.theatre.finishes:
            self._write(event="window.opened", window="recovery")
            self._write(event="window.closed", window="recovery")
            self.theatre.events.append(f"{name} in recovery")
        if self.looks == 7 and self.theatre.finishes:
            self._write(event="generator.finished")
            self.theatre.events.append(f"{name} finished")
        if self.looks < 8:
            return None
        self.theatre.events.append(f"{name} over")
        return Done(self.folder, "", Exit.HELD, Outcome.HELD)

    def interrupt(self) -> None:
        assert self.order
        self.theatre.events.append(f"{self.order.drill} interrupted")

    def close(self) -> None:
        self.theatre.events.append("closed")


def run(
    theatre: Theatre, *scenarios: Scenario, control: str | Callable[[], str] = "",
    visits: tuple[float, ...] = (), at_once: int = 2, may_give_way: bool = True,
    clock: Callable[[], float] = lambda: 0.0,
) -> dict[str, Done]:  # fmt: skip
    """What became of each drill; ``visits`` a second, of each."""
    done: dict[str, Done] = {}
    dense = dict(zip([one.name for one in scenarios], visits or [5.0] * len(scenarios), strict=True))

    def on_done(scenario: Scenario, one: Done) -> None:
        done[scenario.name] = one
        theatre.on_over(scenario.name)

    both = SideBySide(
        {one.name: Options() for one in scenarios}, dense, control if callable(control) else lambda: control,
        lambda text: None, on_done, at_once, make_seat=theatre.seat, may_give_way=may_give_way, clock=clock,  # type: ignore[arg-type]
    )  # fmt: skip
    try:
        both.run(scenarios)
    except Interrupted:
        theatre.events.append("Interrupted")
    return done


def test_a_drill_begins_beside_another_once_that_ones_fault_window_has_opened(tmp_path: Path) -> None:
    """And on whichever seat is free: the third beside the second, once the first is over."""
    theatre = Theatre(tmp_path)
    done = run(theatre, B, D, C)
    assert theatre.events == [
        "b begins", "b in fault", "d begins behind", "d in fault", "b over", "c begins behind", "d over", "c in fault",
        "c over",
        "closed", "closed",
    ]  # fmt: skip
    assert [*done] == ["b", "d", "c"]


def test_one_at_a_time_the_next_is_got_ready_in_the_recovery_of_the_last_and_waits(tmp_path: Path) -> None:
    """In the order that was asked for; two are never measured at once."""
    theatre = Theatre(tmp_path, finishes=True)
    done = run(theatre, B, D, C, at_once=1)
    assert [event for event in theatre.events if "fault" not in event] == [
        "b begins", "b in recovery", "d begins behind", "b finished", "d has its turn", "b over",
        "d in recovery", "c begins behind", "d finished", "c has its turn", "d over",
        "c in recovery", "c finished", "c over", "closed", "closed",
    ]  # fmt: skip
    assert [*done] == ["b", "d", "c"]


@pytest.mark.parametrize(("clock_s", "order"), [
    (0.2, ["b finished", "d begins", "b over"]),
    (0.5, ["d begins behind", "b finished", "d has its turn", "b over"]),
])  # fmt: skip
def test_who_may_not_give_way_begins_only_after_the_last_window_of_the_other(
    tmp_path: Path, clock_s: float, order: list[str]
) -> None:
    """An unprivileged user's stage would take the CPUs from what is measured; half a second later nothing is."""
    theatre = Theatre(tmp_path, finishes=True)
    now = [0.0]

    def passes(name: str) -> None:
        now[0] += clock_s if theatre.events[-1] in ("b in recovery", "b finished") else 0.0

    theatre.on_look = passes
    run(theatre, B, D, at_once=1, may_give_way=False, clock=lambda: now[0])
    told = [event for event in theatre.events if "fault" not in event]
    assert told == ["b begins", "b in recovery", *order, "d in recovery", "d finished", "d over", "closed", "closed"]


def test_nobody_has_their_turn_before_calm_is_judged(tmp_path: Path) -> None:
    """What it came to binds them all: whoever was got ready meanwhile is told with their turn."""
    theatre = Theatre(tmp_path, finishes=True)
    calm = replace(B, name="calm")
    control = [""]
    theatre.on_over = lambda name: control.__setitem__(0, "broken" if name == "calm" else control[0])
    run(theatre, calm, D, at_once=1, control=lambda: control[0])
    assert [event for event in theatre.events if "fault" not in event][:6] == [
        "calm begins", "calm in recovery", "d begins behind", "calm finished", "calm over",
        "d has its turn, calm broken",
    ]  # fmt: skip


def test_one_at_a_time_a_run_that_dies_lets_the_next_begin(tmp_path: Path) -> None:
    """It has never said that its load was over."""
    theatre = Theatre(tmp_path, dies="b")
    run(theatre, B, D, at_once=1)
    assert [event for event in theatre.events if "begins" in event] == ["b begins", "d begins"]


@pytest.mark.parametrize(("visits", "order"), [
    ((5.0, 4.0, 5.0), "bcd"),  # the densest that fits comes next
    ((5.0, 4.0, 5.1), "bdc"),
    ((9.7, 9.7, 9.7), "bdc"),
])  # fmt: skip
def test_two_run_at_once_only_where_their_visits_together_are_not_too_many(
    tmp_path: Path, visits: tuple[float, ...], order: str
) -> None:
    """Ten a second; whoever fits nowhere runs alone."""
    theatre = Theatre(tmp_path)
    run(theatre, B, D, C, visits=visits)
    begun = [event[0] for event in theatre.events if "begins" in event]
    assert "".join(begun) == order
    dense = dict(zip("bdc", visits, strict=True))
    under_way: set[str] = set()
    for event in theatre.events:
        under_way |= {event[0]} if "begins" in event else set()
        under_way -= {event[0]} if event.endswith("over") else set()
        assert sum(dense[name] for name in under_way) <= 10.0


def test_the_next_begins_too_where_one_never_comes_to_its_fault_window(tmp_path: Path) -> None:
    """A drill that could not be run keeps no other from being run."""
    theatre = Theatre(tmp_path, dies="b")
    done = run(theatre, B, D)
    assert (done["b"].code, done["d"].verdict) == (Exit.CANNOT_RUN, Outcome.HELD)


def test_an_interrupt_is_heard_by_both_and_each_is_waited_for(tmp_path: Path) -> None:
    """What they have to tell is told; the rest is not begun."""
    theatre = Theatre(tmp_path)
    fired: list[str] = []

    def once(name: str) -> None:
        if name == "d" and not fired:
            fired.append(name)
            raise Interrupted("SIGINT")

    theatre.on_look = once
    done = run(theatre, B, D, C)
    assert {"b interrupted", "d interrupted"} <= set(theatre.events)
    assert [*done] == ["b", "d"] and theatre.events[-1] == "Interrupted"


@pytest.mark.parametrize("control", ["", "broken", "not run"])
def test_what_calm_came_to_goes_with_every_order(tmp_path: Path, control: str) -> None:
    """So that nothing may be held where it did not hold."""
    orders: list[str] = []
    theatre = Theatre(tmp_path)

    def seat(say: Callable[[str], None]) -> FakeSeat:
        made = FakeSeat(theatre)
        give = made.give
        made.give = lambda order: (orders.append(order.control), give(order))[1]  # type: ignore[method-assign]
        return made

    theatre.seat = seat  # type: ignore[method-assign]
    run(theatre, B, D, control=control)
    assert orders == [control, control]

"""How the matrix goes about its rows: what runs beside what, what is tried again, what is not. No drill is started."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drills.apart import Done, Order
from drills.catalogue import Catalogue
from drills.errors import Exit, Interrupted
from drills.options import Options
from drills.teeth.cells import Bite
from drills.teeth.matrix import ATTEMPTS_MAX, RUN_S_MAX, Matrix, usual_at_once
from drills.teeth.rows import Row

SCENARIOS = Catalogue().all()
SOUND = Row("calm")
LOSES = Row("calm", "relay_drops_one_in_fifty", ("packets_lost_ratio",))
LATE = Row("calm", "relay_adds_40ms", ("input_to_present_ms_p95",))
FORGETS = Row("relay_drain", "relay_forgets_drain", ("drain_survives_reregistration",))
READY = {"event": "run.ready"}
OPENED = {"event": "window.opened", "window": "calm"}
STAYS_SLOW = Row("rollback", "database_stays_slow", ("back_in_band_ms_p95",))
IGNORES = Row("relay_drain", "selection_ignores_drain", ("no_lease_lands_on_a_draining_relay",))


@pytest.fixture(autouse=True)
def two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests run on."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)


class Machine:
    """All seats of a matrix: what each row comes to, attempt by attempt, and what ran at the same time."""

    def __init__(self, folder: Path, **comes_to: list[str]) -> None:
        self.folder = folder
        self.comes_to = {name: list(words) for name, words in comes_to.items()}
        self.under_way: list[str] = []
        self.together: list[tuple[str, ...]] = []
        self.orders: list[Order] = []
        self.begun = 0
        self.interrupted: list[str] = []
        self.turns: list[tuple[str, tuple[str, ...]]] = []  # who had its turn, and who was under way then
        self.looks = 2  # how often a run is listened to before it is over
        self.lines: dict[str, list[dict[str, Any]]] = {}
        self.ready_while_waiting = True
        self.before_looks: Callable[[], None] = lambda: None

    def seat(self, say: Callable[[str], None]) -> FakeSeat:
        """One more process, as it were."""
        return FakeSeat(self)


class FakeSeat:
    """Runs nothing; writes a verdict and says that it is done."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.folder: Path | None = None
        self.name, self.claims = "", ()
        self.left = 0
        self.closed = False

    def give(self, order: Order) -> None:
        machine = self.machine
        machine.orders.append(order)
        machine.begun += 1
        self.name, self.claims, self.waits = order.defect or "sound", order.claims, order.waits
        self.folder = machine.folder / order.drill / f"run-{machine.begun}"
        self.folder.mkdir(parents=True)
        self._write([] if self.waits else machine.lines.get(self.name, []))
        self.left = machine.looks
        machine.under_way.append(self.name)
        machine.together.append(tuple(machine.under_way))

    def _write(self, lines: list[dict[str, Any]]) -> None:
        assert self.folder
        ready = [READY] if self.waits and self.machine.ready_while_waiting else []
        with (self.folder / "journal.jsonl").open("a") as journal:
            for number, event in enumerate([*ready, *lines]):
                journal.write(json.dumps({"at": "", "ns": number, **event}) + "\n")

    def heard(self, within_s: float) -> Done | None:
        self.machine.before_looks()
        if self.waits:
            return None
        self.left -= 1
        if self.left > 0:
            return None
        self.machine.under_way.remove(self.name)
        words = self.machine.comes_to[self.name].pop(0)
        if words == "dies":
            return Done(self.folder, "its process ended with 1", Exit.CANNOT_RUN)
        assert self.folder
        rows = [{"objective": name, "window": "calm", "verdict": words, "reason": "so it was"}
                for name in self.claims or ("packets_lost_ratio",)]  # fmt: skip
        (self.folder / "verdict.json").write_text(json.dumps({"verdict": words, "judgements": rows}))
        return Done(self.folder)

    def turn(self, control: str) -> None:
        self.waits = False
        self._write(self.machine.lines.get(self.name, []))
        self.machine.turns.append((self.name, tuple(name for name in self.machine.under_way if name != self.name)))

    def interrupt(self) -> None:
        self.machine.interrupted.append(self.name)

    def close(self) -> None:
        self.closed = True


def made(
    machine: Machine, *rows: Row, clock: Callable[[], float] = lambda: 0.0, at_once: int = 2, may_give_way: bool = True
) -> Matrix:
    """A matrix of these rows on that machine."""
    said: list[str] = []
    matrix = Matrix(rows, SCENARIOS, Options(pace="fast"), said.append, at_once=at_once, make_seat=machine.seat,
                    clock=clock, may_give_way=may_give_way)  # type: ignore[arg-type]  # fmt: skip
    matrix.__dict__["said"] = said
    return matrix


def attempts(matrix: Matrix, row: Row) -> list[Bite]:
    """What became of each attempt at a row."""
    return [one.bite for one in matrix.cells[row].attempts]


def test_what_is_blank_is_tried_again_alone_in_full_and_last(tmp_path: Path) -> None:
    """Each attempt stays in the record."""
    machine = Machine(tmp_path, relay_drops_one_in_fifty=["inconclusive", "dies", "broken"], relay_adds_40ms=["broken"])
    matrix = made(machine, LOSES, LATE)
    matrix.run()
    assert attempts(matrix, LOSES) == [Bite.INCONCLUSIVE, Bite.NOT_RUN, Bite.CAUGHT]
    assert [order.shortened for order in machine.orders] == [True, True, False, False]
    assert [order.defect for order in machine.orders][-2:] == [LOSES.defect] * 2


def test_what_stays_blank_is_given_up_in_the_end(tmp_path: Path) -> None:
    """Twice more at most."""
    machine = Machine(tmp_path, relay_drops_one_in_fifty=["inconclusive"] * 9)
    matrix = made(machine, LOSES)
    matrix.run()
    assert attempts(matrix, LOSES) == [Bite.INCONCLUSIVE] * ATTEMPTS_MAX
    assert ATTEMPTS_MAX == 3


def test_what_was_missed_or_a_false_alarm_is_never_tried_again(tmp_path: Path) -> None:
    """Else a flaw of ours could be retried away."""
    machine = Machine(tmp_path, relay_drops_one_in_fifty=["held", "broken"], sound=["broken", "held"])
    matrix = made(machine, SOUND, LOSES)
    matrix.run()
    assert attempts(matrix, SOUND) == [Bite.FALSE_ALARM]
    assert attempts(matrix, LOSES) == [Bite.MISSED]


def test_the_sound_system_is_run_in_full(tmp_path: Path) -> None:
    """Its first attempt too, and with no defect switched on."""
    machine = Machine(tmp_path, sound=["held"])
    made(machine, SOUND).run()
    assert [(order.shortened, order.options.defects) for order in machine.orders] == [(False, ())]


def test_beside_one_with_many_visits_nothing_is_measured(tmp_path: Path) -> None:
    """Visits are what costs a machine most; what is got ready meanwhile waits, and the record says so."""
    machine = Machine(tmp_path, relay_refuses_one_present_in_ten=["broken"], gateway_drops_sockets=["broken"],
                      relay_forgets_drain=["broken"])  # fmt: skip
    machine.looks = 6
    refuses = Row("calm", "relay_refuses_one_present_in_ten", ("handshake_failure_ratio",))
    drops = Row("calm", "gateway_drops_sockets", ("signaling_continuity_ratio",))
    machine.lines = {row.defect: [READY, OPENED] for row in (refuses, drops, FORGETS)}
    matrix = made(machine, refuses, drops, FORGETS)
    matrix.run()
    assert machine.turns == [(drops.defect, (FORGETS.defect,)), (FORGETS.defect, ())]
    assert all(matrix.cells[row].last.beside for row in (refuses, drops, FORGETS))


def test_where_nothing_can_be_got_ready_a_run_begins_once_there_is_room_for_it(tmp_path: Path) -> None:
    """Nobody may give way: what would have to wait is not begun."""
    machine = Machine(tmp_path, sound=["held"], relay_adds_40ms=["broken"], relay_forgets_drain=["broken"])
    machine.looks = 3
    made(machine, LATE, FORGETS, SOUND, may_give_way=False).run()
    assert machine.together == [("sound",), ("sound", FORGETS.defect), (LATE.defect,)]
    assert not any(order.waits for order in machine.orders)


def test_defects_that_break_one_indicator_each_share_a_run(tmp_path: Path) -> None:
    """Each row has its own answer; what says broken of the other is no side effect, and a blank one is run alone."""
    rows = [Row("relay_drain", row.defect, row.claims) for row in (LOSES, LATE)]
    both = f"{LOSES.defect}+{LATE.defect}"
    machine = Machine(tmp_path, **{both: ["broken"]})
    matrix = made(machine, *rows)
    matrix.run()
    (order,) = machine.orders
    assert order.options.defects == (LOSES.defect, LATE.defect)
    assert order.claims == (*LOSES.claims, *LATE.claims)
    assert order.options.command.endswith(f"--defect {LOSES.defect} --defect {LATE.defect}")
    for row in rows:
        assert matrix.cells[row].bite is Bite.CAUGHT
        assert matrix.cells[row].last.side_effects == ()
    blank = Machine(tmp_path / "blank", **{both: ["inconclusive"], LOSES.defect: ["broken"], LATE.defect: ["broken"]})
    matrix = made(blank, *rows)
    matrix.run()
    assert [order.defect for order in blank.orders] == [both, LOSES.defect, LATE.defect]
    assert [attempts(matrix, row) for row in rows] == [[Bite.INCONCLUSIVE, Bite.CAUGHT]] * 2


def test_nothing_is_begun_beside_a_generator_that_stands_still(tmp_path: Path) -> None:
    """Two at once only while lateness stays inside its limit."""
    machine = Machine(tmp_path, relay_forgets_drain=["broken"], selection_ignores_drain=["broken"])
    machine.lines[FORGETS.defect] = [
        {"event": "window.opened", "window": "calm"},
        {"event": "generator.second", "gap_ms": 36.0},
    ]
    matrix = made(machine, FORGETS, IGNORES)
    matrix._begin_on(matrix._seats[0], (FORGETS,), False)
    matrix._listen()
    matrix._begin()
    assert machine.together == [(FORGETS.defect,)]


def test_the_next_row_begins_once_nothing_more_is_measured_of_the_last(tmp_path: Path) -> None:
    """While that one is only lowered and judged, whatever it was."""
    machine = Machine(tmp_path, sound=["held"], relay_adds_40ms=["broken"])
    machine.looks = 3
    machine.lines["sound"] = [{"event": "run.stopped_early", "after": "calm", "reason": "seen"}]
    matrix = made(machine, SOUND, LATE)
    matrix.run()
    assert machine.together == [("sound",), ("sound", LATE.defect)]
    assert not any(order.gives_way for order in machine.orders)
    assert matrix.cells[SOUND].last.stopped_after == "calm"
    assert not any(cell.last.beside for cell in matrix.cells.values())


def test_one_at_a_time_the_next_is_got_ready_beside_the_last_and_waits(tmp_path: Path) -> None:
    """It has its turn once nothing more is measured of that one."""
    machine = Machine(tmp_path, **{row.defect: ["broken"] for row in (LOSES, LATE, FORGETS)})
    machine.looks = 4
    machine.lines = {row.defect: [OPENED] for row in (LOSES, LATE)}
    made(machine, LOSES, LATE, FORGETS, at_once=1).run()
    assert [(order.gives_way, order.waits) for order in machine.orders] == [(False, False), (True, True), (True, True)]
    assert machine.together[:2] == [(LOSES.defect,), (LOSES.defect, LATE.defect)]
    assert machine.turns == [(LATE.defect, (FORGETS.defect,)), (FORGETS.defect, ())]


@pytest.mark.parametrize(("first", "others", "begun"), [(False, False, 1), (True, False, 2), (True, True, 3)])
def test_one_at_a_time_is_got_ready_and_no_more_than_two_wait(
    tmp_path: Path, first: bool, others: bool, begun: int
) -> None:
    """Also the first one of all is got ready."""
    rows = [replace(LATE, drill=drill) for drill in ("relay_drain", "relay_loss", "rollback")]
    machine = Machine(tmp_path)
    machine.lines[LOSES.defect] = [READY] if first else []
    machine.ready_while_waiting = others
    machine.looks = 9
    matrix = made(machine, LOSES, *rows, at_once=1)
    for _ in range(4):
        matrix._begin()
        matrix._listen()
        matrix._take_turn()
    assert machine.begun == begun and machine.turns == []


@pytest.mark.parametrize(("second", "late_ms", "turns"), [
    (IGNORES, 0.0, [(IGNORES.defect, (FORGETS.defect,))]),
    (STAYS_SLOW, 0.0, []),
    (IGNORES, 36.0, []),
    (LOSES, 0.0, []),
])  # fmt: skip
def test_two_light_runs_are_measured_at_once(
    tmp_path: Path, second: Row, late_ms: float, turns: list[tuple[str, tuple[str, ...]]]
) -> None:
    """Few visits; only while the first one's generator keeps to its limit, until the second is ready."""
    machine = Machine(tmp_path, **{row.defect: ["broken"] for row in (FORGETS, second)})
    machine.lines[FORGETS.defect] = [READY, OPENED]
    machine.ready_while_waiting = False
    machine.looks = 9
    matrix = made(machine, FORGETS, second)
    matrix._waiting = [(FORGETS,), (second,)]
    for _ in range(3):
        matrix._begin()
        matrix._listen()
        matrix._take_turn()
    assert machine.begun == 2 and machine.turns == []
    matrix._running[0].progress.longest_gap_ms = late_ms
    matrix._running[1].progress.ready = True
    matrix._take_turn()
    assert machine.turns == turns


def test_light_runs_come_last(tmp_path: Path) -> None:
    """So that they meet each other."""
    matrix = made(Machine(tmp_path), FORGETS, LOSES, SOUND, IGNORES, at_once=1)
    assert matrix._waiting == [(SOUND,), (LOSES,), (FORGETS,), (IGNORES,)]


@pytest.mark.parametrize(("lines", "begun"), [
    ([READY, OPENED], ("sound", FORGETS.defect)),
    ([READY, OPENED, {"event": "window.opened", "window": "fault"}], ("sound", FORGETS.defect, LATE.defect)),
])  # fmt: skip
def test_beside_the_sound_system_a_light_run_is_measured(
    tmp_path: Path, lines: list[dict[str, Any]], begun: tuple[str, ...]
) -> None:
    """And one with many visits, whose sessions flow once it is ready, is not got ready beside calm."""
    machine = Machine(tmp_path)
    machine.lines = {"sound": lines, FORGETS.defect: [OPENED]}
    machine.looks = 9
    matrix = made(machine, LATE, FORGETS, SOUND)
    for _ in range(4):
        matrix._begin()
        matrix._listen()
        matrix._take_turn()
    assert machine.together[-1] == begun
    assert machine.turns == [(FORGETS.defect, tuple(name for name in begun if name != FORGETS.defect)[:1])]


def test_of_those_that_wait_the_sound_system_has_its_turn_first(tmp_path: Path) -> None:
    """Everything rests on it; a light one may be measured beside it."""
    machine = Machine(tmp_path)
    matrix = made(machine, LOSES, FORGETS, SOUND)
    for seat, row in zip(matrix._seats, (LOSES, FORGETS, SOUND), strict=False):
        matrix._begin_on(seat, (row,), False)
    matrix._take_turn()
    matrix._listen()
    assert machine.turns == []
    matrix._running[0].progress.stopped_early = True
    matrix._take_turn()
    assert [name for name, _ in machine.turns] == ["sound", FORGETS.defect]


@pytest.mark.parametrize(("pace", "cpus", "turns"), [("fast", 2, 1), ("real", 2, 0), ("fast", 8, 1), ("real", 8, 1)])
def test_how_many_visits_two_runs_may_have_together_is_a_matter_of_pace_and_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pace: str, cpus: int, turns: int
) -> None:
    """At real pace each costs the gateway ten times the hashing."""
    monkeypatch.setattr("os.cpu_count", lambda: cpus)
    machine = Machine(tmp_path)
    machine.lines["sound"] = [READY, {"event": "window.opened", "window": "fault"}]
    machine.looks = 9
    matrix = made(machine, SOUND, FORGETS)
    matrix.options = replace(matrix.options, pace=pace)
    for _ in range(3):
        matrix._begin()
        matrix._listen()
        matrix._take_turn()
    assert (machine.begun, len(machine.turns)) == (2, turns)


@pytest.mark.parametrize(("cpus", "may_give_way", "at_once"), [
    (1, True, 1), (2, True, 2), (2, False, 1), (8, True, 2), (8, False, 2),
])  # fmt: skip
def test_two_at_once_are_usual_where_the_machine_carries_them(
    monkeypatch: pytest.MonkeyPatch, cpus: int, may_give_way: bool, at_once: int
) -> None:
    """Two CPUs do only where what is got ready gives way."""
    monkeypatch.setattr("os.cpu_count", lambda: cpus)
    assert usual_at_once(may_give_way=may_give_way) == at_once


@pytest.mark.parametrize("why", ["may not give way", "stands still", "blank too often", "alone"])
def test_one_at_a_time_nothing_is_got_ready_beside_a_run_that_cannot_carry_it(tmp_path: Path, why: str) -> None:
    """An unprivileged user's, one whose generator is late, one that is tried again, any where many were blank."""
    machine = Machine(tmp_path, relay_drops_one_in_fifty=["broken"], relay_adds_40ms=["broken"])
    machine.looks = 4
    if why == "stands still":
        machine.lines[LOSES.defect] = [
            {"event": "window.opened", "window": "calm"},
            {"event": "generator.second", "gap_ms": 36.0},
        ]
    matrix = made(machine, LATE, LOSES, at_once=1, may_give_way=why != "may not give way")
    matrix._crowded = 6 if why == "blank too often" else 0
    matrix._waiting.pop()
    matrix._begin_on(matrix._seats[0], (LOSES,), why == "alone")
    matrix._listen()
    matrix._begin()
    assert machine.begun == 1


def test_an_interrupt_reaches_the_seats_and_goes_on(tmp_path: Path) -> None:
    """Rows that were known stay known."""
    machine = Machine(tmp_path, sound=["held"], relay_adds_40ms=["broken"])
    matrix = made(machine, SOUND, LATE)

    def after_the_first() -> None:
        if machine.begun == 2:
            raise Interrupted("SIGINT")

    machine.before_looks = after_the_first
    with pytest.raises(Interrupted):
        matrix.run()
    assert LATE.defect in machine.interrupted
    assert all(seat.closed for seat in matrix._seats)  # type: ignore[attr-defined]
    assert (matrix.cells[SOUND].bite, matrix.cells[LATE].bite) == (Bite.HELD, Bite.NOT_RUN)


def test_a_run_that_does_not_end_is_interrupted(tmp_path: Path) -> None:
    """Every wait has a bound."""
    machine = Machine(tmp_path, relay_drops_one_in_fifty=["dies"] * 3)
    machine.looks = 3
    time_s = iter(range(0, 10**9, int(RUN_S_MAX)))
    made(machine, LOSES, clock=lambda: float(next(time_s))).run()
    assert LOSES.defect in machine.interrupted

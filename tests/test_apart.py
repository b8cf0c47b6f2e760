"""Orders to drills in processes of their own: they arrive whole, and a process that cannot obey says why."""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
import time
from pathlib import Path

import pytest

from drills.apart import Done, Order, Seat, _read_orders
from drills.errors import Exit
from drills.options import Options

WITHIN_S = 30.0


def test_an_order_is_the_same_on_the_other_side(tmp_path: Path) -> None:
    """With every option of the command."""
    options = Options(stage="processes", stage_why="asked for", pace="fast", seed=7, defects=("relay_adds_40ms",),
                      out=tmp_path, command="drills teeth", suite="teeth")  # fmt: skip
    order = Order("calm", options, control="broken", defect="relay_adds_40ms", claims=("a", "b"), shortened=True)
    assert Order.from_dict(json.loads(order.to_json())) == order
    assert "\n" not in order.to_json()


def told(seat: Seat) -> Done:
    """What became of an order, when it is known."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        if done := seat.heard(0.2):
            return done
    raise AssertionError("the seat did not answer")


@pytest.fixture
def seat() -> Seat:
    """A process that runs drills; none is started here."""
    return Seat(lambda text: None)


@pytest.mark.slow
def test_a_mistake_is_answered_with_its_words_and_exit_code_and_the_seat_goes_on(seat: Seat, tmp_path: Path) -> None:
    """As the command line would say it."""
    for name in ("storm", "hail"):
        seat.give(Order(name, Options(out=tmp_path)))
        done = told(seat)
        assert f"found '{name}', expected one of calm" in done.problem
        assert (done.code, done.verdict, done.folder) == (Exit.BAD_INPUT, None, None)
    process = seat._process
    seat.close()
    assert process is not None and process.returncode == 0


@pytest.mark.slow
def test_a_seat_that_dies_is_a_drill_that_could_not_be_run(seat: Seat, tmp_path: Path) -> None:
    """And the next order starts another."""
    seat.give(Order("storm", Options(out=tmp_path)))
    told(seat)
    assert seat._process
    os.kill(seat._process.pid, signal.SIGKILL)
    done = told(seat)
    assert (done.code, done.verdict) == (Exit.CANNOT_RUN, None)
    assert "its process ended with -9" in done.problem
    seat.give(Order("hail", Options(out=tmp_path)))
    assert "found 'hail'" in told(seat).problem
    seat.close()


def test_a_turn_that_nobody_took_is_not_the_next_order_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that failed while it was got ready leaves its turn; the next one on its seat waits for its own."""
    order = Order("calm", Options(), waits=True)
    said = [order.to_json(), json.dumps({"turn": True, "control": "broken"}), order.to_json()]
    monkeypatch.setattr("sys.stdin", [line + "\n" for line in said])
    orders: queue.Queue[Order | None] = queue.Queue()
    turns: queue.Queue[str] = queue.Queue()
    _read_orders(orders, turns, threading.Event())
    assert [orders.get(), orders.get(), orders.get()] == [order, order, None]
    assert turns.empty()

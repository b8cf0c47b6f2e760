"""Visits are laid down evenly, whoever is free or not. In a process of its own: importing Locust patches it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PLANS = """
import json, time
import gevent
from types import SimpleNamespace
from drills.load import users
from drills.record import Journal

users.World.live, users.World.worker = SimpleNamespace(journal=Journal(None)), 0
now = [100.0]
class Clock:
    monotonic = staticmethod(lambda: now[0])
class Sleepless:
    spawn = staticmethod(gevent.spawn)
    @staticmethod
    def sleep(seconds):
        now[0] += seconds
        if now[0] > until[0]:
            raise gevent.GreenletExit
users.time, users.gevent = Clock, Sleepless

def due(per_s, first_s, lasts_s):
    began, until[0] = now[0], now[0] + lasts_s
    visits.plan(per_s, first_s)
    gevent.sleep(0)
    return [round(ns / 1e9 - began, 6) for ns in visits.left()]

until = [0.0]
visits = users.Visits()
found = {"five": due(5.0, 0.1, 1.05), "none": due(0.0, 0.1, 1.0), "again": due(2.0, 0.0, 1.2)}

slow = users.Visits()
until[0] = 1e9
class Late(Sleepless):
    @staticmethod
    def sleep(seconds):
        now[0] += seconds + (0.7 if len(slow.due) == 2 else 0.0)
        if len(slow.due) == 6:
            raise gevent.GreenletExit
users.gevent = Late
began = now[0]
slow.plan(10.0, 0.1)
gevent.sleep(0)
found["late"] = [round(ns / 1e9 - began, 6) for ns in slow.left()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What a worker's plan of visits came to, by a clock that only moves when it sleeps."""
    done = subprocess.run(
        [sys.executable, "-c", PLANS], cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_visits_are_spread_evenly(found: dict[str, Any]) -> None:
    """Five a second are 200 ms apart, from the first on."""
    assert found["five"] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])


def test_a_plan_of_none_stops_them(found: dict[str, Any]) -> None:
    """And a later plan begins anew."""
    assert found["none"] == []
    assert found["again"] == pytest.approx([0.0, 0.5, 1.0])


def test_a_late_worker_does_not_move_when_visits_are_due(found: dict[str, Any]) -> None:
    """Open-loop: a slow control plane must not slow down those who ask it."""
    assert found["late"] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])

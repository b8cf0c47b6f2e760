"""The gateway's schema goes forward only, and what releases leave behind is noticed where a defect asks for it."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest

from drills.reference.defects import Defects
from drills.reference.gateway import releases, schema
from drills.reference.gateway.database import Database, StoreError
from drills.reference.gateway.gateway import Gateway
from drills.reference.gateway.settings import Settings

STAYS_SLOW = Defects.parse(["database_stays_slow"])


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database that is empty yet, as the stage makes it."""
    (tmp_path / "gateway.db").touch()
    return f"sqlite://{tmp_path}/gateway.db"


def version(url: str) -> int:
    """The newest step that the file has."""
    with sqlite3.connect(url.removeprefix("sqlite://")) as connection:
        return schema.version(connection)


def test_a_first_start_takes_the_first_step_and_a_second_none(url: str) -> None:
    """Whether it was new is known to the one who opened it."""
    assert Database.opened(url).made_here
    assert version(url) == 1
    assert not Database.opened(url).made_here


def test_a_newer_release_takes_the_step_that_is_missing(url: str) -> None:
    """What is there stays."""
    Database.opened(url)
    assert not Database.opened(url, 2).made_here
    assert version(url) == 2


def test_an_older_release_refuses_a_newer_database_and_leaves_it_alone(url: str) -> None:
    """In sqlx's words, so that an operator finds them in either log."""
    Database.opened(url, 2)
    with pytest.raises(
        StoreError, match="migration 2 was previously applied but is missing in the resolved migrations"
    ):
        Database.opened(url)
    assert version(url) == 2


def test_a_step_is_taken_whole_or_not_at_all(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that cannot finish its step leaves the database to the one before it."""
    Database.opened(url)
    monkeypatch.setitem(schema.STEPS, 2, (*schema.STEPS[2], "SELECT nonsense"))
    with pytest.raises(StoreError, match="failed to run migrations"):
        Database.opened(url, 2)
    assert version(url) == 1
    assert not Database.opened(url).made_here


@pytest.mark.parametrize(("environment", "tag"), [({}, "known-good"), ({"DRILLS_RELEASE": "candidate"}, "candidate")])
def test_a_release_knows_its_tag(environment: dict[str, str], tag: str) -> None:
    """Without one it is the known-good one."""
    assert releases.running(environment) == tag


def test_a_newer_release_is_remembered_only_where_a_defect_asks(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sound gateway leaves no note; a candidate does not find its own."""
    monkeypatch.setenv("DRILLS_RELEASE", "candidate")
    assert releases.newest_here(Defects(), url) == ""
    assert releases.newest_here(STAYS_SLOW, url) == ""
    monkeypatch.delenv("DRILLS_RELEASE")
    assert releases.newest_here(STAYS_SLOW, url) == "candidate"
    assert releases.newest_here(Defects(), url) == ""


def test_before_a_candidate_has_run_there_is_nothing_to_remember(url: str) -> None:
    """The known-good release from its first start to its last."""
    assert releases.newest_here(STAYS_SLOW, url) == ""


def test_a_gateway_that_goes_on_as_another_release_keeps_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its process id: exec."""
    told: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda *words: told.append(words))  # type: ignore[arg-type]
    releases.become("candidate")
    ((program, words, environment),) = told
    assert (program, words) == (sys.executable, sys.orig_argv)
    assert environment["DRILLS_RELEASE"] == "candidate"


@pytest.mark.parametrize(
    ("defects", "newer_was_here", "held_s"),
    [((), True, 0.0), (("slow_auth",), False, 1.0), (("database_stays_slow",), False, 0.0),
     (("database_stays_slow",), True, 1.0)],
)  # fmt: skip
def test_a_login_is_held_up_by_two_defects_only(
    url: str, defects: tuple[str, ...], newer_was_here: bool, held_s: float
) -> None:
    """One of a candidate, and one of a database that a candidate has used."""
    gateway = Gateway(Settings(), Database.opened(url), defects=Defects.parse(defects), newer_was_here=newer_was_here)
    gateway.passwords.close()
    assert gateway.login_held_s == held_s

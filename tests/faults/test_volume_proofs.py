"""What proves that a gateway's data is gone: a refusal of its own, not somebody else's failed logins."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from drills.faults.volumes import login, write
from drills.probes.witnesses import Tried


def scene(ok: bool, status: int | None) -> Any:
    """A drill whose every call is answered in this way."""
    tried = Tried(ok, status, "granted" if ok else f"{status}", 0, 1)
    known = SimpleNamespace(known=object(), log_in=lambda account: tried, register=lambda: (None, tried))
    return SimpleNamespace(witnesses=known)


@pytest.mark.parametrize(("status", "seen"), [(401, True), (500, True), (429, False), (None, False)])
def test_a_lock_or_a_silence_does_not_prove_that_data_is_gone(status: int | None, seen: bool) -> None:
    """A gateway that limits or says nothing would do so with its data in place."""
    assert login(scene(False, status), works=False).seen is seen
    assert write(scene(False, status), works=False).seen is seen


def test_what_is_granted_proves_that_data_is_there() -> None:
    """And that it is not gone."""
    assert login(scene(True, 200), works=True).seen and write(scene(True, 200), works=True).seen
    assert not login(scene(True, 200), works=False).seen and not write(scene(True, 200), works=False).seen

"""Giving way and coming forward, on a process of our own with two threads."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.stage import priority

PROGRAM = """
import threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
print("up", flush=True)
time.sleep(60)
"""
allowed = pytest.mark.skipif(not priority.may_come_forward(), reason="only who may come forward again gives way")


@pytest.fixture
def pid() -> Iterator[int]:
    """A process that does nothing."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout and process.stdout.readline() == b"up\n"
        yield process.pid
        process.kill()


def group_of(pid: int) -> str:
    """What the kernel says of its session's group; empty without sched_autogroup_enabled."""
    try:
        return " ".join(Path(f"/proc/{pid}/autogroup").read_text().split()[1:])
    except OSError:
        return ""


def nice_values(pid: int) -> set[int]:
    """Of all its threads."""
    return {os.getpriority(os.PRIO_PROCESS, int(entry.name)) for entry in Path(f"/proc/{pid}/task").iterdir()}


@allowed
def test_every_thread_gives_way_and_comes_forward(pid: int) -> None:
    """Also those that the process has started long ago, and its session's group where there is one."""
    for nice in (priority.BEHIND, priority.FAVOURED, priority.ORDINARY):
        priority.placed(pid, nice)
        assert nice_values(pid) == {nice}
        assert group_of(pid) in ("", f"nice {nice}")
        assert priority.gives_way(pid) is (nice == priority.BEHIND)


def slices(pid: int) -> set[int]:
    """What sched_getattr(2) says of all its threads, in ns; empty where this kernel does not say."""
    number = {"x86_64": 315, "aarch64": 275}.get(platform.machine())
    found = set()
    for entry in Path(f"/proc/{pid}/task").iterdir():
        answer = ctypes.create_string_buffer(56)
        if number is None or ctypes.CDLL(None).syscall(number, int(entry.name), answer, 56, 0):
            return set()
        found.add(struct.unpack_from("=Q", answer, 24)[0])
    return found - {0}


@allowed
def test_who_is_measured_asks_for_short_slices_and_who_gives_way_does_not(pid: int) -> None:
    """Where the kernel has them (Linux 6.12)."""
    usual = slices(pid)
    priority.placed(pid, priority.ORDINARY)
    if not usual:
        pytest.skip("this kernel has no slices of one's own")
    assert slices(pid) == {priority.PROMPT_NS}
    priority.placed(pid, priority.BEHIND)
    assert slices(pid) == usual


def test_what_a_prompt_process_starts_is_prompt_too() -> None:
    """Tried in a process of its own: a slice stays with whoever has asked for it."""
    script = (
        "import os, subprocess, sys; from drills.stage import priority; priority.prompt(); "
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=sys.stdin); "
        "print(os.getpid(), child.pid, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        found = [slices(int(pid)) for pid in process.stdout.readline().split()]
        process.communicate(b"\n\n", timeout=10)
    assert all(one in (set(), {priority.PROMPT_NS}) for one in found) and found[0] == found[1]


@allowed
def test_a_process_that_is_gone_is_no_matter(pid: int) -> None:
    """It may have been killed by the drill."""
    os.kill(pid, 9)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}/task/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < deadline
    priority.placed(pid, priority.ORDINARY)


@allowed
def test_our_own_work_gives_way_for_a_while() -> None:
    """And comes forward again when it fails, too."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with pytest.raises(ValueError, match="judging"), priority.giving_way():
        assert os.getpriority(os.PRIO_PROCESS, 0) == 19
        raise ValueError("judging")
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_who_may_not_come_forward_does_not_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unprivileged user who gave way would stay behind."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(priority.resource, "getrlimit", lambda what: (0, 0))
    before = os.getpriority(os.PRIO_PROCESS, 0)
    assert not priority.may_come_forward()
    with priority.giving_way():
        assert os.getpriority(os.PRIO_PROCESS, 0) == before


@pytest.mark.parametrize(("limit", "may"), [(19, False), (20, True), (40, True), (-1, True)])
def test_the_limit_that_lets_a_user_come_forward(monkeypatch: pytest.MonkeyPatch, limit: int, may: bool) -> None:
    """setrlimit(2): 20 minus the least nice value; -1 is no limit."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(priority.resource, "getrlimit", lambda what: (limit, limit))
    assert priority.may_come_forward() is may

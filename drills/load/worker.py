"""A Locust worker process of ours: ``python -m drills.load.worker [INDEX]``.

Started by the stage with ``DRILLS_LOAD`` in its environment; without an index it takes the one that the Locust master
gives it. By hand it shows what it measures in Locust's web UI and writes nothing.

Importing Locust patches the process with gevent; that is why load never runs inside the runner. Commands come from
the Locust master as custom messages.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import time
import traceback
from functools import partial
from typing import Any

import gevent
from locust.env import Environment

from drills.load import samples as samples_module
from drills.load.by_hand import shown_in
from drills.load.privileges import give_addresses, owned
from drills.load.pump import Pump
from drills.load.samples import Samples
from drills.load.session import Live
from drills.load.settings import CONTROL_PORT, LoadSettings
from drills.load.users import USER_CLASSES, ResidentPair, VisitingPair, Visits, World, keep_up_for_ever
from drills.record import Journal
from drills.stage import priority

SECOND_S = 1.0
STOP_WAIT_S = 10.0  # a set-up that hangs in every one of its steps has ended by then
FLUSHES_MAX = 100  # parts of at most 5 s each: more than any window has


def made_world(settings: LoadSettings, worker: int) -> None:
    """Fill ``World`` for this process and start the pump, the writer and the per-second witness."""
    folder = settings.folder
    journal = Journal(folder / "journal.jsonl" if folder else None)
    name = f"worker-{worker}"
    World.settings, World.worker = settings, worker
    World.visits = Visits(lambda due_ns: journal.write("visit.due", worker=worker, intended_ns=due_ns))
    World.samples = Samples(folder / "samples" if folder else None, name)
    pump = Pump(
        World.samples,
        lambda from_ns, to_ns: journal.write("generator.gap", worker=worker, from_ns=from_ns, to_ns=to_ns),
        lambda event, facts: journal.write(event, worker=worker, **facts),
    )
    World.live = Live(pump, journal, worker)
    ResidentPair.fixed_count, VisitingPair.fixed_count = settings.resident, settings.visitors
    importlib.import_module("pyarrow.parquet")  # now, not in the middle of the first window
    gc.freeze()  # what was imported lives for ever: do not walk it at every collection
    for work in (pump.run, partial(World.samples.flush_for_ever, worker), keep_up_for_ever, partial(_witness, worker)):
        gevent.spawn(work).link_exception(_note_death)


def _favoured() -> None:
    """Let the pump run when it is due: a generator that waits for a CPU measures the machine instead of the services.

    Raising one's own priority needs root or CAP_SYS_NICE; without it the generator is as good as the machine lets it
    be, and its gaps are in the record either way.
    """
    sys.setswitchinterval(0.0005)  # the thread that writes samples must give the interpreter back at once
    if not priority.gives_way(os.getpid()):  # else the stage brings it forward when it is measured
        priority.placed(os.getpid(), priority.FAVOURED)


def _witness(worker: int) -> None:
    """Once a second: how long the pump stood still at most, what was skipped, what our own sockets dropped."""
    live = World.live
    while True:
        gevent.sleep(SECOND_S)
        pump = live.pump
        gap, pump.gap_ns_max = pump.gap_ns_max, 0
        live.journal.write(
            "generator.second", worker=worker, gap_ms=gap / 1e6, skipped=pump.skipped, late=World.samples.late,
            own_drops=_own_drops(live), sessions=len(live.sessions),
        )  # fmt: skip


def _own_drops(live: Live) -> int:
    """What has died in our own sockets so far, those that are closed included."""
    sessions = (*live.sessions.values(), *live.setting_up.values())
    ends = (end for session in sessions if session.media for end in (session.media.client, session.media.host))
    return live.pump.own_drops + sum(end.kernel_drops() for end in ends)


def obey(runner: Any, settings: LoadSettings) -> None:
    """Do what the runner of the drill says, as the Locust master passes it on."""

    def on_visits(environment: Any, msg: Any, **_: Any) -> None:
        per_s, first = msg.data["per_s"], msg.data["first_after_s"]
        share = per_s / settings.workers
        World.visits.plan(share, first + (World.worker / per_s if per_s else 0.0))

    def on_leave(environment: Any, msg: Any, **_: Any) -> None:
        World.live.told_to_leave = set(msg.data["relay_ids"])

    def on_flush(environment: Any, msg: Any, **_: Any) -> None:
        gevent.spawn(_flush, runner, msg.data["due_before_ns"])

    def on_finish(environment: Any, msg: Any, **_: Any) -> None:
        gevent.spawn(_finish, runner, promptly=msg.data["promptly"])

    runner.register_message("drill.visits", on_visits)
    runner.register_message("drill.leave", on_leave)
    runner.register_message("drill.flush", on_flush)
    runner.register_message("drill.finish", on_finish)


def _flush(runner: Any, due_before_ns: int) -> None:
    """Bring every packet that was due before a moment to disk, once it has settled, and say so."""
    until_ns = due_before_ns + int(samples_module.SETTLE_S * 1e9)
    gevent.sleep(max(0.0, (until_ns - time.monotonic_ns()) / 1e9))
    for _ in range(FLUSHES_MAX):
        rows = World.samples.rows
        World.samples.flush(settled_before_ns=due_before_ns)
        if World.samples.rows == rows:
            break
    runner.send_message("drill.flushed", {"worker": World.worker})


def _finish(runner: Any, *, promptly: bool) -> None:
    """End what runs, write the last part, say so.

    Promptly: visits and set-ups are not waited for. A set-up that is under way then has no end in the record, and is no
    failed one: nobody asked for it any more.
    """
    World.stopping = True
    World.visits.plan(0, 0)
    live = World.live
    until = time.monotonic() + STOP_WAIT_S
    while not promptly and _unfinished(live) and time.monotonic() < until:
        gevent.sleep(0.05)
    for intended_ns in World.visits.left():
        live.journal.write("visit.unstarted", worker=World.worker, intended_ns=intended_ns)
    for session in [] if promptly else list(live.setting_up.values()):
        session.write_unfinished()
    for session in list(live.sessions.values()):
        if session.media:
            session.media.flowing = False
        live.journal.write("session.ended", session=session.index, kind=session.kind, planned=True,
                           reason="the run ended", planned_ns=0, stopped_ns=time.monotonic_ns())  # fmt: skip
    gevent.sleep(samples_module.SETTLE_S / 2)
    live.pump.stop()
    while World.samples.pending:
        World.samples.flush(settled_before_ns=time.monotonic_ns() + 1)
    live.journal.write("generator.finished", worker=World.worker, rows=World.samples.rows, skipped=live.pump.skipped,
                       late=World.samples.late, altered=live.pump.altered, strays=live.pump.strays,
                       own_drops=_own_drops(live))  # fmt: skip
    runner.send_message("drill.finished", {"worker": World.worker})


def _note_death(greenlet: gevent.Greenlet) -> None:
    """One of the greenlets that must not end has ended: the record must say so."""
    World.live.journal.write("load.error", worker=World.worker, error=repr(greenlet.exception), where=str(greenlet))


def _unfinished(live: Live) -> bool:
    """Whether a visit is still there or a set-up still under way."""
    return bool(live.setting_up) or any(session.kind == "visit" for session in live.sessions.values())


def _note_error(user_instance: Any, exception: BaseException, tb: Any, **_: Any) -> None:
    """An exception of ours in a user: Locust would only count it, the record must have it."""
    where = traceback.format_tb(tb)[-1].strip().replace("\n", " ") if tb else ""
    World.live.journal.write("load.error", worker=World.worker, error=repr(exception), where=where)


def main() -> None:
    """Join the Locust master named in the settings and serve until it says quit."""
    settings = LoadSettings.from_environment()
    _favoured()
    environment = Environment(user_classes=list(USER_CLASSES))
    runner = environment.create_worker_runner(settings.control_host, CONTROL_PORT)
    worker = int(sys.argv[1]) if len(sys.argv) > 1 else runner.worker_index
    give_addresses(settings.end_address(worker, 0), settings.ends_addresses)
    owned()
    made_world(settings, worker)
    if settings.folder is None:
        shown_in(environment)
    environment.events.user_error.add_listener(_note_error)  # type: ignore[no-untyped-call]  # Locust has no types
    obey(runner, settings)
    runner.send_message("drill.ready", {"worker": worker})
    runner.greenlet.join()


if __name__ == "__main__":
    main()

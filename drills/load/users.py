"""The population, as Locust users: residents that are always there, and visitors that come and go.

Locust decides who exists and where (``fixed_count``, workers, ramps); the packets belong to the pump. Visits are
open-loop: their starting times are laid down by ``Visits`` and a visitor that is free takes the next one, so that a
slow control plane does not slow down those who ask it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import gevent
from gevent import monkey
from gevent.event import Event
from gevent.lock import Semaphore
from gevent.queue import Queue
from locust import User, constant, task

from drills.load.pair import Pair, SetupFailed
from drills.load.samples import Samples
from drills.load.session import Live, Session
from drills.load.settings import LoadSettings
from drills.load.signaling import EndAccount, bound_again
from drills.wavry.errors import WireError

RETRY_S = 0.5
FIRST_SHARE = 0.3
REGISTERING_AT_ONCE = 2  # of each worker
VISITORS_WAIT_S = 5.0
KEEP_UP_EVERY_S = 0.25
BINDING_AT_ONCE = 4  # of each worker, of ends that lost their sockets: some 2 ms of CPU each, and the pump is due too


class Visits:
    """When visits are due: evenly spread, at the rate the window asks for, until told otherwise."""

    def __init__(self, on_due: Callable[[int], None] = lambda intended_ns: None) -> None:
        self.on_due = on_due
        self.due: Queue = Queue()  # intended start, monotonic ns
        self._generation = 0

    def plan(self, per_s: float, first_after_s: float) -> None:
        """From now on ``per_s`` visits a second; 0 stops them."""
        self._generation += 1
        if per_s > 0:
            gevent.spawn(self._run, self._generation, 1.0 / per_s, first_after_s)

    def left(self) -> list[int]:
        """The intended starts of visits that nobody was free to make."""
        return [self.due.get_nowait() for _ in range(self.due.qsize())]

    def _run(self, generation: int, interval_s: float, first_after_s: float) -> None:
        due = time.monotonic() + first_after_s
        while True:
            gevent.sleep(max(0.0, due - time.monotonic()))
            if generation != self._generation:
                return
            intended_ns = int(due * 1e9)
            self.on_due(intended_ns)
            self.due.put(intended_ns)
            due += interval_s


class World:
    """What all users of one worker share; made once per process by the worker."""

    settings: ClassVar[LoadSettings]
    live: ClassVar[Live]
    samples: ClassVar[Samples]
    visits: ClassVar[Visits]
    worker: ClassVar[int] = 0
    stopping: ClassVar[bool] = False
    pairs: ClassVar[list[Pair]] = []
    residents_flow: ClassVar[Event] = Event()
    # passwords are hashed one after another in any case: a queue of hundreds would only run into our own time-outs
    registering: ClassVar[Semaphore] = Semaphore(REGISTERING_AT_ONCE)
    binding: ClassVar[Semaphore] = Semaphore(BINDING_AT_ONCE)
    _names: ClassVar[int] = 0

    @classmethod
    def new_pair(cls, kind: str) -> Pair:
        """A pair with a name and addresses that no other pair of the run has."""
        cls._names += 1
        number = 2 * cls._names
        name = f"{kind}{cls.worker:02d}{cls._names:04d}{random.Random(cls.settings.seed).randrange(36**4):04x}"
        own = cls.settings.end_address
        pair = Pair(cls.settings, name, (own(cls.worker, number), own(cls.worker, number + 1)), cls.worker, number)
        for end in (pair.client, pair.host):
            end.on_signal = cls.live.journal.write
            end.on_lost = partial(cls._bind_again, pair)
        return pair

    @classmethod
    def _bind_again(cls, pair: Pair, end: EndAccount) -> None:
        gevent.spawn(bound_again, end, pair.door, cls.binding, lambda: cls.stopping)


def keep_up_for_ever() -> None:
    """A greenlet's work: read whatever waits on sockets that no set-up is using, as a living client would."""
    poll_of = monkey.get_original("select", "poll")
    while True:
        gevent.sleep(KEEP_UP_EVERY_S)
        idle = {end.socket.socket.fileno(): end for pair in World.pairs for end in (pair.client, pair.host)
                if end.socket is not None and not end.reading.locked()}  # fmt: skip
        poll = poll_of()
        for number in idle:
            if number >= 0:
                poll.register(number, 1)  # POLLIN
        for number, _ in poll.poll(0):
            idle[number].keep_up()
            gevent.sleep(0)  # a gateway that goes closes them all at once: the pump must come in between


class _PairUser(User):
    """What residents and visitors have in common: a registered pair."""

    abstract = True
    wait_time = constant(0)
    kind = ""

    def on_start(self) -> None:
        self.pair = World.new_pair(self.kind)
        World.pairs.append(self.pair)
        while not self._registered():
            gevent.sleep(RETRY_S)  # for as long as the runner has patience: without its accounts a drill is not begun
        World.live.journal.write("account.made", pair=self.pair.name, kind=self.kind)

    def _registered(self) -> bool:
        """Whether both ends have accounts and the host is at home; why not is written down."""
        try:
            with World.registering:
                self.pair.register()
            self.pair.bind(self.pair.host)
        except (WireError, SetupFailed) as error:
            World.live.journal.write("account.failed", pair=self.pair.name, reason=str(error))
            return False
        return True

    def on_stop(self) -> None:
        self.pair.close()


class ResidentPair(_PairUser):
    """A session that is always there: when one ends as planned, the next begins."""

    kind = "r"

    def on_start(self) -> None:
        super().on_start()
        self.random = random.Random(f"{World.settings.seed}-{self.pair.name}")
        self.first = True

    @task
    def stay(self) -> None:
        """One session of a resident, from its set-up to its planned end."""
        if World.stopping:
            gevent.sleep(0.1)
            return
        session = Session(World.live, self.pair, "resident", time.monotonic_ns())
        if session.set_up(log_in=False):
            World.residents_flow.set()
            session.last(self._length_s())
            self.pair.client.release()  # it is closed and opened again, and binds by the token that it has
        else:
            gevent.sleep(RETRY_S)

    def _length_s(self) -> float:
        """The planned length of the next session; first ones are shorter, or all would end together for ever."""
        shortest, longest = World.settings.resident_length_s
        if self.first:
            self.first = False
            return self.random.uniform(shortest * FIRST_SHARE, longest)
        return self.random.uniform(shortest, longest)


class VisitingPair(_PairUser):
    """Comes for a short session: its client logs in anew each time, its host is at home."""

    kind = "v"

    def on_start(self) -> None:
        World.residents_flow.wait(timeout=VISITORS_WAIT_S)  # first things first: whoever stays needs an account too
        super().on_start()

    @task
    def visit(self) -> None:
        """The next visit that is due: a login, a set-up, a short stay."""
        intended_ns = World.visits.due.get()
        if World.stopping:
            return
        session = Session(World.live, self.pair, "visit", intended_ns)
        try:
            if session.set_up(log_in=True):
                session.last(World.settings.visit_length_s)
        finally:
            self.pair.client.release()


USER_CLASSES: tuple[Any, ...] = (ResidentPair, VisitingPair)

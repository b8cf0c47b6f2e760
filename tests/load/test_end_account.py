"""What a synthetic end does with its signaling socket: it keeps it read, and binds another when it is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from drills.load import signaling
from drills.load.signaling import EndAccount, bound_again
from drills.wavry.errors import Closed, Refused, TimedOut, WireError
from drills.wavry.gateway import TokenRefused

OLD, NEW = "the old token", "a new token"
GONE = Closed("gone")
DEAD_TOKEN = TokenRefused(101, "Invalid Token")


class FakeSocket:
    """A signaling socket whose next receive does what it is told."""

    def __init__(self, receive: Callable[[], object] = lambda: None) -> None:
        self._receive = receive
        self.closed = False

    def receive(self, timeout_s: float) -> object:
        return self._receive()

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeDoor:
    """A gateway that answers each Bind as it is told, one after another, then binds everybody."""

    answers: list[WireError | None] = field(default_factory=list)
    login: WireError | None = None
    presented: list[str] = field(default_factory=list)
    logins: int = 0
    on_bind: Callable[[], None] = lambda: None
    given: list[FakeSocket] = field(default_factory=list)

    def bound(self, token: str) -> Any:
        self.presented.append(token)
        self.on_bind()
        if self.answers and (answer := self.answers.pop(0)) is not None:
            raise answer
        self.given.append(FakeSocket())
        return self.given[-1]

    def logged_in(self, email: str, password: str) -> str:
        self.logins += 1
        if self.login:
            raise self.login
        return NEW


@dataclass
class Life:
    """One end, everything it said, and how long it slept."""

    end: EndAccount
    socket: FakeSocket
    said: list[tuple[str, dict[str, Any]]]
    lost: list[EndAccount]
    slept_s: list[float] = field(default_factory=list)

    def events(self) -> list[str]:
        return [event for event, _ in self.said]

    def bind_again(self, door: FakeDoor, stopping: Callable[[], bool] = lambda: False) -> None:
        bound_again(self.end, door, nullcontext(), stopping)


def closed() -> object:
    raise GONE


@pytest.fixture
def life(monkeypatch: pytest.MonkeyPatch) -> Life:
    """An end that is bound; sleeping takes no time."""
    said: list[tuple[str, dict[str, Any]]] = []
    lost: list[EndAccount] = []
    socket = FakeSocket()
    end = EndAccount("v1c", "v1c@drills.example", "not a secret", OLD, socket,  # type: ignore[arg-type]
                     on_signal=lambda event, **fields: said.append((event, fields)), on_lost=lost.append)  # fmt: skip
    made = Life(end, socket, said, lost)
    monkeypatch.setattr(signaling, "gevent", SimpleNamespace(sleep=made.slept_s.append))
    return made


def lose(life: Life) -> None:
    """The gateway closes the socket, and it is noticed."""
    life.socket._receive = closed
    life.end.keep_up()


def test_a_socket_that_the_gateway_closed_is_given_up_and_told(life: Life) -> None:
    """With when; somebody then sees to another one."""
    lose(life)
    assert life.socket.closed and life.end.socket is None
    ((event, fields),) = life.said
    assert event == "signal.lost"
    assert fields["lost_ns"] == life.end.lost_ns > 0
    assert life.lost == [life.end]


def test_a_visit_that_ends_while_its_idle_socket_is_read_is_no_loss(life: Life) -> None:
    """Its release takes the socket away in the middle of the reading."""

    def released_meanwhile() -> object:
        life.end.release()
        raise Closed("closed by ourselves")

    life.socket._receive = released_meanwhile
    life.end.keep_up()
    assert life.socket.closed and life.end.socket is None
    assert life.events() == ["signal.released"]
    assert life.lost == []


def test_a_socket_that_a_set_up_is_using_is_left_alone(life: Life) -> None:
    """An offer that the set-up waits for must not be read by somebody else."""
    life.end.reading.acquire()
    life.socket._receive = lambda: (_ for _ in ()).throw(AssertionError("read behind the back of a set-up"))
    life.end.keep_up()
    assert life.end.socket is life.socket  # type: ignore[comparison-overlap]


def test_a_lost_end_binds_again_with_its_old_token(life: Life) -> None:
    """A restart of the gateway is no reason to log in."""
    lose(life)
    lost_ns = life.end.lost_ns
    door = FakeDoor([GONE, GONE])
    life.bind_again(door)
    assert door.presented == [OLD] * 3
    assert door.logins == 0
    event, fields = life.said[-1]
    assert event == "signal.rebound"
    assert (fields["tries"], fields["logged_in"], fields["lost_ns"]) == (3, False, lost_ns)
    assert fields["bound_ns"] >= lost_ns
    assert life.end.lost_ns == 0


def test_the_waits_between_tries_grow_and_are_bounded(life: Life) -> None:
    """Never at once, never longer than the most, and not in step with the others."""
    lose(life)
    life.bind_again(FakeDoor([GONE] * 8))
    bounds = [0.25, 0.5, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    assert len(life.slept_s) == len(bounds)
    assert all(0.75 * most <= slept <= 1.25 * most for slept, most in zip(life.slept_s, bounds, strict=True))
    assert len(set(life.slept_s)) == len(bounds)


def test_only_a_refused_token_makes_it_log_in(life: Life) -> None:
    """Once; the new token is the one it has from then on, and both steps are told."""
    lose(life)
    door = FakeDoor([DEAD_TOKEN])
    life.bind_again(door)
    assert (door.presented, door.logins, life.end.token) == ([OLD, NEW], 1, NEW)
    assert life.events() == ["signal.lost", "signal.refused", "signal.rebound"]
    assert life.said[-1][1]["logged_in"]


@pytest.mark.parametrize("answer", [Refused(101, "Token lookup failed"), Refused(503, ""), TimedOut("no answer")])
def test_other_refusals_are_tried_again_with_the_same_token(life: Life, answer: WireError) -> None:
    """A gateway that is full or cannot look a token up has not refused it."""
    lose(life)
    door = FakeDoor([answer])
    life.bind_again(door)
    assert (door.presented, door.logins) == ([OLD, OLD], 0)


def test_a_login_that_came_through_is_not_forgotten_when_the_bind_after_it_fails(life: Life) -> None:
    """The end did have to log in."""
    lose(life)
    life.bind_again(FakeDoor([DEAD_TOKEN, GONE]))
    assert life.said[-1][0] == "signal.rebound"
    assert life.said[-1][1]["logged_in"]


def test_an_end_that_hangs_up_is_not_bound_again(life: Life) -> None:
    """Its visit is over."""
    lose(life)
    life.end.release()
    door = FakeDoor()
    life.bind_again(door)
    assert door.presented == []
    assert life.events() == ["signal.lost", "signal.released"]


def test_an_end_that_hangs_up_in_the_middle_of_a_try_leaves_no_socket_behind(life: Life) -> None:
    """The socket came too late for it."""
    lose(life)
    door = FakeDoor(on_bind=life.end.release)
    life.bind_again(door)
    assert life.end.socket is None
    assert [socket.closed for socket in door.given] == [True]
    assert "signal.rebound" not in life.events()


def test_a_set_up_that_was_first_is_not_doubled(life: Life) -> None:
    """Two sockets of one user would be a fault of our own."""
    lose(life)
    door = FakeDoor()
    life.end.bind(door)
    life.bind_again(door)
    assert door.presented == [OLD]
    assert life.events() == ["signal.lost", "signal.rebound"]


def test_nobody_goes_on_trying_when_the_run_ends(life: Life) -> None:
    """Every loop has an end."""
    lose(life)
    door = FakeDoor([GONE] * 100)
    life.bind_again(door, stopping=lambda: len(door.presented) >= 2)
    assert len(door.presented) == 2


def test_the_first_bind_is_no_return(life: Life) -> None:
    """Nothing was lost before it."""
    life.end.release()
    life.said.clear()
    life.end.bind(FakeDoor())
    ((event, fields),) = life.said
    assert (event, fields["lost_ns"], fields["tries"]) == ("signal.bound", 0, 1)


def test_no_event_holds_a_secret(life: Life) -> None:
    """Names yes, tokens and passwords never."""
    lose(life)
    life.bind_again(FakeDoor([DEAD_TOKEN]))
    assert not any(secret in str(life.said) for secret in (OLD, NEW, "not a secret"))

"""What a synthetic end does with its signaling socket while no set-up is using it."""

from __future__ import annotations

from collections.abc import Callable

from drills.load.pair import EndAccount
from drills.wavry.errors import Closed


class FakeSocket:
    """A signaling socket whose next receive does what it is told."""

    def __init__(self, receive: Callable[[], object]) -> None:
        self._receive = receive
        self.closed = False

    def receive(self, timeout_s: float) -> object:
        return self._receive()

    def close(self) -> None:
        self.closed = True


def account(receive: Callable[[], object]) -> tuple[EndAccount, FakeSocket]:
    socket = FakeSocket(receive)
    return EndAccount("v1c", "v1c@drills.example", "not a secret", socket=socket), socket  # type: ignore[arg-type]


def test_a_socket_that_the_gateway_closed_is_given_up() -> None:
    """The next set-up then binds anew."""

    def closed() -> object:
        raise Closed("gone")

    end, socket = account(closed)
    end.keep_up()
    assert socket.closed and end.socket is None


def test_a_visit_that_ends_while_its_idle_socket_is_read_is_no_error() -> None:
    """Its unbind takes the socket away in the middle of the reading."""

    def unbound_meanwhile() -> object:
        end.socket = None
        raise Closed("closed by ourselves")

    end, socket = account(unbound_meanwhile)
    end.keep_up()
    assert socket.closed and end.socket is None


def test_a_socket_that_a_set_up_is_using_is_left_alone() -> None:
    """An offer that the set-up waits for must not be read by somebody else."""
    end, socket = account(lambda: None)
    end.reading.acquire()
    socket._receive = lambda: (_ for _ in ()).throw(AssertionError("read behind the back of a set-up"))
    end.keep_up()
    assert end.socket is socket

"""What the load does while it is root: addresses for its ends, asked of the kernel, and then nobody's root any more."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.errors import BadInput, CannotRun
from drills.load import privileges
from drills.load.privileges import give_addresses, owned

ADDRESS = bytes((198, 18, 47, 1))


def test_the_message_to_the_kernel_is_laid_out_as_it_reads_it() -> None:
    """nlmsghdr, ifaddrmsg, then the address twice: IFA_LOCAL and IFA_ADDRESS (linux/netlink.h, if_addr.h)."""
    message = privileges._new_address(7, ADDRESS)
    assert len(message) == 40
    length, kind, flags, _sequence, port = struct.unpack_from("=IHHII", message)
    assert (length, kind, flags, port) == (40, 20, 0x405, 0)  # RTM_NEWADDR; REQUEST, ACK and CREATE
    assert struct.unpack_from("=BBBBI", message, 16) == (socket.AF_INET, 32, 0, 0, 7)
    assert struct.unpack_from("=HH4s", message, 24) == (8, 2, ADDRESS)
    assert struct.unpack_from("=HH4s", message, 32) == (8, 1, ADDRESS)
    if sys.byteorder == "little":
        assert message.hex() == ("28000000140005040100000000000000022000000700000008000200c6122f0108000100c6122f01")


def answer(error: int, kind: int = 2) -> bytes:
    """An acknowledgement: the error number negated, and the header that it answers."""
    return struct.pack("=IHHIIi", 36, kind, 0, 1, 0, -error) + bytes(16)


@pytest.mark.parametrize(("answered", "error"), [(answer(0), 0), (answer(1), 1), (answer(17), 17), (answer(5, 20), 0)])
def test_an_acknowledgement_is_a_refusal_with_a_number(answered: bytes, error: int) -> None:
    """0 is consent; what is no acknowledgement refuses nothing."""
    assert privileges._refusal(answered) == error


class FakeKernel:
    """A netlink socket that answers with these error numbers, one after another, then with consent."""

    def __init__(self, errors: list[int]) -> None:
        self.errors, self.given = iter(errors), list[bytes]()

    def opened(self, *_: object) -> FakeKernel:
        """In place of ``socket.socket``."""
        return self

    def __enter__(self) -> FakeKernel:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def settimeout(self, seconds: float) -> None:
        self.bound_s = seconds

    def send(self, message: bytes) -> None:
        self.given.append(message[-4:])

    def recv(self, _: int) -> bytes:
        return answer(next(self.errors, 0))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> FakeKernel:
    """A kernel in memory, with one interface beside loopback."""
    kernel = FakeKernel(getattr(request, "param", []))
    monkeypatch.setattr(privileges.socket, "socket", kernel.opened)
    monkeypatch.setattr(privileges.socket, "if_nameindex", lambda: [(1, "lo"), (7, "eth0")])
    return kernel


@pytest.mark.parametrize("kernel", [[], [0, 17, 17]], indirect=True)
def test_every_address_is_asked_for_and_those_that_are_there_may_be(kernel: FakeKernel) -> None:
    """Over the end of a byte too; each wait has a bound."""
    give_addresses("198.18.47.254", 4)
    assert [".".join(map(str, one)) for one in kernel.given] == [
        "198.18.47.254", "198.18.47.255", "198.18.48.0", "198.18.48.1"
    ]  # fmt: skip
    assert kernel.bound_s == 5.0


@pytest.mark.parametrize("kernel", [[0, 1]], indirect=True)
def test_an_address_that_is_refused_is_named(kernel: FakeKernel) -> None:
    """With the kernel's own words."""
    with pytest.raises(CannotRun, match=r"198\.18\.47\.2 cannot be given to the load: Operation not permitted"):
        give_addresses("198.18.47.1", 3)
    assert len(kernel.given) == 2


def test_loopback_addresses_need_not_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of 127.0.0.0/8 is there: no socket is opened, no privilege needed."""

    def opened(*_: object) -> None:
        raise AssertionError("the kernel was asked")

    monkeypatch.setattr(privileges.socket, "socket", opened)
    give_addresses("127.20.32.0", 4096)


def test_a_load_without_a_network_says_so(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is none."""
    monkeypatch.setattr(privileges.socket, "if_nameindex", lambda: [(1, "lo")])
    with pytest.raises(CannotRun, match="no network interface"):
        give_addresses("198.18.47.1", 1)


class FakeProcess:
    """A process whose user can be changed, each step noted."""

    def __init__(self, uid: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[tuple[str, object]] = []
        monkeypatch.setattr(privileges.os, "getuid", lambda: uid)
        for name in ("setgroups", "setgid", "setuid"):
            monkeypatch.setattr(privileges.os, name, lambda value, name=name: self.steps.append((name, value)))


@pytest.fixture(autouse=True)
def nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever stands in the environment of whoever runs the tests."""
    monkeypatch.delenv("DRILLS_OWNER", raising=False)
    yield


def test_root_becomes_the_owner_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups, then the group, and the user last: after that nothing could be changed any more."""
    process = FakeProcess(0, monkeypatch)
    monkeypatch.setenv("DRILLS_OWNER", "1000:100")
    owned()
    assert process.steps == [("setgroups", []), ("setgid", 100), ("setuid", 1000)]


@pytest.mark.parametrize(("uid", "owner"), [(0, None), (0, ""), (0, "0:0"), (1000, "1000:1000"), (1000, "7:7")])
def test_there_is_nothing_to_do_for_whoever_is_no_root_or_stays_it(
    monkeypatch: pytest.MonkeyPatch, uid: int, owner: str | None
) -> None:
    """By hand as root, and on the process stage, where the process is its owner's already."""
    process = FakeProcess(uid, monkeypatch)
    if owner is not None:
        monkeypatch.setenv("DRILLS_OWNER", owner)
    owned()
    assert process.steps == []


@pytest.mark.parametrize(
    "text", ["me", "1000", "1000:", ":1000", "1000:1000:1000", "-1:0", "1 000:0", "0:0\n", "9" * 11 + ":0"]
)
def test_an_owner_that_is_none_is_bad_input(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Rather than root writing into somebody's folder."""
    process = FakeProcess(0, monkeypatch)
    monkeypatch.setenv("DRILLS_OWNER", text)
    with pytest.raises(BadInput, match=r"DRILLS_OWNER: found .*, expected uid:gid"):
        owned()
    assert process.steps == []


def test_the_worker_gives_up_root_only_after_its_addresses_are_there() -> None:
    """In this order, and before anything is written into the run's folder."""
    source = (Path(privileges.__file__).parent / "worker.py").read_text()
    main = source[source.index("def main()") :]
    order = [main.index(word) for word in ("give_addresses(", "owned()", "made_world(settings")]
    assert order == sorted(order)

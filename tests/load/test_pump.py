"""The pump: open-loop, honest about what it did not send, deaf to strangers; on sockets of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import gevent
import pytest

from drills.load import pump as pump_module
from drills.load.pump import OVERDUE_NS, Media, Pump, client_end, host_end
from drills.load.samples import FRAME, INPUT, Samples
from drills.wavry import packets

SESSION = UUID(int=3)
MS = 1_000_000


class FakeTime:
    """The monotonic clock, standing still until a test moves it."""

    def __init__(self) -> None:
        self.ns = 5_000 * MS

    def monotonic_ns(self) -> int:
        return self.ns

    def monotonic(self) -> float:
        return self.ns / 1e9


class Flow:
    """One session whose ends send straight to each other, and the columns of what was sent."""

    def __init__(self, clock: FakeTime) -> None:
        self.clock = clock
        self.gaps: list[tuple[int, int]] = []
        self.samples = Samples(None, "worker-0")
        self.pump = Pump(self.samples, lambda from_ns, to_ns: self.gaps.append((from_ns, to_ns)))
        self.media = Media(9, client_end("127.0.0.1"), host_end("127.0.0.1"))
        for end in (self.media.client, self.media.host):
            self.pump.add(end)
        self.pump.point(self.media.client, self.media.host.sock.getsockname(), SESSION)
        self.pump.point(self.media.host, self.media.client.sock.getsockname(), SESSION)
        self.began_ns = clock.ns

    def pass_ms(self, *steps: float) -> None:
        """Let time pass in these steps; after each, the pump has its turn."""
        for step in steps:
            self.clock.ns += int(step * MS)
            self.pump._send_due()
            self.pump._read_all()

    def column(self, name: str, direction: int) -> list[int]:
        """A column of the samples, of one direction."""
        columns = self.samples._columns
        return [value for value, way in zip(columns[name], columns["direction"], strict=True) if way == direction]

    def close(self) -> None:
        """Give the sockets back."""
        for end in (self.media.client, self.media.host):
            self.pump.remove(end)
        self.pump._epoll.close()


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    """A session at 100 inputs and 50 frames a second, its clock in the test's hands."""
    clock = FakeTime()
    monkeypatch.setattr(pump_module, "time", clock)
    flow = Flow(clock)
    flow.pump.start(flow.media, inputs_per_s=100, frames_per_s=50)
    yield flow
    flow.close()


def intended_ms(flow: Flow, direction: int) -> list[float]:
    """When sends were due, from the beginning."""
    return [(ns - flow.began_ns) / MS for ns in flow.column("intended_ns", direction)]


def test_sends_are_due_at_a_steady_beat(flow: Flow) -> None:
    """Inputs from the first moment, frames half a beat later."""
    flow.pass_ms(*[1] * 45)
    assert intended_ms(flow, INPUT) == [0, 10, 20, 30, 40]
    assert intended_ms(flow, FRAME) == [10, 30]


def test_a_late_turn_does_not_move_what_is_due(flow: Flow) -> None:
    """Open-loop: what was due while we stood still keeps its time, and shows how late it was."""
    flow.pass_ms(1, 36, 3, 20)
    assert intended_ms(flow, INPUT) == [0, 10, 20, 30, 40, 50, 60]
    sent_ms = [(ns - flow.began_ns) / MS for ns in flow.column("sent_ns", INPUT)]
    assert sent_ms == [1, 37, 37, 37, 40, 60, 60]


def test_what_is_long_overdue_is_recorded_and_not_sent(flow: Flow) -> None:
    """A generator that catches up in a burst would break the system under test by itself."""
    flow.pass_ms(1, 150)
    due, sent, heard = intended_ms(flow, INPUT), flow.column("sent_ns", INPUT), flow.column("received_ns", INPUT)
    assert due == [0, *range(10, 160, 10)]
    skipped = [ms for ms, ns in zip(due, sent, strict=True) if ns == 0]
    assert skipped == [10, 20, 30, 40, 50]
    assert all(151 - ms > OVERDUE_NS / MS for ms in skipped)
    assert [ms for ms, ns in zip(due, heard, strict=True) if ns == 0] == skipped
    assert flow.pump.skipped == len(skipped) + flow.column("sent_ns", FRAME).count(0)


def test_each_packet_is_heard_by_the_other_end(flow: Flow) -> None:
    """With its own row, so that loss is known packet by packet."""
    flow.pass_ms(*[1] * 30)
    for direction in (INPUT, FRAME):
        assert all(flow.column("received_ns", direction))
        assert set(flow.column("copies", direction)) == {1}
    assert flow.media.heard_both_ways()


def test_a_packet_that_is_not_as_it_was_sent_is_noted_and_not_heard(flow: Flow) -> None:
    """Whichever byte is another: of the header, the number, the row, what it shows, or one too many."""
    odd: list[tuple[str, dict[str, object]]] = []
    flow.pump.on_odd = lambda event, facts: odd.append((event, facts))
    flow.pass_ms(1)
    client, host = flow.media.client, flow.media.host
    whole = client.header + pump_module._BODY.pack(1, 0, -1)
    assert flow.column("copies", INPUT) == [1]
    for place in (3, 5, len(client.header) + 7, len(client.header) + 15, len(whole) - 1):
        flow.pump._received(host, whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    flow.pump._received(host, whole + b"x")
    assert (flow.pump.altered, [event for event, _ in odd]) == (6, ["packet.altered"] * 6)
    assert flow.column("copies", INPUT) == [1]
    flow.pump._received(host, whole)
    assert flow.column("copies", INPUT) == [2]


def test_a_packet_by_way_of_a_lease_that_was_left_long_ago_is_noted(flow: Flow) -> None:
    """One that was on its way when the session moved is heard like any other."""
    odd: list[tuple[str, dict[str, object]]] = []
    flow.pump.on_odd = lambda event, facts: odd.append((event, facts))
    flow.pass_ms(1)
    before = flow.media.client.header + pump_module._BODY.pack(1, 0, -1)
    for end in (flow.media.client, flow.media.host):
        flow.pump.point(end, end.relay, UUID(int=4))
    left_ns = flow.clock.ns
    flow.clock.ns += 900 * MS
    flow.pump._received(flow.media.host, before)
    assert odd == []
    flow.clock.ns += 200 * MS
    flow.pump._received(flow.media.host, before)
    assert odd == [("packet.stray", {"session": 9, "left_ns": left_ns, "heard_ns": left_ns + 1_100 * MS})]
    assert (flow.pump.strays, flow.column("copies", INPUT)) == (1, [3])


def test_a_frame_names_the_newest_input_that_it_shows(flow: Flow) -> None:
    """That is how the client knows input-to-present; an input itself shows nothing."""
    flow.pass_ms(*[1] * 35)
    assert flow.column("shows", FRAME) == [1, 3]
    assert set(flow.column("shows", INPUT)) == {-1}


def test_a_packet_that_comes_twice_is_counted_twice(flow: Flow) -> None:
    """Duplicates are loss's twin."""
    flow.pass_ms(1)
    datagram = packets.forward(SESSION, 1, pump_module._BODY.pack(1, 0, -1)[8:])
    flow.pump._send(flow.media.client, datagram, flow.media.client.relay)
    flow.pump._read_all()
    assert flow.column("copies", INPUT)[0] == 2


def test_strangers_datagrams_are_no_samples(flow: Flow) -> None:
    """Too short, or not a packet of ours: nothing is counted and nothing breaks."""
    for datagram in (b"", b"short", bytes(packets.HEADER_BYTES), packets.forward(SESSION, 1, b"")):
        flow.pump._send(flow.media.client, datagram, flow.media.client.relay)
    flow.pump._read_all()
    assert flow.media.host.last_received_ns == 0


def test_a_session_that_ended_sends_no_more(flow: Flow) -> None:
    """Its beats run out."""
    flow.pass_ms(1)
    flow.media.flowing = False
    flow.pass_ms(*[1] * 50)
    assert intended_ms(flow, INPUT) == [0]
    assert flow.pump._due == []


def test_numbering_goes_on_at_another_relay(flow: Flow) -> None:
    """A new lease is no new session to those who count (contract 4.9)."""
    flow.pass_ms(1, 10)
    flow.pump.point(flow.media.client, flow.media.host.sock.getsockname(), UUID(int=4))
    flow.pass_ms(10)
    assert flow.column("sequence", INPUT) == [1, 2, 3]


def test_an_end_that_is_removed_twice_is_removed_once(flow: Flow) -> None:
    """A set-up that failed and the end of a session may both do it."""
    flow.pump.remove(flow.media.client)
    flow.pump.remove(flow.media.client)
    flow.pass_ms(10)


def test_silence_is_the_answer_of_a_relay_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many tries of so long each, never for ever."""
    flow = Flow(FakeTime())
    try:
        relay = flow.media.host.sock.getsockname()
        first_ns, reply, answered_ns = flow.pump.exchange(
            flow.media.client, packets.renew(SESSION), relay, tries=2, wait_s=0.01, session=SESSION
        )
        assert (reply, answered_ns) == (None, 0)
        assert first_ns > 0
        assert len(flow.media.host.sock.recv(100)) == len(flow.media.host.sock.recv(100))
        with pytest.raises(BlockingIOError):
            flow.media.host.sock.recv(100)
    finally:
        flow.close()


def test_an_answer_for_another_session_is_passed_over() -> None:
    """A late answer to an earlier lease must not pass for this one's."""
    flow = Flow(FakeTime())
    try:
        other, ours = (b"\0" * 4 + UUID(int=number).bytes for number in (4, 3))
        sends = []

        def answering(end: object, datagram: bytes, relay: object) -> bool:
            sends.append(datagram)
            flow.media.client.replies.put((1, other))
            flow.media.client.replies.put((2, ours))
            return True

        flow.pump._send = answering  # type: ignore[method-assign]
        answer = flow.pump.exchange(
            flow.media.client, b"present", ("127.0.0.1", 9), tries=6, wait_s=1.0, session=SESSION
        )
        assert answer[1:] == (ours, 2)
        assert len(sends) == 1
    finally:
        flow.close()


def test_what_the_kernel_does_not_take_counts_as_not_sent(flow: Flow) -> None:
    """Our own full buffer is no loss of the system under test."""
    flow.pump._send = lambda end, datagram, relay: False  # type: ignore[method-assign]
    flow.pass_ms(1)
    assert flow.column("sent_ns", INPUT) == [0]
    assert flow.pump.skipped == 1


def test_a_burst_for_one_end_is_read_to_its_end(flow: Flow) -> None:
    """What a relay held back and then lets go arrives at once."""
    flow.pass_ms(1)
    for _ in range(40):
        datagram = packets.forward(SESSION, 1, pump_module._BODY.pack(1, 0, -1)[8:])
        flow.pump._send(flow.media.client, datagram, flow.media.client.relay)
    flow.pump._read_all()
    assert flow.column("copies", INPUT)[0] == 41


def test_the_loop_runs_until_it_is_told_to_stop() -> None:
    """On the real clock: packets flow both ways while somebody else waits for them."""
    flow = Flow(FakeTime())
    try:
        flow.pump.start(flow.media, inputs_per_s=1000, frames_per_s=1000)
        loop = gevent.spawn(flow.pump.run)
        with gevent.Timeout(10):
            while not flow.media.heard_both_ways():
                gevent.sleep(0)
            flow.pump.stop()
            loop.join()
        assert loop.successful()
    finally:
        flow.close()

"""Each row of contract-master-relay.md §4.3 and §4.6, with the counters it moves."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

import pytest

from drills.reference.relay.pipeline import Limits
from drills.wavry import packets
from drills.wavry.packets import Ack, Reject
from tests.reference.relay_bench import CLIENT, HOST, SESSION, STRANGER, Bench, paired

FORWARD = packets.forward(SESSION, 1, b"hello")


def test_a_datagram_goes_unchanged_to_the_other_peer() -> None:
    """Both directions, flags included; the counters count header and payload."""
    bench = paired()
    flagged = FORWARD[:3] + b"\x7f" + FORWARD[4:]
    assert bench.arrives(flagged, CLIENT) == (flagged, HOST)
    assert bench.arrives(flagged, HOST) == (flagged, CLIENT)
    assert bench.moved() == {"packets_forwarded": 2, "bytes_forwarded": 2 * len(FORWARD)}


def test_everything_read_is_counted() -> None:
    """`packets_rx` and `bytes_rx` move before anything is looked at; bytes at most 1500 a datagram."""
    bench = Bench()
    bench.arrives(b"x" * 10, STRANGER)
    bench.arrives(b"x" * 1501, STRANGER)
    counters = asdict(bench.pipeline.counters)
    assert (counters["packets_rx"], counters["bytes_rx"]) == (2, 1510)


def test_an_overlong_datagram_is_invalid() -> None:
    """1501 bytes are dropped, 1500 pass (D-36)."""
    bench = paired()
    assert bench.arrives(packets.forward(SESSION, 1, bytes(1473)), CLIENT) is None
    assert bench.moved() == {"dropped_packets": 1, "invalid_packets": 1}
    assert bench.forwards(2, body=bytes(1472))


@pytest.mark.parametrize(
    "datagram",
    [
        FORWARD[:19],
        b"\x00" + FORWARD[1:],
        b"\x57\x02" + FORWARD[2:],
        b"\x57\x01\x05" + FORWARD[3:],
        packets.renew(UUID(int=0)),
        packets.ack(SESSION, 1, 2, 3),
        packets.reject(SESSION, Reject.BANNED),
    ],
)
def test_a_malformed_datagram_is_dropped_in_silence(datagram: bytes) -> None:
    """Step 2: short, wrong magic, version or type, nil session; step 5: ACK and REJECT."""
    bench = paired()
    assert bench.arrives(datagram, CLIENT) is None
    assert bench.moved() == {"dropped_packets": 1, "invalid_packets": 1}


def test_malformed_datagrams_are_not_charged_to_the_address() -> None:
    """Step 2 comes before the limit of step 3."""
    bench = Bench(Limits(address_pps=1))
    for _ in range(5):
        bench.arrives(b"junk", CLIENT)
    assert isinstance(bench.presents(), Ack)


def test_an_address_over_its_limit_is_refused() -> None:
    """Step 3: all ports of an address share the window; PRESENT and RENEW are answered, FORWARD is not."""
    bench = Bench(Limits(address_pps=2))
    bench.arrives(FORWARD, CLIENT)
    bench.arrives(FORWARD, (CLIENT[0], 1))
    bench.moved()
    assert bench.arrives(FORWARD, CLIENT) is None
    assert bench.moved() == {"dropped_packets": 1, "rate_limited_packets": 1}
    assert bench.presents() is Reject.RATE_LIMITED
    assert bench.renews(CLIENT) is Reject.RATE_LIMITED
    assert bench.moved() == {"dropped_packets": 2, "rate_limited_packets": 2}
    assert isinstance(bench.presents("server"), Ack)


def test_the_address_window_reopens_after_more_than_a_second() -> None:
    """At exactly one second the window still stands."""
    bench = Bench(Limits(address_pps=1))
    bench.presents()
    assert bench.after(1.0).presents() is Reject.RATE_LIMITED
    assert isinstance(bench.after(0.001).presents(), Ack)


def test_new_sessions_are_shed_at_the_threshold() -> None:
    """Step 4: an unknown session is refused before its token is looked at; a known one is not."""
    bench = Bench(Limits(sessions_max=4, shed_percent=50))
    for number in (1, 2):
        assert isinstance(bench.presents(session=UUID(int=number)), Ack)
    bench.moved()
    assert bench.answer(packets.present(UUID(int=3), "client", "garbage"), CLIENT) is Reject.SESSION_FULL
    assert bench.moved() == {"dropped_packets": 1, "overload_shed_packets": 1}
    assert isinstance(bench.presents("server", session=UUID(int=2)), Ack)


@pytest.mark.parametrize(
    ("sessions_max", "percent", "threshold"),
    [(100, 95, 95), (20, 95, 19), (1, 95, 1), (0, 95, 1), (10, 7, 5), (10, 250, 10)],
)
def test_the_threshold_is_a_clamped_share(sessions_max: int, percent: int, threshold: int) -> None:
    """max(1, floor(n · pct / 100)), pct clamped to 50 … 100."""
    assert Bench(Limits(sessions_max=sessions_max, shed_percent=percent)).pipeline.pool.threshold == threshold


def test_a_full_queue_drops_and_counts() -> None:
    """Step 1: what does not fit the queue is dropped, and what waits is still processed."""
    bench = Bench(Limits(queue_capacity=64))
    for _ in range(65):
        bench.pipeline.arrive(FORWARD, CLIENT)
    assert bench.moved() == {"dropped_packets": 1, "backpressure_dropped_packets": 1}
    assert bench.pipeline.waiting == 64


def test_an_unknown_session_is_not_forwarded() -> None:
    """The first row of 4.6."""
    bench = Bench()
    assert not bench.forwards(1)
    assert bench.moved() == {"dropped_packets": 1, "session_not_found_packets": 1}


def test_a_half_open_session_is_not_forwarded() -> None:
    """One peer is not enough."""
    bench = Bench()
    bench.presents()
    bench.moved()
    assert not bench.forwards(1)
    assert bench.moved() == {"dropped_packets": 1, "session_not_active_packets": 1}


def test_a_lapsed_session_is_not_forwarded() -> None:
    """The lease ends at 300 s, whatever flows."""
    bench = paired()
    assert bench.after(299.9).forwards(1)
    bench.moved()
    assert not bench.after(0.1).forwards(2)
    assert bench.moved() == {"dropped_packets": 1, "session_not_active_packets": 1}


def test_a_stranger_is_not_forwarded() -> None:
    """A source that is neither peer's address, port included."""
    bench = paired()
    assert not bench.forwards(1, STRANGER)
    assert not bench.forwards(1, (CLIENT[0], 1))
    assert bench.moved() == {"dropped_packets": 2, "unknown_peer_packets": 2}


def test_both_roles_at_one_address_are_the_client() -> None:
    """The client's slot is compared first, so everything goes to the host."""
    bench = Bench()
    bench.presents("client", CLIENT)
    bench.presents("server", CLIENT)
    assert bench.arrives(FORWARD, CLIENT) == (FORWARD, CLIENT)
    assert not bench.forwards(1)


@pytest.mark.parametrize("payload", [b"", b"1234567", b"RI" + bytes(30)])
def test_a_payload_without_a_sequence_is_invalid(payload: bytes) -> None:
    """Shorter than eight bytes, or RIFT with a wrong header."""
    bench = paired()
    assert bench.arrives(packets.header_of(packets.FORWARD, SESSION.bytes) + payload, CLIENT) is None
    assert bench.moved() == {"dropped_packets": 1, "invalid_packets": 1}


def test_a_rift_payload_passes_by_its_packet_id() -> None:
    """A RIFT packet and an opaque one with the same number are the same to the window."""
    bench = paired()
    rift = packets.header_of(packets.FORWARD, SESSION.bytes) + packets.rift_transport(1, 42) + b"\xde\xad"
    assert bench.arrives(rift, CLIENT) == (rift, HOST)
    assert not bench.forwards(42)
    assert bench.moved()["replay_dropped_packets"] == 1


def test_a_repeated_number_is_dropped() -> None:
    """Each direction has a window of its own."""
    bench = paired()
    assert [bench.forwards(7), bench.forwards(7), bench.forwards(7, HOST)] == [True, False, True]
    moved = bench.moved()
    assert (moved["dropped_packets"], moved["replay_dropped_packets"]) == (1, 1)


def test_a_rate_limited_number_is_used_up() -> None:
    """The window is asked before the bandwidth (4.6)."""
    bench = Bench()
    for role in ("client", "server"):
        bench.presents(role, soft_kbps=1, hard_kbps=1)
    sent = 0
    while bench.forwards(sent, body=bytes(1400)):
        sent += 1
    moved = bench.moved()
    assert (moved["dropped_packets"], moved["rate_limited_packets"]) == (1, 1)
    assert not bench.after(5).forwards(sent)
    assert bench.moved() == {"dropped_packets": 1, "replay_dropped_packets": 1}


def test_a_failed_send_is_only_a_drop() -> None:
    """Send errors move `dropped_packets` alone."""
    bench = paired()
    bench.pipeline.arrive(FORWARD, CLIENT)
    assert bench.pipeline.next_outgoing(bench.now, bench.unix_s) is not None
    bench.pipeline.unsent()
    assert bench.moved() == {"dropped_packets": 1}


def test_every_datagram_is_forwarded_dropped_or_acknowledged() -> None:
    """The identity of contract §7.2: rx = forwarded + dropped + acknowledged."""
    bench = Bench()
    acknowledged = sum(isinstance(bench.presents(role), Ack) for role in ("client", "server", "client"))
    for number in (1, 1, 2, 300, 5):
        bench.forwards(number)
    acknowledged += isinstance(bench.renews(HOST), Ack)
    assert bench.renews(STRANGER) is Reject.INVALID_SIGNATURE
    counters = bench.pipeline.counters
    assert counters.packets_rx == counters.packets_forwarded + counters.dropped_packets + acknowledged


# Defects, each beside its sound twin


def test_the_sound_relay_drops_none_of_a_hundred() -> None:
    """Sound twin of relay_drops_one_in_fifty."""
    bench = paired()
    assert all(bench.forwards(number) for number in range(100))


def test_relay_drops_one_in_fifty_and_counts_it_as_sent() -> None:
    """Every fiftieth FORWARD is missing, and no counter tells."""
    bench = paired(defects="relay_drops_one_in_fifty")
    assert [number for number in range(1, 101) if not bench.forwards(number)] == [50, 100]
    moved = bench.moved()
    assert moved["packets_forwarded"] == 100 and "dropped_packets" not in moved


def test_relay_goes_deaf_for_a_while_in_every_six_seconds_and_counts_it_as_sent() -> None:
    """A FORWARD in the deaf stretch is missing, one after it is not, and no counter tells."""
    bench = paired(defects="relay_goes_deaf")
    bench.after(6.0 - bench.now % 6.0)  # the beginning of a deaf stretch
    heard = []
    for number, passed in enumerate((0.0, 1.1, 0.2, 4.6, 0.2), start=1):
        bench.after(passed)
        heard.append(bench.forwards(number))
    assert heard == [False, False, True, True, False]
    assert bench.moved()["packets_forwarded"] == 5


def test_the_sound_relay_is_never_deaf() -> None:
    """Sound twin of relay_goes_deaf."""
    bench = paired()
    bench.after(6.0 - bench.now % 6.0)
    for number, passed in enumerate((0.0, 1.1, 0.2), start=1):
        assert bench.after(passed).forwards(number)

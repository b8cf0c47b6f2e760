"""What a link does with its packets, by fates written down or drawn, without sockets and with time as an argument."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from drills.udp_proxy import held as held_module
from drills.udp_proxy.counts import Counts, OwnLosses
from drills.udp_proxy.fates import DROP, PASS, Decide, Fate
from drills.udp_proxy.held import Held
from drills.udp_proxy.link import Link
from drills.udp_proxy.toxic import Stage, Toxic, stages
from drills.udp_proxy.toxics.changes import Corrupt, Duplicate
from drills.udp_proxy.toxics.delays import MS, Bandwidth, Latency, Reorder
from drills.udp_proxy.toxics.losses import BurstyLoss, Loss
from drills.udp_proxy.toxics.table import Attributes
from tests.udp_proxy.decisions import FEWER, as_asked


class Way:
    """A link with its end in memory and a clock of its own."""

    def __init__(self, *toxics: Attributes, seed: int = 0) -> None:
        self.held, self.losses, self.now_ns, self.rebound = Held(), OwnLosses(), 0, 0
        self.out: list[tuple[float, bytes]] = []
        self.link = Link(self._sent, self.held, Counts(), self.losses, self._rebind)
        self.seed = seed
        self.toxics = [Toxic(f"toxic{i}", "", "upstream", 1.0, one, i) for i, one in enumerate(toxics)]
        self.refit(self.toxics)

    def _sent(self, payload: bytes) -> None:
        self.out.append((self.now_ns / MS, payload))

    def _rebind(self) -> None:
        self.rebound += 1

    def refit(self, toxics: list[Toxic]) -> None:
        """Other toxics."""
        self.held.hasten(self.link.refit(stages(toxics, self.link.stages, self.seed, "path", 0)), self.now_ns)

    def scripted(self, *deciders: Decide) -> None:
        """Stages that decide what a test has written down."""
        self.link.refit([Stage(i, one, Toxic("", "", "", 1.0, Loss(0.0), i)) for i, one in enumerate(deciders)])

    def at(self, ms: float, *payloads: bytes) -> None:
        """What is due by now goes on, then these arrive."""
        while (due := self.held.due_ns()) is not None and due <= ms * MS:
            self.now_ns = due
            self.held.release(due)
        self.now_ns = round(ms * MS)
        for payload in payloads:
            self.link.take(payload, self.now_ns)

    @property
    def payloads(self) -> list[bytes]:
        """What came out, in order."""
        return [payload for _, payload in self.out]


def only(number: int, fate: Fate) -> Callable[[int, int, int], Fate]:
    """This fate for the packet of this number, none for others."""
    return lambda asked, size, now_ns: fate if asked == number else PASS


def numbered(count: int) -> list[bytes]:
    """Packets that can be told apart."""
    return [b"%06d" % number for number in range(count)]


def test_without_toxics_everything_goes_on_at_once() -> None:
    """And is counted."""
    way = Way()
    way.at(1, b"one", b"two")
    assert way.out == [(1, b"one"), (1, b"two")]
    assert (way.link.counts.received_packets, way.link.counts.received_bytes) == (2, 6)


def test_a_held_packet_goes_on_when_it_is_due() -> None:
    """Not before."""
    way = Way(Latency(20))
    way.at(0, b"one")
    way.at(19.999)
    assert way.out == []
    way.at(20)
    assert way.out == [(20, b"one")]


def test_delays_of_several_toxics_add_up() -> None:
    """Each begins where the one before it ended, not where the loop came to it."""
    way = Way(Latency(20), Bandwidth(rate=1), Latency(5))
    way.at(0, b"x" * 10)
    way.at(100)
    assert way.out == [(35, b"x" * 10)]


def test_a_dropped_packet_meets_no_further_toxic() -> None:
    """What counts there are those that come so far."""
    way, seen = Way(), []
    way.scripted(only(0, DROP), lambda number, size, now_ns: seen.append(number) or PASS)
    way.at(0, b"one", b"two")
    assert (way.payloads, seen) == ([b"two"], [1])


def test_a_copy_follows_right_behind_its_original_with_a_fate_of_its_own() -> None:
    """Of 1000 packets that come twice, a loss of a half behind takes some once, some twice, some never."""
    way = Way(Duplicate(1.0), Loss(0.5))
    packets = numbered(1000)
    way.at(0, *packets)
    times = [way.payloads.count(packet) for packet in packets]
    assert way.payloads == sorted(way.payloads)
    assert {*times} == {0, 1, 2}
    assert 400 < times.count(1) < 600


@pytest.mark.parametrize("depth", [1, 3])
def test_a_packet_that_is_held_back_follows_those_it_waits_for(depth: int) -> None:
    """Right behind the last of them."""
    way = Way()
    way.scripted(only(1, Fate(overtaken_by=depth, delay_ns=100 * MS)))
    way.at(0, *numbered(6))
    order = [0, *range(2, 2 + depth), 1, *range(2 + depth, 6)]
    assert way.payloads == [b"%06d" % number for number in order]
    way.at(200)
    assert len(way.payloads) == 6


def test_a_packet_that_nobody_overtakes_goes_on_in_the_end() -> None:
    """After its longest wait."""
    way = Way()
    way.scripted(only(1, Fate(overtaken_by=5, delay_ns=100 * MS)))
    way.at(0, *numbered(3))
    way.at(100)
    assert way.out[-1] == (100, b"000001")
    way.at(101, *numbered(20))
    assert len(way.out) == 23


@pytest.mark.parametrize("seed", range(10))
def test_reordered_packets_are_as_many_and_as_far_off_as_configured(seed: int) -> None:
    """What comes out late, told by what came out before it: as many as asked for, each overtaken by two."""
    way = Way(Reorder(0.02, depth=2), seed=seed)
    packets = numbered(FEWER)
    way.at(0, *packets)
    way.at(1000)
    highest, extents = -1, []
    order = [int(payload) for payload in way.payloads]
    for place, number in enumerate(order):
        if number < highest:
            extents.append(sum(before > number for before in order[max(0, place - 10) : place]))
        highest = max(highest, number)
    assert sorted(order) == [*range(FEWER)]
    assert as_asked(len(extents), FEWER, 0.02)
    assert extents.count(2) / len(extents) > 0.95  # the others met one that was held back as well
    assert min(extents) >= 1


def test_a_corrupted_packet_differs_in_as_many_bits_as_configured() -> None:
    """And in nothing else."""
    way = Way(Corrupt(1.0, bits=5))
    way.at(0, b"\x00" * 100)
    (_, payload) = way.out[0]
    assert (len(payload), sum(byte.bit_count() for byte in payload)) == (100, 5)


def test_a_rebind_comes_before_the_packet_goes_on() -> None:
    """It is the first from the new port."""
    way = Way()
    way.scripted(only(1, Fate(rebound=True)))
    way.at(0, b"one", b"two")
    assert (way.rebound, len(way.out)) == (1, 2)


def test_what_a_removed_toxic_holds_goes_on_at_once_and_in_order() -> None:
    """Healing a path is not to reorder it."""
    way = Way(Latency(500), Latency(20))
    way.at(0, b"one")
    way.at(1, b"two")
    way.at(2)
    way.refit(way.toxics[1:])
    way.at(2, b"three")
    way.at(22)
    assert way.payloads == [b"one", b"two", b"three"]
    assert way.held.due_ns() is None


def test_what_another_toxic_holds_stays_held_when_one_is_removed() -> None:
    """Only the fault that was healed is over."""
    way = Way(Loss(0.0), Latency(20))
    way.at(0, b"one")
    way.refit(way.toxics[1:])
    way.at(19)
    assert way.out == []
    way.at(20)
    assert way.payloads == [b"one"]


def test_more_than_can_be_held_is_lost_by_us_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded; a loss that nobody asked for is written down."""
    monkeypatch.setattr(held_module, "BYTES_MAX", 1000)
    way = Way(Latency(20))
    way.at(0, *numbered(100))
    way.at(20)
    assert way.losses.held == 100 - len(way.out) > 0
    way.at(40, b"again")
    way.at(60)
    assert way.out[-1] == (60, b"again")


def test_packets_of_a_link_that_is_gone_go_nowhere() -> None:
    """Those of others do."""
    way, other = Way(Latency(20)), Way()
    other.held = way.held
    other.link = Link(other._sent, way.held, Counts(), OwnLosses(), other._rebind)
    other.refit([Toxic("slow", "", "upstream", 1.0, Latency(20), 0)])
    way.at(0, b"gone")
    other.at(0, b"stays")
    way.held.forget({way.link})
    other.at(20)
    assert (way.out, other.payloads) == ([], [b"stays"])


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_takes_the_same_decisions_whatever_the_timing(seed: int) -> None:
    """Bursts of packets or one by one, early or late: the same packets are lost, come twice, have the same bits
    flipped."""
    packets, chance = numbered(2000), random.Random(seed)
    toxics: list[Attributes] = [BurstyLoss(0.02, 0.25), Latency(20, 10, "normal", "free"), Duplicate(0.1), Loss(0.05),
                                Corrupt(0.05)]  # fmt: skip
    together, apart = Way(*toxics, seed=seed), Way(*toxics, seed=seed)
    together.at(0, *packets)
    for number, packet in enumerate(packets):
        apart.at(number + chance.random(), packet)
    for way in (together, apart):
        way.at(10_000)
    assert sorted(together.payloads) == sorted(apart.payloads)
    assert together.payloads != packets
    other = Way(*toxics, seed=seed + 100)
    other.at(0, *packets)
    other.at(10_000)
    assert sorted(other.payloads) != sorted(together.payloads)


@pytest.mark.parametrize("toxicity", [0.0, 0.3, 1.0])
def test_toxicity_is_the_share_of_flows_that_a_toxic_acts_on(toxicity: float) -> None:
    """The same ones every time; within four standard deviations of 1000 flows."""

    def hit(flow: int) -> bool:
        toxic = Toxic("loss", "loss", "upstream", toxicity, Loss(1.0), 0)
        return bool(stages([toxic], [], 5, "path", flow))

    found = [hit(flow) for flow in range(1000)]
    assert abs(sum(found) - 1000 * toxicity) <= 4 * (1000 * toxicity * (1 - toxicity)) ** 0.5
    assert found == [hit(flow) for flow in range(1000)]


def test_a_toxic_that_stays_keeps_its_memory_when_others_come_and_go() -> None:
    """A busy line is still busy."""
    way = Way(Bandwidth(rate=1))
    way.at(0, b"x" * 100)
    way.refit([*way.toxics, Toxic("more", "", "upstream", 1.0, Loss(0.0), 9)])
    way.at(0, b"y" * 100)
    way.at(150)
    assert way.payloads == [b"x" * 100]
    way.at(200)
    assert way.out[-1] == (200, b"y" * 100)


def test_a_link_asks_each_toxic_by_the_packets_own_number() -> None:
    """Losses in front do not shift the draws behind."""
    seen: list[Any] = []
    way = Way()
    way.scripted(only(1, DROP), lambda number, size, now_ns: seen.append(number) or PASS)
    way.at(0, *numbered(4))
    assert seen == [0, 2, 3]

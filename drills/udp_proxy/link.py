"""One direction of one flow: numbers its packets and takes each through the toxics. No sockets, no clock."""

from __future__ import annotations

from collections.abc import Callable

from drills.udp_proxy.counts import Counts, OwnLosses
from drills.udp_proxy.draws import COPY_SHIFT
from drills.udp_proxy.fates import PASS
from drills.udp_proxy.held import Held
from drills.udp_proxy.toxic import Stage


class Link:
    """The way of packets in one direction: ``send`` is its end, ``rebind`` what a new source port is got with."""

    __slots__ = ("_behind", "_held", "_losses", "_overtaken", "_rebind", "_send", "_stages", "counts", "number")

    def __init__(
        self, send: Callable[[bytes], None], held: Held, counts: Counts, losses: OwnLosses, rebind: Callable[[], None]
    ) -> None:
        self._send, self._held, self._losses, self._rebind = send, held, losses, rebind
        self.counts = counts
        self.number = 0  # of the next packet that arrives
        self._stages: list[Stage] = []
        self._overtaken: list[_Waiting] = []  # those that wait for others to go past them
        self._behind: list[_Waiting] = []  # of these the ones that follow right behind the packet that is on its way

    @property
    def stages(self) -> list[Stage]:
        """The toxics on this link, in order."""
        return self._stages

    def refit(self, stages: list[Stage]) -> set[tuple[Link, int]]:
        """Other toxics from now on; returns those that are gone or changed, for what they hold to be hastened."""
        there = {id(stage) for stage in stages}
        left = {stage.order for stage in self._stages if id(stage) not in there}
        self._stages = stages
        self._overtaken = [one for one in self._overtaken if one.order not in left]
        return {(self, order) for order in left}

    def take(self, payload: bytes, now_ns: int) -> None:
        """A packet arrives."""
        counts = self.counts
        counts.received_packets += 1
        counts.received_bytes += len(payload)
        number = self.number
        self.number = number + 1
        if self._stages:
            self._go_on(0, number, payload, now_ns)
        else:
            self._send(payload)

    def go_on_behind(self, order: int, number: int, payload: bytes, now_ns: int) -> None:
        """A packet that the toxic of this order has held goes on."""
        stages = self._stages
        if self._overtaken:
            self._overtaken = [one for one in self._overtaken if one.number != number or one.order != order]
        if not stages or stages[-1].order <= order:
            self._send(payload)
        else:
            self._go_on(sum(stage.order <= order for stage in stages), number, payload, now_ns)

    def _go_on(self, position: int, number: int, payload: bytes, now_ns: int) -> None:
        for order, decide, toxic in self._stages[position:] if position else self._stages:
            position += 1
            fate = decide(number, len(payload), now_ns)
            if fate is PASS:
                if self._overtaken:
                    self._gone_past(order)
                continue
            toxic.acted += 1
            if fate.dropped:
                break
            if fate.delay_ns:
                tie = self._held.add(now_ns + fate.delay_ns, self, order, number, payload)
                if not tie:
                    self._losses.held += 1
                elif fate.overtaken_by:
                    self._overtaken.append(_Waiting(tie, order, number, payload, fate.overtaken_by))
                break
            if fate.rebound:
                self._rebind()
            elif fate.flipped:
                payload = flipped(payload, fate.flipped)
            elif fate.copies:
                self._go_on(position, number, payload, now_ns)
                for copy in range(1, fate.copies + 1):
                    self._go_on(position, number + (copy << COPY_SHIFT), payload, now_ns)
                break
        else:
            self._send(payload)
        if self._behind:
            self._follow(now_ns)

    def _gone_past(self, order: int) -> None:
        """A packet passes the toxic of this order, and those that it holds have one less to wait for."""
        for one in self._overtaken:
            if one.order == order:
                one.left -= 1
                if not one.left:
                    self._behind.append(one)
        if self._behind:
            self._overtaken = [one for one in self._overtaken if one.left]

    def _follow(self, now_ns: int) -> None:
        following, self._behind = self._behind, []
        for one in following:
            self._held.take_out(one.tie)
            self.go_on_behind(one.order, one.number, one.payload, now_ns)


class _Waiting:
    """A packet that is held until so many others have gone past."""

    __slots__ = ("left", "number", "order", "payload", "tie")

    def __init__(self, tie: int, order: int, number: int, payload: bytes, left: int) -> None:
        self.tie, self.order, self.number, self.payload, self.left = tie, order, number, payload, left


def flipped(payload: bytes, places: tuple[int, ...]) -> bytes:
    """The payload with these bits flipped."""
    changed = bytearray(payload)
    for place in places:
        changed[place >> 3] ^= 1 << (place & 7)
    return bytes(changed)

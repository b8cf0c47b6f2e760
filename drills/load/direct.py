"""The direct path between the ends of a session: candidates by way of the gateway, then a check in each direction.

Each end tells the other where it is reached, as a STUN server would have told it (its door in the settings: on stage
every end stands behind a UDP proxy, as behind a NAT). What it sends there are the session's own datagrams, under a
header that no relay knows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID, uuid4

import gevent

from drills.load.pair import Pair
from drills.load.pump import End, Media, Pump
from drills.load.signaling import EndAccount
from drills.wavry import packets
from drills.wavry.errors import WireError
from drills.wavry.gateway import Candidate

# A candidate passes the gateway in milliseconds, a check the path in as long as a packet takes. Waiting longer for a
# path that is not there keeps the user waiting: together half a second, a tenth of what a set-up may take.
CANDIDATE_S = 0.25
CHECKS, CHECK_EVERY_S = 5, 0.05


@dataclass(frozen=True)
class DirectPath:
    """One attempt of a pair's ends to reach each other."""

    pair: Pair
    pump: Pump
    media: Media

    def tried(self) -> str:
        """Why there is no direct path; empty where there is one, which the media take from now on."""
        doors = self._traded()
        if isinstance(doors, str):
            return doors
        session = uuid4()
        ends = ((self.media.client, doors[0]), (self.media.host, doors[1]))
        asked = [gevent.spawn(self._checked, end, door, session) for end, door in ends]
        gevent.joinall(asked)
        if not all(one.value for one in asked):
            return f"no check came through, {sum(bool(one.value) for one in asked)} of 2 ends were reached"
        for end, door in ends:
            self.pump.point(end, door, session)
        return ""

    def _traded(self) -> tuple[tuple[str, int], tuple[str, int]] | str:
        """Where the client finds the host and the host the client, as each was told; why not, where one was not."""
        pair = self.pair
        with pair.client.reading, pair.host.reading:
            if not (pair.client.socket and pair.host.socket):
                return "an end was unbound meanwhile"
            try:
                pair.client.socket.send_candidate(pair.host.name, self._door(0))
                pair.host.socket.send_candidate(pair.client.name, self._door(1))
                told = self._told(pair.client, pair.host.name), self._told(pair.host, pair.client.name)
            except WireError as error:
                for end in (pair.client, pair.host):
                    if end.socket:
                        end.lose(end.socket, f"in a set-up: {error}")
                return str(error)
        if told[0] is None or told[1] is None:
            return f"no candidate was heard within {CANDIDATE_S:g} s"
        return told[0], told[1]

    def _door(self, which: int) -> str:
        return self.pair.settings.door(self.pair.worker, self.pair.number + which)

    @staticmethod
    def _told(end: EndAccount, peer: str) -> tuple[str, int] | None:
        assert end.socket
        until = time.monotonic() + CANDIDATE_S
        while (left := until - time.monotonic()) > 0:
            message = end.socket.receive(left)
            if isinstance(message, Candidate) and message.username == peer:
                host, _, port = message.candidate.rpartition(":")
                return (host, int(port)) if host and port.isdigit() else None
        return None

    def _checked(self, end: End, door: tuple[str, int], session: UUID) -> bool:
        """Whether a check of the other end's has come; ours goes out meanwhile, as often as it takes."""
        check = packets.renew(session)
        _, heard, _ = self.pump.exchange(end, check, door, tries=CHECKS, wait_s=CHECK_EVERY_S, session=session)
        return heard is not None

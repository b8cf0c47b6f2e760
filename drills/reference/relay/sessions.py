"""The sessions a relay holds: two slots each, a lease that only RENEW extends, and a sweep that removes them.

A session whose lease has lapsed is as good as gone; the sweep only takes it off the list. Nothing is ever sent
to a peer whose session ends: it learns by silence, or by asking with RENEW (contract §4.8).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from drills.reference.defects import Defects
from drills.reference.relay.limits import Bucket
from drills.reference.relay.replay import WIDTH, ReplayWindow

# what `recvfrom` gives: (host, port), and two numbers more for IPv6
Address = tuple[str, int] | tuple[str, int, int, int]

LIMIT_KBPS_MIN = 1000  # contract §4.4
NARROW = 1  # of the defect relay_window_too_narrow: only what is newer than everything before passes
SOUND = Defects()


@dataclass(slots=True)
class Peer:
    """One end of a session."""

    subject: str
    address: Address
    window: ReplayWindow = field(default_factory=ReplayWindow)
    heard: float = 0.0  # when its last FORWARD was sent on; only the defect relay_reaps_one_way asks


@dataclass(slots=True)
class Session:
    """Two slots that are filled by PRESENT, and until when. Times are those of the caller's monotonic clock."""

    lease_until: float
    last_active: float
    bucket: Bucket
    soft_kbps: int = LIMIT_KBPS_MIN
    hard_kbps: int = LIMIT_KBPS_MIN
    client: Peer | None = None
    server: Peer | None = None
    new_window: Callable[[], ReplayWindow] = ReplayWindow

    def peer(self, role: str) -> Peer | None:
        """Who holds this role."""
        return self.client if role == "client" else self.server

    def is_lapsed(self, now: float) -> bool:
        """Whether the lease is over."""
        return self.lease_until <= now

    def is_active(self, now: float) -> bool:
        """Whether datagrams pass: both slots filled, lease running."""
        return self.client is not None and self.server is not None and self.lease_until > now

    def knows(self, address: Address) -> bool:
        """Whether one of the registered peers is at this address."""
        return any(peer is not None and peer.address == address for peer in (self.client, self.server))

    def seat(self, role: str, subject: str, address: Address) -> bool:
        """Fill the slot, or move its holder; True when the holder came back from another address.

        A holder that moved may start its numbering anew (D-16). From the same address its window stays, or a PRESENT
        that the network doubled would open it to replays.
        """
        peer = self.peer(role)
        if peer is not None and peer.address == address:
            return False
        seated = Peer(subject, address, self.new_window(), self.last_active)
        if role == "client":
            self.client = seated
        else:
            self.server = seated
        return peer is not None

    def limit(self, soft_kbps: int, hard_kbps: int) -> None:
        """The limits of the newest lease, never below 1000 kbps, the hard one never below the soft."""
        self.soft_kbps = max(soft_kbps, LIMIT_KBPS_MIN)
        self.hard_kbps = max(hard_kbps, self.soft_kbps)
        self.bucket.set_limit(self.hard_kbps)


class Pool:
    """All sessions by their 16 raw bytes, and how many there may be."""

    def __init__(
        self, sessions_max: int, shed_percent: int, lease_s: float, idle_s: float, defects: Defects = SOUND
    ) -> None:  # fmt: skip
        width = NARROW if defects.on("relay_window_too_narrow") else WIDTH
        self._new_window = partial(ReplayWindow, width, defects.on("relay_duplicates"))
        self._reaps_one_way = defects.on("relay_reaps_one_way")
        self.sessions: dict[bytes, Session] = {}
        self.sessions_max = sessions_max
        # contract §3.6: ready, and open for new sessions, only below this
        self.threshold = max(1, sessions_max * min(max(shed_percent, 50), 100) // 100)
        self.lease_s = lease_s
        self._idle_s = idle_s

    def __len__(self) -> int:
        return len(self.sessions)

    @property
    def is_shedding(self) -> bool:
        """Whether new sessions are turned away already."""
        return len(self.sessions) >= self.threshold

    @property
    def is_full(self) -> bool:
        """Whether there is no room at all; with shedding before it, only reached at --max-sessions 0."""
        return len(self.sessions) >= self.sessions_max

    @property
    def load_percent(self) -> int:
        """What the master is told: all sessions, half-open ones too, because they fill the pool (D-34)."""
        return min(100, len(self.sessions) * 100 // self.sessions_max) if self.sessions_max else 100

    def active(self, now: float) -> int:
        """How many sessions pass datagrams."""
        return sum(session.is_active(now) for session in self.sessions.values())

    def open(self, key: bytes, now: float) -> Session:
        """A new session with nobody in it, in the place of any lapsed one of that key."""
        session = Session(now + self.lease_s, now, Bucket(LIMIT_KBPS_MIN, now), new_window=self._new_window)
        self.sessions[key] = session
        return session

    def renew(self, session: Session, now: float) -> None:
        """A full lease from now on."""
        session.lease_until = now + self.lease_s
        session.last_active = now

    def sweep(self, now: float) -> tuple[int, int]:
        """Remove what is over; how many had lapsed and how many were only idle."""
        lapsed = [key for key, session in self.sessions.items() if session.is_lapsed(now)]
        for key in lapsed:
            del self.sessions[key]
        idle = [key for key, session in self.sessions.items() if now - session.last_active > self._idle_s]
        idle += [
            key for key, session in self.sessions.items() if key not in idle and self._is_half_silent(session, now)
        ]
        for key in idle:
            del self.sessions[key]
        return len(lapsed), len(idle)

    def _is_half_silent(self, session: Session, now: float) -> bool:
        """The defect relay_reaps_one_way: whether one of both peers has not been heard for the idle time."""
        peers = (session.client, session.server)
        return self._reaps_one_way and all(peers) and any(peer and now - peer.heard > self._idle_s for peer in peers)

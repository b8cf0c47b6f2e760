"""Who is connected: sockets counted by address, and the one socket that speaks for each username.

No I/O: a socket is anything that can be handed a text and told to end. An older socket that closes never takes the
newer one's place away (intended; D2), and no place is lost when an upgrade fails half-way (intended; D14).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol


class NoPlace(Exception):
    """No place for another socket; ``status`` is the HTTP answer (contract §5.1)."""

    def __init__(self, status: int) -> None:
        super().__init__(f"refused with {status}")
        self.status = status


@dataclass(frozen=True)
class Holder:
    """Whom a token belongs to; ``token_hash`` is the stored form, never the token."""

    user_id: str
    username: str
    token_hash: str


class Peer(Protocol):
    """What the switchboard needs of a socket."""

    holder: Holder | None

    def deliver(self, text: str) -> bool:
        """Queue a text for the peer; False when its queue is full or it is ending."""
        ...

    def end(self, reason: str) -> None:
        """Tell the peer why, then close."""
        ...


class Switchboard:
    """All sockets and the map of bound usernames."""

    def __init__(self, sockets_max: int, sockets_per_ip_max: int, newer_forgotten: bool = False) -> None:
        self.sockets_max = sockets_max
        self.newer_forgotten = newer_forgotten  # the defect gateway_forgets_newer_socket
        self.sockets_per_ip_max = sockets_per_ip_max
        self._per_ip: Counter[str] = Counter()
        self._bound: dict[str, Peer] = {}
        self._peers: set[Peer] = set()

    def take_place(self, ip: str) -> None:
        """Count a socket of this address; NoPlace when the address or the gateway is full."""
        if self._per_ip[ip] >= self.sockets_per_ip_max:
            raise NoPlace(429)
        if self._per_ip.total() >= self.sockets_max:
            raise NoPlace(503)
        self._per_ip[ip] += 1

    def free_place(self, ip: str) -> None:
        """Give the place of a socket back, whatever became of it."""
        self._per_ip[ip] -= 1
        if not self._per_ip[ip]:
            del self._per_ip[ip]

    def enter(self, peer: Peer) -> None:
        """A socket is open, not yet bound."""
        self._peers.add(peer)

    def leave(self, peer: Peer) -> None:
        """A socket has ended; the map keeps its name when a newer socket speaks for it."""
        self._peers.discard(peer)
        if peer.holder is None:
            return
        name = peer.holder.username
        if self._bound.get(name) is peer or self.newer_forgotten:
            self._bound.pop(name, None)

    def bind(self, peer: Peer, holder: Holder) -> Peer | None:
        """This socket speaks for the username from now on; the one it replaces is returned."""
        replaced = self._bound.get(holder.username)
        peer.holder = holder
        self._bound[holder.username] = peer
        return replaced

    def find(self, username: str) -> Peer | None:
        """The socket that speaks for a username."""
        return self._bound.get(username)

    @property
    def bound_count(self) -> int:
        """How many usernames are bound (what ``/health`` counts, contract §3.7)."""
        return len(self._bound)

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Every open socket."""
        return tuple(self._peers)

    @property
    def speakers(self) -> tuple[Peer, ...]:
        """The sockets that speak for a username, those bound longest first."""
        return tuple(self._bound.values())

    def end_token(self, token_hash: str, reason: str) -> None:
        """Close the sockets bound with this token (intended; D26)."""
        for peer in self.peers:
            if peer.holder is not None and peer.holder.token_hash == token_hash:
                peer.end(reason)

    def end_user(self, user_id: str, reason: str) -> None:
        """Close every socket of this user (intended; D25)."""
        for peer in self.peers:
            if peer.holder is not None and peer.holder.user_id == user_id:
                peer.end(reason)

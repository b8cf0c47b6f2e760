"""Who is on which socket, and what each message makes the master send (contract §2.10).

A name is ``user_`` and the first 8 characters of any token, unvalidated, as Wavry's clients expect. The newest
socket that bound a name receives for it; closing an older one changes nothing (intended; D-28). Sockets are
numbers here; what is to be sent or closed comes back as a list of effects.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drills.reference.master import messages
from drills.reference.master.clock import Moment
from drills.reference.master.lender import Denied, Lender
from drills.reference.master.memory import Memory
from drills.reference.master.messages import Bind, Forward, RequestRelay

REVOKED = messages.error(Denied(403, "this name is revoked"))


@dataclass(frozen=True)
class Send:
    """Put this text into a socket's queue; a full queue drops it."""

    socket: int
    text: str = field(repr=False)


@dataclass(frozen=True)
class Close:
    """Close a socket after what is already queued for it."""

    socket: int


Effect = Send | Close


class Switchboard:
    """The sockets of one master."""

    def __init__(self, lender: Lender, memory: Memory) -> None:
        self._lender = lender
        self._memory = memory
        self._receiver: dict[str, int] = {}  # the newest socket of each name
        self._names: dict[int, list[str]] = {}  # all names a socket has bound; it speaks as the last

    @property
    def peers_connected(self) -> int:
        """How many names have a socket."""
        return len(self._receiver)

    def received(self, socket: int, text: str, moment: Moment) -> list[Effect]:
        """What one text frame leads to."""
        match messages.read(text):
            case Bind(name):
                return self._bind(socket, name)
            case RequestRelay(target, region) if socket in self._names:
                return self._request_relay(socket, target, region, moment)
            case Forward() as forward if socket in self._names:
                return self._to(forward.target, forward.as_sent_by(self._speaker(socket)))
            case _:
                return []

    def gone(self, socket: int) -> None:
        """A socket has closed: its names are free, except those that a newer socket has taken over."""
        for name in self._names.pop(socket, []):
            if self._receiver.get(name) == socket:
                del self._receiver[name]

    def revoked(self, name: str) -> list[Effect]:
        """Tell and close every socket that ever bound this name (intended; D-25)."""
        sockets = [socket for socket, names in self._names.items() if name in names]
        return [effect for socket in sockets for effect in (Send(socket, REVOKED), Close(socket))]

    def _bind(self, socket: int, name: str) -> list[Effect]:
        if self._memory.is_revoked(name):
            return [Send(socket, REVOKED), Close(socket)]
        names = self._names.setdefault(socket, [])
        if name in names:
            names.remove(name)
        names.append(name)
        self._receiver[name] = socket
        return []

    def _request_relay(self, socket: int, target: str, region: str | None, moment: Moment) -> list[Effect]:
        lent = self._lender.lend(self._speaker(socket), target, region, moment)
        if isinstance(lent, Denied):
            return [Send(socket, messages.error(lent))]
        ours = messages.credentials(lent.relay_id, lent.for_requester, lent.address, lent.session)
        theirs = messages.credentials(lent.relay_id, lent.for_target, lent.address, lent.session)
        return [Send(socket, ours), *self._to(target, theirs)]

    def _to(self, name: str, text: str) -> list[Effect]:
        """To whoever receives for this name; a name without a socket gets nothing, and nobody is told."""
        socket = self._receiver.get(name)
        return [] if socket is None else [Send(socket, text)]

    def _speaker(self, socket: int) -> str:
        return self._names[socket][-1]

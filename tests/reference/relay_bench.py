"""A relay's pipeline on a bench: clocks set by hand, leases minted by a known key, counters read as differences."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from drills.reference.defects import Defects
from drills.reference.relay.admission import Keys
from drills.reference.relay.pipeline import Limits, Pipeline
from drills.reference.relay.sessions import Address
from drills.wavry import lease, packets
from drills.wavry.lease import LeaseClaims, SigningKey
from drills.wavry.packets import Ack, Reject

KEY = SigningKey(b"\x07" * 32)
RELAY_ID = "6f1d2c3b-4a59-4687-9abc-def012345678"
SESSION = UUID("00112233-4455-6677-8899-aabbccddeeff")
CLIENT: Address = ("127.0.0.10", 5000)
HOST: Address = ("127.0.0.20", 6000)
STRANGER: Address = ("127.0.0.30", 7000)
UNIX_S = 1767225600.0  # 2026-01-01T00:00:00Z


class Bench:
    """One pipeline and everything a test does to it."""

    def __init__(self, limits: Limits = Limits(), defects: str = "") -> None:  # noqa: B008 (it is frozen)
        self.pipeline = Pipeline(RELAY_ID, limits, Defects.parse(defects.split(",")))
        self.pipeline.desk.keys = Keys(KEY.public_key, KEY.key_id)
        self.elapsed_s = 0.0
        self._read = asdict(self.pipeline.counters)

    @property
    def now(self) -> float:
        return 1000.0 + self.elapsed_s

    @property
    def unix_s(self) -> float:
        return UNIX_S + self.elapsed_s

    def after(self, seconds: float) -> Bench:
        """The same bench, later."""
        self.elapsed_s += seconds
        return self

    def claims(self, role: str = "client", subject: str = "", session: UUID = SESSION, **changes: Any) -> LeaseClaims:
        """Claims that this relay accepts now, but for the changes."""
        issued = datetime.fromtimestamp(self.unix_s, UTC)
        accepted: dict[str, Any] = {
            "subject": subject or f"user_{role}",
            "session": session,
            "role": role,
            "relay_id": RELAY_ID,
            "key_id": KEY.key_id,
            "issued_at": issued,
            "not_before": issued - timedelta(seconds=5),
            "expires_at": issued + timedelta(seconds=900),
        }
        return LeaseClaims(**accepted | changes)

    def token(self, role: str = "client", raw: dict[str, Any] | None = None, **changes: Any) -> str:
        """A signed token; ``raw`` overrides claims in the payload, a None there takes one out."""
        token = lease.mint(self.claims(role, **changes), KEY)
        if raw is None:
            return token
        payload = {name: value for name, value in (lease.peek(token) | raw).items() if value is not None}
        return lease.sign_payload(json.dumps(payload).encode(), KEY)

    def arrives(self, datagram: bytes, source: Address) -> tuple[bytes, Address] | None:
        """One datagram through the pipeline and out of a socket that takes everything."""
        self.pipeline.arrive(datagram, source)
        outgoing = self.pipeline.next_outgoing(self.now, self.unix_s)
        if outgoing is not None:
            self.pipeline.sent(outgoing[0])
        return outgoing

    def answer(self, datagram: bytes, source: Address) -> Ack | Reject | None:
        """What the sender is answered."""
        outgoing = self.arrives(datagram, source)
        if outgoing is None:
            return None
        assert outgoing[1] == source
        return packets.parse_ack(outgoing[0]) if outgoing[0][2] == packets.ACK else packets.parse_reject(outgoing[0])

    def presents(
        self, role: str = "client", source: Address | None = None, session: UUID = SESSION, **changes: Any
    ) -> Ack | Reject | None:
        """A LEASE_PRESENT with a good token, but for the changes."""
        source = source or (CLIENT if role == "client" else HOST)
        return self.answer(packets.present(session, role, self.token(role, session=session, **changes)), source)

    def renews(self, source: Address, session: UUID = SESSION) -> Ack | Reject | None:
        """A LEASE_RENEW."""
        return self.answer(packets.renew(session), source)

    def forwards(self, sequence: int, source: Address = CLIENT, body: bytes = b"hello") -> bool:
        """Whether a FORWARD comes out at the other end, unchanged."""
        datagram = packets.forward(SESSION, sequence, body)
        outgoing = self.arrives(datagram, source)
        assert outgoing is None or outgoing[0] == datagram
        return outgoing is not None

    def moved(self) -> dict[str, int]:
        """The counters that moved since the last look, but for those of reading."""
        counters = asdict(self.pipeline.counters)
        difference = {name: value - self._read[name] for name, value in counters.items() if value != self._read[name]}
        self._read = counters
        return {name: n for name, n in difference.items() if name not in ("packets_rx", "bytes_rx")}


def paired(limits: Limits = Limits(), defects: str = "") -> Bench:  # noqa: B008
    """A bench with both ends seated, its counters read."""
    bench = Bench(limits, defects)
    assert isinstance(bench.presents("client"), Ack) and isinstance(bench.presents("server"), Ack)
    bench.moved()
    return bench

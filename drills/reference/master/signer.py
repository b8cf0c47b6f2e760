"""The master's key and the leases it signs with it (contract §2.3, §2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from drills.reference.master.clock import Moment
from drills.wavry.lease import LeaseClaims, SigningKey, mint

# a relay's clock may be this far behind the master's; also for the library's own claims (intended; D-20)
BACKDATED = timedelta(seconds=5)


@dataclass(frozen=True)
class Signer:
    """The key leases are signed with, and how long they last."""

    key: SigningKey
    key_id: str
    provisioned: bool  # supplied from outside, so that relays can know it and a restart keeps it
    lease_ttl: timedelta

    def lease(self, subject: str, session: UUID, role: str, relay_id: str, moment: Moment) -> str:
        """A lease that begins now. A secret: never log it."""
        claims = LeaseClaims(
            subject=subject,
            session=session,
            role=role,
            relay_id=relay_id,
            key_id=self.key_id,
            issued_at=moment.wall,
            not_before=moment.wall - BACKDATED,
            expires_at=moment.wall + self.lease_ttl,
        )
        return mint(claims, self.key, library_issued_at=moment.wall - BACKDATED)

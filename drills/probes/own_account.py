"""An account of the drill's own at the gateway: made up here, registered over HTTP, and written nowhere."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drills.wavry.gateway import GatewayHttp


@dataclass
class OwnAccount:
    """Its name and its password; ``token`` is of the session that registering gives."""

    name: str
    password: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(18))
    token: str = field(repr=False, default="")

    @property
    def email(self) -> str:
        """Its address."""
        return f"{self.name}@drills.example"

    def register(self, http: GatewayHttp) -> None:
        """Make it at the gateway; raises WireError as ``GatewayHttp.register`` does."""
        self.token = http.register(
            self.email, self.password, display_name=self.name, username=self.name, public_key=secrets.token_hex(32)
        ).token

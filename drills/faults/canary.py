"""A canary flow through one TCP path: what a request through a proxy meets, on and off.

The request goes to a route that both gateway and master answer with 200 (`/health`), through the proxy that the fault
sits on, on a connection of its own: TCP accept always succeeds behind Toxiproxy, so only an answer counts.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drills.stage.base import Stage

PATIENCE_S = 1.0


@dataclass(frozen=True)
class Canary:
    """What one request met: ``ok``, ``refused``, ``silence`` or ``cut``, and how long it took."""

    outcome: str
    ms: float

    def __str__(self) -> str:
        return f"{self.outcome} after {self.ms:.1f} ms"


def through(stage: Stage, proxy: str, patience_s: float = PATIENCE_S) -> Canary:
    """One request through a proxy."""
    import http.client

    host, port = stage.proxied(proxy).rsplit(":", 1)
    began = time.monotonic()
    connection = http.client.HTTPConnection(host, int(port), timeout=patience_s)
    try:
        connection.request("GET", "/health", headers={"Connection": "close"})
        outcome = "ok" if connection.getresponse().read() is not None else "cut"
    except ConnectionRefusedError:
        outcome = "refused"
    except TimeoutError:
        outcome = "silence"
    except (OSError, http.client.HTTPException):
        outcome = "cut"
    finally:
        connection.close()
    return Canary(outcome, (time.monotonic() - began) * 1000.0)


def round_trip_ms(stage: Stage, proxy: str, tries: int, patience_s: float) -> float | None:
    """The median of several requests through a proxy, None where one was not answered."""
    flown: list[float] = []
    while len(flown) < tries:
        canary = through(stage, proxy, patience_s)
        if canary.outcome != "ok":
            return None
        flown.append(canary.ms)
    return statistics.median(flown)

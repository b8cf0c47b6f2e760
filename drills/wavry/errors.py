"""What can go wrong on the wire, as one family, so that a caller never meets an exception of a library.

    WireError
    ├── Refused        the service answered, and the answer was no (HTTP status, or 101 denied)
    ├── Unreachable    no answer: connection refused, no route, reset
    │   ├── TimedOut   nothing came within the time allowed; the request may still have been done
    │   └── Closed     the other end closed a connection that stood
    └── Garbled        an answer came that the contracts do not know

None of these is a DrillError: a refused login is what a drill measures, not a drill that cannot run.
No text here ever holds a password, a token or a lease; ``scrubbed`` sees to it where a service's own
words are quoted.
"""

from __future__ import annotations

from collections.abc import Iterable

QUOTED_MAX = 200  # characters of a service's answer that an error quotes


class WireError(Exception):
    """Anything that keeps a call from having the answer it asked for."""


class Refused(WireError):
    """The service answered with something other than success."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}".rstrip())
        self.status = status
        self.text = text


class Unreachable(WireError):
    """There was no answer; ``what`` names the call and the reason."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class TimedOut(Unreachable):
    """No complete answer within the time allowed."""


class Closed(Unreachable):
    """The other end closed the connection."""


class Garbled(WireError):
    """An answer came that the contracts do not know."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """The first part of a service's words with every secret of the request taken out."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "…")
    return text[:QUOTED_MAX]

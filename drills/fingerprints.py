"""What stands for a token in a record: enough to see that two uses are of one token, and nothing to log in with.

Salted with the run's own name, so that records of two runs cannot be laid side by side. Tokens are 32 random bytes and
more (contract-gateway §4): there is nothing to guess. Whoever shows a token to the gateway and is told what it is
worth writes ``token.used``: ``fingerprint``, ``accepted``, and ``used_ns``, when it was shown. Only an answer about the
token itself counts: a limit, a time-out or a database that is away is none.
"""

from __future__ import annotations

import hashlib

LENGTH = 16  # hex digits: no two of a run's tokens share them, and no text of this length is taken for a secret


def fingerprint(token: str, run: str) -> str:
    """The mark of a token in the record of the run of this name."""
    return hashlib.sha256(f"{run}:{token}".encode()).hexdigest()[:LENGTH]

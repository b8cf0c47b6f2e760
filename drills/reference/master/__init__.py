"""The reference master: relay registry, lease lending and signalling, sound where Wavry's is suspected not to be.

Everything that decides (``registry``, ``selection``, ``quota``, ``lender``, ``switchboard``) is pure and is told
the time; ``routes``, ``sockets`` and ``server`` are the thin part with sockets. Differences from Wavry's master
are the rows of docs/contract.md, section Master.
"""

"""The reference relay: registers with a master, admits leases, passes datagrams between two peers of a session.

It speaks contract-master-relay.md §3 and §4 and behaves as docs/contract.md (Relay) says where Wavry's own is
in doubt. What decides is pure and takes the time as an argument (``pipeline``, ``leasing``, ``membership``); what
touches sockets is thin and lives in ``udp``, ``master_link``, ``health`` and ``service``.
"""

"""A UDP proxy that makes networks worse on purpose: Toxiproxy's words and HTTP API, for datagrams, with a seed.

Needs Python 3.11 and nothing else, not even the rest of this repository. ``python -m drills.udp_proxy``;
docs/udp-proxy.md says what it offers.
"""

VERSION = "0.1.0"

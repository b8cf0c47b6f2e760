"""The UDP fault proxy as a service of the stage: ``python -m drills.stage.udp_proxy_program``.

The same program as ``python -m drills.udp_proxy``, with the same options; before it begins, the addresses of its flows
(``--source``, where that is a network) become addresses of this machine, which needs NET_ADMIN in a container and
nothing on loopback. Then it gives that up.
"""

from __future__ import annotations

import sys
from ipaddress import IPv4Network, ip_network

from drills.errors import DrillError
from drills.load.privileges import give_addresses, owned
from drills.udp_proxy.__main__ import main

FIRST_AND_LAST = 2  # of a network: its own address and that for everybody


def own_addresses(words: list[str]) -> None:
    """Give this machine the addresses that ``--source`` names; raises CannotRun where the kernel refuses."""
    source = dict(zip(words[::2], words[1::2], strict=False)).get("--source", "")
    try:
        network = ip_network(source)
    except ValueError:  # `any`, `client`, or nothing that the program itself would not refuse
        return
    if isinstance(network, IPv4Network):
        give_addresses(str(network.network_address + 1), network.num_addresses - FIRST_AND_LAST)


if __name__ == "__main__":
    try:
        own_addresses(sys.argv[1:])
        owned()
    except DrillError as error:
        print(error, file=sys.stderr)
        sys.exit(int(error.exit_code))
    sys.exit(main(sys.argv[1:]))

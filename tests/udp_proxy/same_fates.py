"""Which of a hundred packets a fresh proxy loses: ``python -m tests.udp_proxy.same_fates 7 7 8``, a line a seed."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import urllib.request
from typing import Any

PACKETS, SILENCE_S = 100, 0.5


def lost(seed: int) -> list[int]:
    """The numbers of the packets that a proxy of this seed lost of a hundred, one in ten being asked for."""
    words = [sys.executable, "-m", "drills.udp_proxy", "--port", "0", "--seed", str(seed)]
    with (
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as proxy,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as relay,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end,
    ):
        try:
            assert proxy.stdout is not None
            said = re.search(r"API on (\S+),", proxy.stdout.readline())
            assert said is not None
            relay.bind(("127.0.0.1", 0))
            relay.settimeout(SILENCE_S)
            made = _asked(said[1], "/proxies", {"name": "relay_a", "upstream": "{}:{}".format(*relay.getsockname())})
            _asked(said[1], "/proxies/relay_a/toxics",
                   {"type": "loss", "stream": "upstream", "attributes": {"probability": 0.1}})  # fmt: skip
            listen = ("127.0.0.1", int(made["listen"].rpartition(":")[2]))
            for number in range(PACKETS):
                end.sendto(b"%d" % number, listen)
            return sorted(set(range(PACKETS)) - _heard(relay))
        finally:
            proxy.terminate()


def _asked(api: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{api}{path}", json.dumps(body).encode(), timeout=5.0) as answer:
        return dict(json.load(answer))


def _heard(relay: socket.socket) -> set[int]:
    heard: set[int] = set()
    while True:
        try:
            heard.add(int(relay.recv(99)))
        except TimeoutError:
            return heard


if __name__ == "__main__":
    for given in sys.argv[1:]:
        print(given, *lost(int(given)))

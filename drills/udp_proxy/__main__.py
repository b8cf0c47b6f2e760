"""``python -m drills.udp_proxy [--host 127.0.0.1] [--port 8475] [--seed N] …``: run until SIGINT or SIGTERM.

Exit codes: 0 asked to go, 3 the API's address cannot be had, 4 bad input.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from drills.udp_proxy import VERSION
from drills.udp_proxy.api import Api
from drills.udp_proxy.collection import Proxies
from drills.udp_proxy.http_server import HttpServer
from drills.udp_proxy.loop import Loop
from drills.udp_proxy.proxy import Settings
from drills.udp_proxy.sockets import Address
from drills.udp_proxy.sources import sources

CANNOT_RUN, BAD_INPUT = 3, 4
IDLE_S_MAX = 86_400.0
COLLECT_SELDOM = (50_000, 20, 20)  # packets make no cycles, flows do; a collection keeps packets waiting


class _Parser(argparse.ArgumentParser):
    """argparse says 2 for a mistake on the command line; here that is 4, bad input."""

    def error(self, message: str) -> NoReturn:
        print(f"udp_proxy: {message}", file=sys.stderr)
        sys.exit(BAD_INPUT)


def main(words: list[str]) -> int:
    """Serve the API and the packets; returns the exit code."""
    options = _parsed(words)
    loop = Loop()
    proxies = Proxies(Settings(loop, options.seed, options.source, options.idle_s))
    api = Api(proxies)
    try:
        server = HttpServer(options.address, api, loop)
    except OSError as error:
        print(f"udp_proxy: cannot listen on {options.address}: {os.strerror(error.errno or 0)}", file=sys.stderr)
        return CANNOT_RUN
    try:
        if options.config:
            _populated(api, options.config)
        _as_many_files_as_allowed()
        gc.freeze()
        gc.set_threshold(*COLLECT_SELDOM)
        with _until_asked_to_go(loop):
            print(f"udp_proxy {VERSION}: API on {server.address}, seed {options.seed}", flush=True)
            loop.run()
    finally:
        server.close()
        proxies.close()
        loop.close()
    return 0


def _parsed(words: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="udp_proxy", description="A UDP fault proxy with Toxiproxy's HTTP API.", allow_abbrev=False)
    parser.add_argument("--host", default="127.0.0.1", help="numeric address of the API (default: %(default)s)")
    parser.add_argument("--port", default="8475", help="port of the API, 0 for any (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="what decisions depend on (default: %(default)s)")
    parser.add_argument("--source", type=sources, default="any", metavar="any|client|NETWORK",
                        help="address of a flow towards the upstream: the kernel's choice, its client's own, or one "
                             "of a network for each client address (default: %(default)s)")  # fmt: skip
    parser.add_argument("--idle-s", type=_seconds, default=120.0, help="forget a flow after so long (default: 120)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="JSON list of proxies to begin with")
    options = parser.parse_args(words)
    options.address = Address.parsed(f"[{options.host}]:{options.port}" if ":" in options.host
                                     else f"{options.host}:{options.port}")  # fmt: skip
    if options.address is None:
        parser.error(f"--host, --port: found {options.host} and {options.port}, expected a numeric address and a port")
    return options


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= IDLE_S_MAX:
        raise argparse.ArgumentTypeError(f"found {text}, expected seconds up to {IDLE_S_MAX:g}")
    return seconds


def _populated(api: Api, config: Path) -> None:
    try:
        body = config.read_bytes()
    except OSError as error:
        print(f"udp_proxy: {config}: {error.strerror or error}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    answer = api.answer("POST", ["populate"], body)
    if answer.status != 201:
        print(f"udp_proxy: {config}: {answer.body}", file=sys.stderr)
        sys.exit(BAD_INPUT)


def _as_many_files_as_allowed() -> None:
    """Every flow is a socket."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def _until_asked_to_go(loop: Loop) -> Iterator[None]:
    """SIGINT and SIGTERM wake the loop and end it."""
    waker, woken = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.stop())
    loop.watch(woken, loop.stop)
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        loop.forget(woken)
        waker.close()
        woken.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""An engine's socket with answers of a test's choosing behind it."""

from __future__ import annotations

import contextlib
import http.server
import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What a Docker on this machine says, as far as anybody looks; its bridge is the loopback, which every machine has.
ABOUT = {
    "ServerVersion": "20.10.24",
    "OperatingSystem": "Debian",
    "OSType": "linux",
    "SecurityOptions": ["name=seccomp"],
}
BRIDGE = {"Options": {"com.docker.network.bridge.name": "lo"}, "IPAM": {"Config": [{"Subnet": "127.0.0.0/8"}]}}


@dataclass(frozen=True)
class FakeEngine:
    """Its answers, by path, and its name for itself."""

    about: Mapping[str, Any] = field(default_factory=lambda: ABOUT)
    bridge: Mapping[str, Any] = field(default_factory=lambda: BRIDGE)
    server: str = "Docker/20.10.24 (linux)"

    @contextlib.contextmanager
    def answering(self, path: Path) -> Iterator[None]:
        """For as long as the context lasts, at the socket ``path``."""
        engine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 5.0  # one who connects and asks nothing must not hold up the test's end

            def do_GET(self) -> None:
                body = json.dumps({"/info": engine.about, "/networks/bridge": engine.bridge}[self.path]).encode()
                self.send_response_only(200)
                self.send_header("Server", engine.server)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: object) -> None:
                """Say nothing."""

        with socketserver.UnixStreamServer(str(path), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()

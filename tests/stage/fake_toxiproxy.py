"""As much of Toxiproxy's API as ours uses, with the bad habits that can be switched on."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KNOWN = {"latency": {"latency", "jitter"}, "timeout": {"timeout"}, "bandwidth": {"rate"}}


@dataclass
class FakeServer:
    """Proxies in memory. ``hang`` names a verb and path ending whose answer never comes, ``fail`` one that is a 500."""

    port: int = 0
    hang: str = ""
    hang_does: bool = False  # whether what hangs is done all the same
    fail: str = ""
    ignores_switch: bool = False
    proxies: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, verb: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and JSON of one request."""
        self.asked.append(f"{verb} {path}")
        match verb, path.strip("/").split("/"):
            case "GET", ["version"]:
                return 200, {"version": "2.12.0"}
            case "GET", ["proxies"]:
                return 200, self.proxies
            case "POST", ["proxies"]:
                self.proxies[body["name"]] = {"enabled": True, "toxics": [], **body}
                return 201, self.proxies[body["name"]]
            case "POST", ["proxies", name]:
                if not self.ignores_switch:
                    self.proxies[name].update(body)
                return 200, self.proxies[name]
            case "GET", ["proxies", name, "toxics"]:
                return 200, self.proxies[name]["toxics"]
            case "POST", ["proxies", name, "toxics"]:
                kept = {key: value for key, value in body["attributes"].items() if key in KNOWN[body["type"]]}
                self.proxies[name]["toxics"].append({**body, "attributes": kept})
                return 200, self.proxies[name]["toxics"][-1]
            case "DELETE", ["proxies", name, "toxics", toxic]:
                left = [one for one in self.proxies[name]["toxics"] if one["name"] != toxic]
                if len(left) == len(self.proxies[name]["toxics"]):
                    return 404, {"error": "toxic not found", "status": 404}
                self.proxies[name]["toxics"] = left
                return 204, None
        return 404, {"error": "no such page", "status": 404}


@contextlib.contextmanager
def serving() -> Iterator[FakeServer]:
    """A fake server on a port of its own."""
    fake = FakeServer()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            request = f"{self.command} {self.path}"
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
            hangs = bool(fake.hang) and request.startswith(fake.hang)
            if hangs and not fake.hang_does:
                fake.released.wait(5.0)
                return
            status, answer = (500, {"error": "bind: address already in use", "status": 500}) if (
                fake.fail and request.startswith(fake.fail)
            ) else fake.answer(self.command, self.path, body)  # fmt: skip
            if hangs:
                fake.released.wait(5.0)
                return
            text = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        fake.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield fake
        finally:
            fake.released.set()
            server.shutdown()
            thread.join(5.0)

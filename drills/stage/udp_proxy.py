"""The UDP fault proxy of a stage, by its HTTP API: bounded, and everything that is set is read back.

Its API is Toxiproxy's (docs/udp-proxy.md), but not its trap: what it does not understand it refuses.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from drills.errors import CannotRun

API_PORT = 8475
API_TIMEOUT_S = 3.0  # the API is on this machine and no call of it waits for packets
_open = build_opener(ProxyHandler({})).open


@dataclass(frozen=True)
class UdpProxyServer:
    """One UDP fault proxy, by the address of its API."""

    host: str
    port: int = API_PORT

    def _asked(self, verb: str, path: str, body: Any = None) -> Any:
        """The answer's JSON, None where it has none; raises CannotRun naming what was asked."""
        payload = None if body is None else json.dumps(body).encode()
        request = Request(f"http://{self.host}:{self.port}{path}", payload, method=verb)
        try:
            with _open(request, timeout=API_TIMEOUT_S) as answer:
                text = answer.read()
        except HTTPError as error:
            with error:
                said = error.read(300).decode(errors="replace").strip()
            raise CannotRun(f"UDP proxy at {self.host}:{self.port}: {verb} {path}: {error.code} {said}") from None
        except (URLError, OSError, HTTPException) as error:
            raise CannotRun(f"UDP proxy at {self.host}:{self.port}: {verb} {path}: {error}") from None
        return json.loads(text) if text else None

    def version(self) -> Mapping[str, Any]:
        """Its version and its seed."""
        return dict(self._asked("GET", "/version"))

    def create(self, name: str, listen: str, upstream: str) -> None:
        """A proxy between two addresses (host:port); raises CannotRun where the server made another one."""
        made = self._asked("POST", "/proxies", {"name": name, "listen": listen, "upstream": upstream})
        if (made["listen"], made["upstream"]) != (listen, upstream):
            raise CannotRun(f"the UDP proxy made {name} {made['listen']} to {made['upstream']}, "
                            f"asked for {listen} to {upstream}")  # fmt: skip

    def show(self, name: str) -> Mapping[str, Any]:
        """A proxy with its toxics, flows and counts, as the server has them."""
        return dict(self._asked("GET", f"/proxies/{name}"))

    def watch(self, name: str, client: str, upstream: str) -> None:
        """Let what comes from this client address go by way of the same toxics to an upstream of its own."""
        canary = {"client": client, "upstream": upstream}
        made = self._asked("POST", f"/proxies/{name}", {"canary": canary})
        if made.get("canary") != canary:
            raise CannotRun(f"the UDP proxy kept {made.get('canary')} as the canary of {name}, asked for {canary}")

    def unwatch(self, name: str) -> None:
        """No canary any more."""
        self._asked("POST", f"/proxies/{name}", {"canary": None})

    def add_toxic(self, name: str, toxic: str, kind: str, stream: str, attributes: Mapping[str, Any]) -> None:
        """Put a toxic on a proxy and read it back; raises CannotRun where the server kept something else."""
        body = {"name": toxic, "type": kind, "stream": stream, "attributes": dict(attributes)}
        self._asked("POST", f"/proxies/{name}/toxics", body)
        kept = self._asked("GET", f"/proxies/{name}/toxics/{toxic}")
        if kept["stream"] != stream or any(kept["attributes"].get(key) != value for key, value in attributes.items()):
            raise CannotRun(f"the UDP proxy kept {kept} on {name}, asked for {body}")

    def remove_toxic(self, name: str, toxic: str) -> None:
        """Take a toxic off; one that is not there is as good as removed. Raises CannotRun where it stays."""
        if toxic not in self.toxics(name):
            return
        self._asked("DELETE", f"/proxies/{name}/toxics/{toxic}")
        if toxic in self.toxics(name):
            raise CannotRun(f"the UDP proxy kept {toxic} on {name}, asked for its removal")

    def add_everywhere(self, names: Collection[str], toxic: str, kind: str, stream: str) -> None:
        """A toxic without attributes on many proxies, read back all at once: the proxy's packets wait for its API."""
        for name in names:
            self._asked("POST", f"/proxies/{name}/toxics", {"name": toxic, "type": kind, "stream": stream})
        if without := sorted(set(names) - self._having(toxic)):
            raise CannotRun(f"the UDP proxy kept no {toxic} on {', '.join(without[:3])}, {len(without)} proxies in all")

    def remove_everywhere(self, names: Collection[str], toxic: str) -> None:
        """Take it off wherever it is; raises CannotRun where it stays."""
        for name in sorted(self._having(toxic) & set(names)):
            self._asked("DELETE", f"/proxies/{name}/toxics/{toxic}")
        if kept := sorted(self._having(toxic) & set(names)):
            raise CannotRun(f"the UDP proxy kept {toxic} on {', '.join(kept[:3])}, {len(kept)} proxies in all")

    def acted(self, names: Collection[str], toxic: str) -> list[int]:
        """On how many packets a toxic has acted, for each of these proxies."""
        shown = self._asked("GET", "/proxies")
        return [int(shown[name]["counts"]["acted"].get(toxic, 0)) for name in names]

    def _having(self, toxic: str) -> set[str]:
        """The proxies that this toxic is on."""
        shown = self._asked("GET", "/proxies")
        return {name for name, proxy in shown.items() if any(one["name"] == toxic for one in proxy["toxics"])}

    def toxics(self, name: str) -> tuple[str, ...]:
        """The names of the toxics on a proxy, read from the server."""
        return tuple(toxic["name"] for toxic in self._asked("GET", f"/proxies/{name}/toxics"))

    def own_losses(self) -> int:
        """What the proxy has lost so far without being asked to, all its proxies together."""
        return sum(sum(proxy["counts"]["losses"].values()) for proxy in self._asked("GET", "/proxies").values())

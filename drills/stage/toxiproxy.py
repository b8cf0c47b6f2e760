"""Toxiproxy behind one narrow module: toxiproxy-python with the bounds it lacks.

toxiproxy-python 0.1.1 keeps host and port on a class, so that two servers in one process would be mixed up; it has
no time-outs, it takes an answer of 500 for success, and a hung removal of a toxic hangs its API for ever. Toxiproxy
itself drops misspelt attributes in silence. Hence: a lock around every call, a time-out on every request, every toxic
read back and compared.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from drills.errors import CannotRun

T = TypeVar("T")
API_TIMEOUT_S = 3.0  # the API is on this machine; three seconds of silence is a hang
_lock = threading.Lock()


class _BoundedRequests:
    """What toxiproxy-python calls instead of `requests`: the same three verbs, bounded, without environment proxies.

    Connections are not kept: servers come and go with the runs of one process.
    """

    def __init__(self) -> None:
        import requests

        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Connection"] = "close"

    def get(self, **kwargs: Any) -> Any:
        return self._answered("GET", kwargs)

    def post(self, **kwargs: Any) -> Any:
        return self._answered("POST", kwargs)

    def delete(self, **kwargs: Any) -> Any:
        return self._answered("DELETE", kwargs)

    def _answered(self, verb: str, kwargs: dict[str, Any]) -> Any:
        """The answer; one of 500 and up, which the library would take for success, is raised with its text."""
        import requests

        answer = self._session.request(verb, timeout=API_TIMEOUT_S, **kwargs)
        if answer.status_code >= 500:
            raise requests.HTTPError(f"{answer.status_code} {answer.text.strip()[:200]}")
        return answer


@dataclass(frozen=True)
class ToxiproxyServer:
    """One Toxiproxy server, by the address of its API."""

    host: str
    port: int

    def _call(self, what: str, act: Callable[[Any], T]) -> T:
        """Run ``act(toxiproxy)`` against this server; raises CannotRun naming what was tried."""
        import requests
        import toxiproxy
        import toxiproxy.api
        from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

        with _lock:
            if not isinstance(toxiproxy.api.requests, _BoundedRequests):
                toxiproxy.api.requests = _BoundedRequests()
            toxiproxy.api.APIConsumer.host, toxiproxy.api.APIConsumer.port = self.host, self.port
            try:
                return act(toxiproxy.Toxiproxy())
            except (
                requests.RequestException, InvalidToxic, NotFound, ProxyExists, ValueError, KeyError, TypeError,
                AttributeError,
            ) as error:  # fmt: skip
                raise CannotRun(f"Toxiproxy at {self.host}:{self.port} could not {what}: {error}") from error

    def _on_proxy(self, name: str, what: str, act: Callable[[Any], T]) -> T:
        """Run ``act(proxy)`` on the named proxy; one that the server does not have is a CannotRun."""

        def found(server: Any) -> T:
            proxy = server.get_proxy(name)
            if proxy is None:
                raise KeyError(f"it has no proxy {name}")
            return act(proxy)

        return self._call(f"{what} {name}", found)

    def version(self) -> str:
        """The server's version, as its API tells it."""
        return self._call("tell its version", lambda server: str(json.loads(server.version())["version"]))

    def has(self, name: str) -> bool:
        """Whether the server has a proxy of this name."""
        return self._call(f"look for {name}", lambda server: server.get_proxy(name) is not None)

    def create(self, name: str, listen: str, upstream: str) -> None:
        """A proxy that listens on ``listen`` and dials ``upstream``; both are host:port and read back."""
        made = self._call(f"create {name}", lambda server: server.create(name=name, listen=listen, upstream=upstream))
        if (made.listen, made.upstream) != (listen, upstream):
            raise CannotRun(f"Toxiproxy made {name} {made.listen} to {made.upstream}, asked for {listen} to {upstream}")

    def enabled(self, name: str) -> bool:
        """Whether the proxy listens, read from the server."""
        return self._on_proxy(name, "show", lambda proxy: bool(proxy.enabled))

    def set_enabled(self, name: str, on: bool) -> None:
        """Let a proxy listen, or end its connections and stop listening; raises CannotRun where it did not."""
        word = "enable" if on else "disable"
        self._on_proxy(name, word, lambda proxy: getattr(proxy, word)())
        if self.enabled(name) is not on:
            raise CannotRun(f"Toxiproxy at {self.host}:{self.port} did not {word} {name}")

    def add_toxic(
        self, name: str, toxic: str, kind: str, stream: str, attributes: Mapping[str, int | float | str | bool]
    ) -> None:
        """Put a toxic on a proxy and read it back; raises CannotRun where the server kept something else."""

        def act(proxy: Any) -> Any:
            proxy.add_toxic(type=kind, name=toxic, stream=stream, attributes=dict(attributes))
            return proxy.get_toxic(toxic)

        kept = self._on_proxy(name, f"add {toxic} to", act)
        if kept is None or kept.stream != stream or any(kept.attributes.get(k) != v for k, v in attributes.items()):
            shown = kept and (kept.stream, kept.attributes)
            raise CannotRun(f"Toxiproxy kept {shown} of {toxic} on {name}, asked for {stream} {dict(attributes)}")

    def remove_toxic(self, name: str, toxic: str) -> None:
        """Take a toxic off; one that is not there is as good as removed. Raises CannotRun, in bounded time.

        Toxiproxy 2.12 hangs in a removal while a connection of that proxy has a peer that does not read, and then in
        every other call too, disabling the proxy among them; only the end of that connection frees it. So we ask
        again whether the toxic is still there, and where that is not known say so instead of waiting.
        """
        try:
            self._on_proxy(name, f"remove {toxic} from", lambda proxy: proxy.destroy_toxic(toxic))
        except CannotRun:
            if toxic in self.toxics(name):
                self._on_proxy(name, f"remove {toxic} from", lambda proxy: proxy.destroy_toxic(toxic))

    def toxics(self, name: str) -> tuple[str, ...]:
        """The names of the toxics on a proxy, read from the server."""
        return self._on_proxy(name, "list the toxics of", lambda proxy: tuple(proxy.toxics()))

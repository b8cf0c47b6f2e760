"""The routes of Toxiproxy's HTTP API, from a request to an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from drills.udp_proxy import VERSION, bodies, errors, metrics
from drills.udp_proxy.bodies import ProxyBody
from drills.udp_proxy.collection import Proxies
from drills.udp_proxy.errors import ApiError
from drills.udp_proxy.proxy import Proxy
from drills.udp_proxy.toxic import Toxic

JSON, TEXT = "application/json", "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """Status, body and its content type."""

    status: int
    body: str = ""
    content_type: str = JSON


class Api:
    """Toxiproxy's HTTP API over our proxies. Every call is over when it returns; nothing in it waits."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies

    def answer(self, method: str, path: list[str], body: bytes, user_agent: str = "") -> Answer:
        """What to answer; ``path`` are the decoded parts between the slashes."""
        if user_agent.startswith("Mozilla/"):  # Toxiproxy's guard: no page in a browser is to reach the API
            return Answer(403, "User agent not allowed\n", TEXT)
        allowed = [(verb, act) for verb, pattern, act in ROUTES if _matches(pattern, path)]
        for verb, act in allowed:
            if verb == method:
                return self._acted(act, path[1::2], body)
        return Answer(405, "", TEXT) if allowed else Answer(404, "404 page not found\n", TEXT)

    def _acted(self, act: Callable[..., Answer], names: list[str], body: bytes) -> Answer:
        try:
            return act(self, *names, body)
        except ApiError as error:
            return Answer(error.status, _dumped({"error": error.message, "status": error.status}) + "\n", JSON)

    # -- proxies --------------------------------------------------------------------------------------------------

    def _index(self, body: bytes) -> Answer:
        return _ok({name: proxy.to_json() for name, proxy in self._proxies.by_name.items()})

    def _create(self, body: bytes) -> Answer:
        return _ok(self._proxies.create(bodies.new_proxy(bodies.read(body))).to_json(), 201)

    def _show(self, name: str, body: bytes) -> Answer:
        proxy = self._proxies.get(name)
        return _ok({**proxy.to_json(), "flows": proxy.flows_to_json()})

    def _update(self, name: str, body: bytes) -> Answer:
        proxy = self._proxies.get(name)
        now = ProxyBody(proxy.name, proxy.listen, proxy.upstream, proxy.enabled, proxy.canary)
        self._proxies.update(proxy, bodies.changed_proxy(bodies.read(body), now))
        return _ok(proxy.to_json())

    def _delete(self, name: str, body: bytes) -> Answer:
        self._proxies.remove(self._proxies.get(name))
        return Answer(204)

    def _populate(self, body: bytes) -> Answer:
        done: list[Proxy] = []
        try:
            given = bodies.read(body)
            if not isinstance(given, list):
                raise errors.bad_body("found something else, expected a list of proxies")
            self._proxies.populate([bodies.new_proxy(one, f" at proxy {i + 1}") for i, one in enumerate(given)], done)
        except ApiError as error:
            return _ok({"error": error.message, "status": error.status, **_listed(done)}, error.status)
        return _ok(_listed(done), 201)

    def _reset(self, body: bytes) -> Answer:
        self._proxies.reset()
        return Answer(204)

    # -- toxics ---------------------------------------------------------------------------------------------------

    def _toxic_index(self, name: str, body: bytes) -> Answer:
        return _ok([toxic.to_json() for toxic in self._proxies.get(name).toxics])

    def _toxic_create(self, name: str, body: bytes) -> Answer:
        proxy = self._proxies.get(name)
        asked = bodies.new_toxic(bodies.read(body))
        if proxy.toxic(asked.name):
            raise errors.toxic_exists()
        return _ok(proxy.add(asked.name, asked.type, asked.stream, asked.toxicity, asked.attributes).to_json())

    def _toxic_show(self, name: str, toxic: str, body: bytes) -> Answer:
        return _ok(self._toxic(name, toxic)[1].to_json())

    def _toxic_update(self, name: str, toxic: str, body: bytes) -> Answer:
        proxy, now = self._toxic(name, toxic)
        asked = bodies.changed_toxic(bodies.read(body), now)
        return _ok(proxy.edit(now, asked.toxicity, asked.attributes).to_json())

    def _toxic_delete(self, name: str, toxic: str, body: bytes) -> Answer:
        proxy, now = self._toxic(name, toxic)
        proxy.remove(now)
        return Answer(204)

    def _toxic(self, name: str, toxic: str) -> tuple[Proxy, Toxic]:
        proxy = self._proxies.get(name)
        found = proxy.toxic(toxic)
        if found is None:
            raise errors.no_toxic()
        return proxy, found

    # -- the program ----------------------------------------------------------------------------------------------

    def _version(self, body: bytes) -> Answer:
        return _ok({"version": VERSION, "program": "udp_proxy", "seed": self._proxies.settings.seed})

    def _metrics(self, body: bytes) -> Answer:
        late_ns_max = self._proxies.settings.loop.held.late_ns_max
        return Answer(200, metrics.text(self._proxies.by_name.values(), late_ns_max), metrics.CONTENT_TYPE)


ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", "proxies", Api._index),
    ("POST", "proxies", Api._create),
    ("GET", "proxies/*", Api._show),
    ("POST", "proxies/*", Api._update),
    ("PATCH", "proxies/*", Api._update),
    ("DELETE", "proxies/*", Api._delete),
    ("GET", "proxies/*/toxics", Api._toxic_index),
    ("POST", "proxies/*/toxics", Api._toxic_create),
    ("GET", "proxies/*/toxics/*", Api._toxic_show),
    ("POST", "proxies/*/toxics/*", Api._toxic_update),
    ("PATCH", "proxies/*/toxics/*", Api._toxic_update),
    ("DELETE", "proxies/*/toxics/*", Api._toxic_delete),
    ("POST", "populate", Api._populate),
    ("POST", "reset", Api._reset),
    ("GET", "version", Api._version),
    ("GET", "metrics", Api._metrics),
]


def _matches(pattern: str, path: list[str]) -> bool:
    words = pattern.split("/")
    return len(words) == len(path) and all(word in ("*", part) and part for word, part in zip(words, path, strict=True))


def _ok(body: Any, status: int = 200) -> Answer:
    return Answer(status, _dumped(body))


def _listed(proxies: list[Proxy]) -> dict[str, Any]:
    return {"proxies": [proxy.to_json() for proxy in proxies] or None}  # Toxiproxy's null where there are none


def _dumped(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))

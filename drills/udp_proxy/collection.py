"""All proxies by name, with Toxiproxy's meaning of create, populate and reset."""

from __future__ import annotations

from collections.abc import Iterable

from drills.udp_proxy import errors
from drills.udp_proxy.bodies import ProxyBody
from drills.udp_proxy.proxy import Proxy, Settings


class Proxies:
    """The proxies of this program."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.by_name: dict[str, Proxy] = {}
        settings.loop.look_around.append(self._forget_idle)

    def get(self, name: str) -> Proxy:
        """The proxy of this name; raises ApiError."""
        if name not in self.by_name:
            raise errors.no_proxy()
        return self.by_name[name]

    def create(self, asked: ProxyBody) -> Proxy:
        """A proxy of a new name; raises ApiError."""
        if asked.name in self.by_name:
            raise errors.proxy_exists()
        proxy = Proxy(asked.name, asked.listen, asked.upstream, self.settings)
        proxy.canary = asked.canary
        if asked.enabled:
            _started(proxy)
        self.by_name[asked.name] = proxy
        return proxy

    def update(self, proxy: Proxy, asked: ProxyBody) -> None:
        """Other addresses, on or off; raises ApiError."""
        proxy.watch(asked.canary)
        try:
            proxy.move(asked.listen, asked.upstream, asked.enabled)
        except OSError as error:
            raise _cannot_listen(proxy, error) from None

    def populate(self, asked: Iterable[ProxyBody], done: list[Proxy]) -> None:
        """Each as asked for; those that are there with the same addresses stay as they are, others are replaced.

        ``done`` has those that were reached before an error. Raises ApiError.
        """
        for one in asked:
            there = self.by_name.get(one.name)
            if there is None or (one.listen, one.upstream) != (there.listen, there.upstream):
                if there is not None:
                    self.remove(there)
                there = self.create(one)
            done.append(there)

    def remove(self, proxy: Proxy) -> None:
        """End a proxy and its flows."""
        proxy.stop()
        del self.by_name[proxy.name]

    def reset(self) -> None:
        """All proxies on, all toxics off; raises ApiError."""
        for proxy in self.by_name.values():
            proxy.clear()
            _started(proxy)

    def close(self) -> None:
        """End everything."""
        for proxy in [*self.by_name.values()]:
            self.remove(proxy)

    def _forget_idle(self, now_ns: int) -> None:
        for proxy in self.by_name.values():
            proxy.forget_idle(now_ns)


def _started(proxy: Proxy) -> None:
    try:
        proxy.start()
    except OSError as error:
        raise _cannot_listen(proxy, error) from None


def _cannot_listen(proxy: Proxy, error: OSError) -> errors.ApiError:
    return errors.ApiError(f"listen udp {proxy.listen}: {error.strerror or error}", 500)

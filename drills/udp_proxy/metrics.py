"""The proxies' counters in Prometheus' text format, under Toxiproxy's names where it has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from drills.udp_proxy.proxy import Proxy

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
COUNTED = ("received_bytes", "sent_bytes", "received_packets", "sent_packets", "refused_packets")


def text(proxies: Iterable[Proxy], late_ns_max: int) -> str:
    """Every counter of every proxy, and how late a held packet has left at most."""
    tallies = [(proxy, proxy.tally()) for proxy in proxies]
    lines = []
    for name in COUNTED:
        lines.append(f"# TYPE toxiproxy_proxy_{name}_total counter")
        for proxy, tally in tallies:
            for direction, counts in (("upstream", tally.upstream), ("downstream", tally.downstream)):
                labels = _labels(direction=direction, listener=str(proxy.listen), proxy=proxy.name,
                                 upstream=str(proxy.upstream))  # fmt: skip
                lines.append(f"toxiproxy_proxy_{name}_total{labels} {getattr(counts, name)}")
    lines.append("# TYPE udp_proxy_own_losses_total counter")
    for proxy, tally in tallies:
        for where, lost in asdict(tally.losses).items():
            lines.append(f"udp_proxy_own_losses_total{_labels(proxy=proxy.name, where=where)} {lost}")
    lines += ["# TYPE udp_proxy_late_seconds_max gauge", f"udp_proxy_late_seconds_max {late_ns_max / 1e9:.6f}"]
    return "\n".join(lines) + "\n"


def _labels(**labels: str) -> str:
    escaped = ((name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in labels.items())
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"

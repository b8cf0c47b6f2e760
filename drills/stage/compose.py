"""The services as docker-compose.drills.yml describes them, for the stage that is not Compose itself.

The YAML subset that is understood: the top-level keys of ``TOP_KEYS``; per service the keys of ``SERVICE_KEYS``; what a
service is as the label ``wavry-drills.kind``; a command (what its entry point is given) as a list; an environment as a
mapping; interpolation as ``${NAME:-default}``. Anything else is refused, so that the two stages cannot drift apart
unseen.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills.errors import BadInput
from drills.scenario import strict_yaml
from drills.scenario.problems import Problems, joined

TOP_KEYS = {"name", "services", "volumes", "networks", "configs", "x-proxies", "x-udp-proxies"}
# Those the process stage acts on come first; the rest belong to containers and are Compose's business.
SERVICE_KEYS = {"command", "environment", "volumes", "labels"} | {
    "image", "restart", "stop_grace_period", "read_only", "cap_drop", "cap_add", "security_opt", "tmpfs", "networks",
    "healthcheck", "depends_on", "user", "profiles", "configs", "scale", "cpu_shares", "logging",
}  # fmt: skip
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+):-([^}$]*)\}")
_ADDRESS = re.compile(r"\$\{DRILLS_ADDRESS_([A-Z0-9_]+):-[^}$]*\}:([0-9]+)")
_NAME = re.compile(r"[a-z][a-z0-9_]*")  # a service's name becomes a folder and part of a variable
_UDP_NAME = re.compile(r"(clients|hosts)_to_[a-z0-9_]+")
_SOURCE = re.compile(r"(?:\$\{[^}]*\}|[^:$])*:")  # of a volume, up to where it is mounted
_VOLUME = re.compile(r"(?:[a-z][a-z0-9_-]*:/[^:]*|[^:]+:/[^:]*:ro)")
KIND_LABEL = "wavry-drills.kind"
CONTROL_PLANE = ("gateway", "master", "relay")
LOAD = ("locust_master", "locust_worker")
KINDS = (*CONTROL_PLANE, "toxiproxy", "udp_proxy", *LOAD, "proxies")
PATHS = {"clients": ("clients",), "hosts": ("hosts",), "ends": ("clients", "hosts")}  # what a UDP path means
DIRECT = "direct"  # the path between ends, past every relay: a proxy for each end, made when the load is planned
TOTP_KEY = "DRILLS_TOTP_KEY"  # the variable of the file that has the key for second factors


@dataclass(frozen=True)
class ServicePlan:
    """One service as the file has it, before interpolation."""

    name: str
    kind: str  # one of KINDS
    command: tuple[str, ...]  # what its program is given
    environment: Mapping[str, str]
    data_paths: tuple[str, ...]  # where the volumes are mounted that it writes to


@dataclass(frozen=True)
class ProxyPlan:
    """One path that Toxiproxy or the UDP fault proxy stands in, before interpolation."""

    name: str
    listen: str
    upstream: str


@dataclass(frozen=True)
class Compose:
    """The whole file."""

    path: Path
    services: Mapping[str, ServicePlan]
    proxies: Mapping[str, ProxyPlan]
    udp_proxies: Mapping[str, ProxyPlan] = field(default_factory=dict)

    def of_kind(self, *kinds: str) -> tuple[str, ...]:
        """The services of these kinds, in the order of the file."""
        return tuple(name for name, service in self.services.items() if service.kind in kinds)

    def on_path(self, path: str, services: Collection[str]) -> tuple[str, ...]:
        """The UDP proxies on a path (``clients``, ``hosts`` or ``ends``) to the relays among these services."""
        sides = PATHS[path]
        return tuple(
            name for name in self.udp_proxies
            if (parts := name.partition("_to_"))[0] in sides and parts[2] in services
        )  # fmt: skip

    def joined_by(self, proxy: str) -> tuple[str, ...]:
        """The services that a proxy stands between: who is behind it, and whoever is configured to dial it."""
        plan = self.proxies[proxy]
        behind = {name for name, _ in _addresses(plan.upstream)}
        door = set(_addresses(plan.listen))
        return tuple(
            name
            for name in self.of_kind(*CONTROL_PLANE)
            if name in behind or door & {pair for text in _texts(self.services[name]) for pair in _addresses(text)}
        )


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """``${NAME:-default}`` replaced as Compose does; an empty value counts as unset, as the ``:-`` form has it."""
    return _VARIABLE.sub(lambda match: variables.get(match[1]) or match[2], text)


def load_compose(path: Path) -> Compose:
    """The services and proxies in ``path``; raises BadInput with every problem found."""
    document = strict_yaml.read(path, aliases=True)
    raw = document.data
    problems = Problems(path, [*document.problems])
    if not isinstance(raw, dict) or not isinstance(raw.get("services"), dict) or not raw["services"]:
        problems.add("services", raw.get("services") if isinstance(raw, dict) else raw, "a mapping of services")
        raise BadInput(*problems.lines)
    _check_keys(problems, "", raw, TOP_KEYS)
    _check_variables(problems, raw)
    services = {name: _service(problems, name, spec) for name, spec in raw["services"].items()}
    proxies = _proxies(problems, "x-proxies", raw.get("x-proxies", {}), services)
    udp_proxies = _proxies(problems, "x-udp-proxies", raw.get("x-udp-proxies", {}), services)
    for name in udp_proxies:
        if not _UDP_NAME.fullmatch(name) or name.partition("_to_")[2] not in services:
            problems.add(joined("x-udp-proxies", name), name, "clients_to_<relay> or hosts_to_<relay>")
    if problems.lines:
        raise BadInput(*problems.lines)
    return Compose(path, services, proxies, udp_proxies)


def _texts(service: ServicePlan) -> list[str]:
    return [*service.command, *service.environment.values()]


def _addresses(text: str) -> list[tuple[str, str]]:
    """Every service and port that a text names by ``${DRILLS_ADDRESS_…:-…}:port``."""
    return [(name.lower(), port) for name, port in _ADDRESS.findall(text)]


def _check_keys(problems: Problems, path: str, raw: dict[str, Any], keys: set[str]) -> None:
    for key in raw:
        if key not in keys:
            problems.add(joined(path, key), raw[key], f"no such key here; the keys are {', '.join(sorted(keys))}")


def _check_variables(problems: Problems, raw: Any) -> None:
    for where, text in _strings("", raw):
        if "$" in _VARIABLE.sub("", text):
            problems.add(where, text, "variables only as ${NAME:-default}")


def _strings(path: str, raw: Any) -> Iterator[tuple[str, str]]:
    """Every text in the file with its path; what aliases share comes as often as it is used (their sum is bounded)."""
    if isinstance(raw, str):
        yield path, raw
    for part, value in raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ():
        yield from _strings(joined(path, part), value)


def _service(problems: Problems, name: str, raw: Any) -> ServicePlan:
    where = joined("services", name)
    if not _NAME.fullmatch(name):
        problems.add(where, name, "a name of lower-case letters, digits and underscores")
    if not isinstance(raw, dict):
        problems.add(where, raw, "a mapping")
        return ServicePlan(name, "gateway", (), {}, ())
    _check_keys(problems, where, raw, SERVICE_KEYS)
    command = _words(problems, f"{where}.command", raw["command"], "a list of words") if "command" in raw else []
    volumes = _words(problems, f"{where}.volumes", raw["volumes"], "a list of name:path") if "volumes" in raw else []
    for index, volume in enumerate(volumes):
        if not _VOLUME.fullmatch(_plain(volume)):
            problems.add(f"{where}.volumes[{index}]", volume, "a named volume as name:/path, or anything read-only")
    written = tuple(_SOURCE.sub("", volume, count=1) for volume in volumes if not volume.endswith(":ro"))
    environment = _environment(problems, f"{where}.environment", raw.get("environment", {}))
    return ServicePlan(name, _kind(problems, where, raw.get("labels")), tuple(command), environment, written)


def _plain(volume: str) -> str:
    """A volume with a stand-in for each variable: a name where it begins with one, else a path."""
    named = _VARIABLE.sub("name", volume, count=1) if volume.startswith("${") else volume
    return _VARIABLE.sub("/…", named)


def _kind(problems: Problems, where: str, labels: Any) -> str:
    """What a service is, by its label; a gateway where that cannot be read, so that this mistake causes no other."""
    found = labels.get(KIND_LABEL) if isinstance(labels, dict) else labels
    if isinstance(found, str) and found in KINDS:
        return found
    problems.add(f"{where}.labels", found, f"{KIND_LABEL} as one of {', '.join(KINDS)}")
    return "gateway"


def _words(problems: Problems, path: str, raw: Any, expected: str) -> list[str]:
    if isinstance(raw, list) and raw and all(isinstance(word, str) for word in raw):
        return raw
    problems.add(path, raw, expected)
    return []


def _environment(problems: Problems, path: str, raw: Any) -> dict[str, str]:
    if not isinstance(raw, dict):
        problems.add(path, raw, "a mapping of text to text")
        return {}
    for key, value in raw.items():
        if not isinstance(value, str):
            problems.add(joined(path, key), value, "text (in quotes, if it looks like something else)")
    return {key: value for key, value in raw.items() if isinstance(value, str)}


def _proxies(
    problems: Problems, key: str, raw: Any, services: Mapping[str, ServicePlan]
) -> dict[str, ProxyPlan]:  # fmt: skip
    if not isinstance(raw, dict):
        problems.add(key, raw, "a mapping of proxies")
        return {}
    proxies: dict[str, ProxyPlan] = {}
    doors: dict[str, str] = {}
    for name, spec in raw.items():
        where = joined(key, name)
        if not isinstance(spec, dict) or set(spec) != {"listen", "upstream"}:
            problems.add(where, spec, "listen and upstream")
            continue
        for key, text in spec.items():
            _check_address(problems, f"{where}.{key}", text, services)
        door = str(spec["listen"])
        if door in doors:
            problems.add(f"{where}.listen", door, f"an address that {doors[door]} does not listen on")
        doors.setdefault(door, name)
        proxies[name] = ProxyPlan(name, door, str(spec["upstream"]))
    return proxies


def _check_address(problems: Problems, path: str, text: Any, services: Mapping[str, ServicePlan]) -> None:
    found = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
    if found is None or found[1].lower() not in services:
        problems.add(path, text, "${DRILLS_ADDRESS_<SERVICE>:-…}:port with a service of this file")

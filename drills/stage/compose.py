"""The services as docker-compose.drills.yml describes them, for the stage that is not Compose itself.

The YAML subset that is understood: top-level ``name``, ``services``, ``volumes``, ``networks`` and ``x-proxies``;
per service the keys of ``SERVICE_KEYS``; a command as a list; an environment as a mapping; interpolation as
``${NAME:-default}``. Anything else is refused, so that the two stages cannot drift apart unseen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drills.errors import BadInput
from drills.scenario import strict_yaml

TOP_KEYS = {"name", "services", "volumes", "networks", "x-proxies"}
# Those the process stage acts on come first; the rest belong to containers and are Compose's business.
SERVICE_KEYS = {"command", "environment", "volumes"} | {
    "image", "restart", "stop_signal", "stop_grace_period", "read_only", "cap_drop", "cap_add", "security_opt",
    "tmpfs", "networks", "labels", "healthcheck", "depends_on", "user", "profiles",
}  # fmt: skip
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+):-([^}]*)\}")
_DOLLAR = re.compile(r"\$")
KINDS = {"wavry-gateway": "gateway", "wavry-master": "master", "wavry-relay": "relay", "toxiproxy-server": "toxiproxy"}


@dataclass(frozen=True)
class ServicePlan:
    """One service as the file has it, before interpolation."""

    name: str
    kind: str  # gateway, master, relay or toxiproxy
    command: tuple[str, ...]
    environment: Mapping[str, str]
    data_paths: tuple[str, ...]  # where its volumes are mounted


@dataclass(frozen=True)
class ProxyPlan:
    """One path that Toxiproxy stands in, before interpolation."""

    name: str
    listen: str
    upstream: str


@dataclass(frozen=True)
class Compose:
    """The whole file."""

    path: Path
    services: Mapping[str, ServicePlan]
    proxies: Mapping[str, ProxyPlan]


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """``${NAME:-default}`` replaced as Compose does; an empty value counts as unset, as the ``:-`` form has it."""
    return _VARIABLE.sub(lambda match: variables.get(match[1]) or match[2], text)


def load_compose(path: Path) -> Compose:
    """The services and proxies in ``path``; raises BadInput with every problem found."""
    raw = strict_yaml.load(path, aliases=True)
    if not isinstance(raw, dict) or not isinstance(raw.get("services"), dict):
        raise BadInput(f"{path}: services: found nothing usable, expected a mapping of services")
    problems = [f"{path}: {key}: found {key!r}, expected one of {', '.join(sorted(TOP_KEYS))}"
                for key in raw if key not in TOP_KEYS]  # fmt: skip
    services = {name: _service(path, name, spec, problems) for name, spec in raw["services"].items()}
    proxies = {name: _proxy(path, name, spec, problems) for name, spec in (raw.get("x-proxies") or {}).items()}
    if problems:
        raise BadInput(*problems)
    return Compose(path, services, proxies)


def _service(path: Path, name: str, spec: Any, problems: list[str]) -> ServicePlan:
    where = f"{path}: services.{name}"
    spec = spec if isinstance(spec, dict) else {}
    problems += [f"{where}.{key}: found {key!r}, expected one of {', '.join(sorted(SERVICE_KEYS))}"
                 for key in spec if key not in SERVICE_KEYS]  # fmt: skip
    command, environment, volumes = spec.get("command"), spec.get("environment", {}), spec.get("volumes", [])
    if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
        problems.append(f"{where}.command: found {command!r}, expected a list of words")
        command = ["wavry-gateway"]
    if not isinstance(environment, dict) or not all(isinstance(value, str) for value in environment.values()):
        problems.append(f"{where}.environment: found {type(environment).__name__}, expected a mapping of text to text")
        environment = {}
    if not isinstance(volumes, list) or not all(isinstance(volume, str) for volume in volumes):
        problems.append(f"{where}.volumes: found {volumes!r}, expected a list of name:path")
        volumes = []
    if command[0] not in KINDS:
        problems.append(f"{where}.command[0]: found {command[0]!r}, expected one of {', '.join(KINDS)}")
    for text in [*command, *environment.values(), *volumes]:
        _check_variables(where, text, problems)
    paths = tuple(volume.split(":", 1)[1] for volume in volumes if ":" in volume)
    return ServicePlan(name, KINDS.get(command[0], "gateway"), tuple(command), dict(environment), paths)


def _proxy(path: Path, name: str, spec: Any, problems: list[str]) -> ProxyPlan:
    if not isinstance(spec, dict) or set(spec) != {"listen", "upstream"}:
        problems.append(f"{path}: x-proxies.{name}: found {spec!r}, expected listen and upstream")
        return ProxyPlan(name, "", "")
    return ProxyPlan(name, str(spec["listen"]), str(spec["upstream"]))


def _check_variables(where: str, text: str, problems: list[str]) -> None:
    if _DOLLAR.search(_VARIABLE.sub("", text)):
        problems.append(f"{where}: found {text!r:.80}, expected variables only as ${{NAME:-default}}")

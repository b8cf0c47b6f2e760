"""The images that drills run on: what each is piled up from and how it starts, and the tags that name it.

A moving tag (``wavry-drills/gateway:known-good``) is for people; runs use the exact one, which ends in the hash of
everything that determines the content (``…:known-good-1a2b3c4d5e6f``). The whole hash is the image's label.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drills.errors import BadInput, CannotRun
from drills.reference.releases import IMAGE_TAGS, RELEASES, Release
from drills.stage.images import base, layers, sources, toxiproxy_program, wheels
from drills.stage.images.layers import Layer

PREFIX = "wavry-drills"
LABEL = f"{PREFIX}.inputs"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PYTHON = (f"PYTHONPATH=/{sources.HOME}:/{wheels.HOME}", "PYTHONDONTWRITEBYTECODE=1", "PYTHONSAFEPATH=1")
# What Wavry's own images set, open and are started with (contract-gateway §1.8, contract-master-relay §3.8).
OWN_ENVIRONMENT = {
    "gateway": ("RUST_LOG=info", "WAVRY_ALLOW_PUBLIC_BIND=1", "DATABASE_URL=sqlite:gateway.db"),
    "master": ("RUST_LOG=info",),
    "relay": ("RUST_LOG=info",),
}
PORTS = {"gateway": ("3000/tcp",), "master": ("8080/tcp",), "relay": ("4000/udp", "9091/tcp")}
ARGUMENTS = {
    "relay": [
        "--listen", "0.0.0.0:4000", "--master-url", "http://wavry-master:8080", "--health-listen", "0.0.0.0:9091",
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Image:
    """One image before it is made."""

    name: str  # "gateway:known-good"; without a tag where there is only one
    tag: str
    layers: tuple[Layer, ...]
    config: Mapping[str, Any]

    @property
    def inputs(self) -> str:
        """The hash of everything that determines it."""
        keys = [layer.key for layer in self.layers]
        return layers.hashed({"layers": keys, "config": self.config, "architecture": architecture()})

    @property
    def repository(self) -> str:
        """Its name without a tag."""
        return f"{PREFIX}/{self.name.partition(':')[0]}"

    @property
    def moving(self) -> str:
        """The reference for people."""
        return f"{self.repository}:{self.tag}"

    @property
    def exact_tag(self) -> str:
        """The tag with the hash of the inputs."""
        return f"{self.tag}-{self.inputs[:12]}"

    @property
    def exact(self) -> str:
        """The reference that runs use."""
        return f"{self.repository}:{self.exact_tag}"


def architecture() -> str:
    """This machine's, as images name it; raises CannotRun where none of ours can be made."""
    try:
        return ARCHITECTURES[platform.machine()]
    except KeyError:
        known = " and ".join(ARCHITECTURES)
        raise CannotRun(f"images are only made for {known}, not {platform.machine()}: `--stage processes`") from None


def names() -> list[str]:
    """Every image, by the name that ``image`` takes."""
    return list(_table())


def image(name: str) -> Image:
    """The image of this name; raises BadInput with the names there are."""
    table = _table()
    if name not in table:
        raise BadInput(f"no image {name!r}; there are {', '.join(table)}")
    return table[name](name)


def _table() -> dict[str, Callable[[str], Image]]:
    found: dict[str, Callable[[str], Image]] = {"base": _base, "toxiproxy": _toxiproxy, "load": _load}
    for kind in sources.KINDS:
        found |= {f"{kind}:{tag}": _release for tag in IMAGE_TAGS}
        found[f"{kind}:mounted"] = _mounted
    return found


def _base(name: str) -> Image:
    config = {"Env": [PATH], "Cmd": ["python3"], "WorkingDir": "/"}
    return Image(name, base.SUITE, (layers.base_layer(),), config)


def _toxiproxy(name: str) -> Image:
    # as nobody, who has no name here: there is nothing in the image but the program
    config = {"Entrypoint": ["/toxiproxy-server"], "User": "65534:65534", "WorkingDir": "/", "Env": [PATH]}
    return Image(name, toxiproxy_program.VERSION, (layers.toxiproxy(),), config)


def _load(name: str) -> Image:
    # as root: it gets NET_ADMIN to give ends their addresses, and gives up both itself
    config = {"Cmd": ["python3"], "WorkingDir": "/tmp", "Env": [PATH, *PYTHON, "HOME=/tmp"]}
    return Image(name, "latest", (layers.base_layer(), layers.load_packages(), layers.load()), config)


def _release(name: str) -> Image:
    kind, _, tag = name.partition(":")
    piled = (layers.base_layer(), layers.entry(), layers.reference_packages(), layers.reference())
    return Image(name, tag, piled, _service(kind, (*PYTHON, *_of_release(RELEASES[tag]))))


def _mounted(name: str) -> Image:
    """For Wavry's own programs, mounted at /opt/wavry/bin."""
    kind, _, tag = name.partition(":")
    return Image(name, tag, (layers.base_layer(), layers.entry()), _service(kind, ()))


def _of_release(release: Release) -> list[str]:
    return [f"DRILLS_RELEASE={release.tag}", *(f"{key}={value}" for key, value in sorted(release.environment.items()))]


def _service(kind: str, environment: tuple[str, ...]) -> dict[str, Any]:
    home = base.DATA_FOLDERS[kind]
    return {
        "Entrypoint": [f"/usr/local/bin/{kind}-entrypoint.sh"],
        "Cmd": ARGUMENTS.get(kind, []),
        "User": "wavry",
        "WorkingDir": home,
        "ExposedPorts": {port: {} for port in PORTS[kind]},
        "Env": [PATH, f"HOME={home}", *OWN_ENVIRONMENT[kind], *environment],
    }

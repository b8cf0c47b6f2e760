"""The layers that images are piled up from: what each is determined by, and how it is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills.stage.images import base, places, sources, tarball, toxiproxy_program, wheels
from drills.stage.images.compiled import Compiler
from drills.stage.images.tarball import Member

Make = Callable[[Path, Compiler], Mapping[str, Any]]


@dataclass(frozen=True)
class Layer:
    """One layer: everything that determines it, and the act of making it (target -> what is worth knowing of it)."""

    name: str
    what: str
    inputs: Mapping[str, Any]
    make: Make = field(compare=False, repr=False)

    @property
    def key(self) -> str:
        """The hash of its inputs."""
        return hashed({"name": self.name, **self.inputs})

    @property
    def file(self) -> Path:
        """Its tar in the cache."""
        return places.LAYERS / f"{self.name}-{self.key[:12]}.tar"


@dataclass(frozen=True)
class MadeLayer:
    """A layer as it was made: its diff id, its tar where we have it, what is worth knowing of it."""

    diff_id: str
    file: Path | None
    notes: Mapping[str, Any]


def hashed(inputs: Mapping[str, Any]) -> str:
    """The hash of inputs, whatever order they are listed in."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def made_before(layer: Layer) -> MadeLayer | None:
    """The layer from the cache, if it was made from the same inputs."""
    note = layer.file.with_suffix(".json")
    if not (note.exists() and layer.file.exists()):
        return None
    found = json.loads(note.read_text(encoding="utf-8"))
    return MadeLayer(found["diff_id"], layer.file, found["notes"])


def make(layer: Layer, compiler: Compiler) -> MadeLayer:
    """Make a layer and put it into the cache, where it replaces an older one of its name; the lock must be held."""
    target = places.WORK / "layer.tar"
    notes = layer.make(target, compiler)
    made = MadeLayer(tarball.digest(target), layer.file, notes)
    note = places.WORK / "layer.json"
    note.write_text(json.dumps({"diff_id": made.diff_id, "notes": notes}, sort_keys=True), encoding="utf-8")
    for older in places.LAYERS.glob(f"{layer.name}-????????????.*"):
        older.unlink()
    places.put(target, layer.file)
    places.put(note, layer.file.with_suffix(".json"))
    return made


def base_layer() -> Layer:
    """Debian with Python, the user and the folders."""
    return Layer("base", "Debian with Python (a minute, once)", base.inputs(), lambda target, _: base.make(target))


def entry() -> Layer:
    """The entry scripts, and the mount point of Wavry's programs."""
    files = sources.entry_files()
    mounted = Member("opt/wavry/bin", None, 0o755)
    return _packed("entry", "the entry scripts", sources.inputs(files), lambda: [mounted, *sources.members({}, files)])


def reference() -> Layer:
    """The reference control plane."""
    files, programs = sources.reference_files(), sources.program_files()
    inputs = sources.inputs(files, programs)
    return _compiled("reference", "the reference", inputs, lambda: sources.members(files, programs))


def reference_packages() -> Layer:
    """The Python packages that the reference needs."""
    inputs, what = wheels.inputs(wheels.REFERENCE), "the reference's Python packages (once)"
    return _compiled("reference-packages", what, inputs, lambda: wheels.members(wheels.REFERENCE))


def load() -> Layer:
    """The load, the wire clients and the proxies' set-up."""
    files = sources.load_files()
    return _compiled("load", "the load", sources.inputs(files), lambda: sources.members(files, {}))


def load_packages() -> Layer:
    """The Python packages that the load needs, Locust and pyarrow among them."""
    names = wheels.for_the_load()
    what = "the load's Python packages (a minute or two, once)"
    return _compiled("load-packages", what, wheels.inputs(names), lambda: wheels.members(names))


def toxiproxy() -> Layer:
    """Toxiproxy's server and nothing else."""
    what = "Toxiproxy, from its Go module (once)"
    return _packed("toxiproxy", what, toxiproxy_program.inputs(), toxiproxy_program.members)


def _packed(name: str, what: str, inputs: Mapping[str, Any], members: Callable[[], Iterable[Member]]) -> Layer:
    def make_it(target: Path, _: Compiler) -> Mapping[str, Any]:
        tarball.written(members(), target)
        return {}

    return Layer(name, what, inputs, make_it)


def _compiled(name: str, what: str, inputs: Mapping[str, Any], members: Callable[[], Iterable[Member]]) -> Layer:
    def make_it(target: Path, compiler: Compiler) -> Mapping[str, Any]:
        tarball.written(compiler.compiled(members()), target)
        return {}

    # whose Python compiled it is an input too
    return Layer(name, what, {**inputs, "base": base.inputs()}, make_it)

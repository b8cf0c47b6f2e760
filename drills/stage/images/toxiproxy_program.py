"""The one file of the Toxiproxy image: its server, built from its Go module without a C library."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from drills.errors import CannotRun
from drills.stage.images import bounded, places
from drills.stage.images.tarball import Member

VERSION = "2.12.0"  # the Makefile's; a test compares the two
MODULE = f"github.com/Shopify/toxiproxy/v2/cmd/server@v{VERSION}"
RECIPE = 1
FLAGS = ("-trimpath", "-ldflags", f"-s -w -X github.com/Shopify/toxiproxy/v2.Version={VERSION}")
WITHIN_S = 600.0


def inputs() -> dict[str, Any]:
    """Everything of ours that determines the program; which Go built it is in the program itself."""
    return {"recipe": RECIPE, "module": MODULE, "flags": FLAGS}


def members() -> list[Member]:
    """The program, built where it is not here yet; raises CannotRun where there is no Go."""
    program = places.FOLDER / f"toxiproxy-server-{VERSION}-{RECIPE}"
    if not program.exists():
        _build(program)
    return [Member("toxiproxy-server", program.read_bytes(), 0o755)]


def _build(program: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise CannotRun("no Go on the PATH to build Toxiproxy with: install Go 1.23 or newer")
    folder = places.WORK / "go"
    environment = {"CGO_ENABLED": "0", "GOBIN": str(folder), "GOFLAGS": "", "GOOS": "linux"}
    bounded.run([go, "install", *FLAGS, MODULE], places.LOGS / "toxiproxy.log", WITHIN_S, environment=environment)
    places.put(folder / "server", program)

"""What a run has in the engine (containers, networks, volumes), found by its project's label, and removed.

A run's project is named after its folder, so that it can be found without the run; a note in the folder says that
there may be something, from before the first container is made until the last thing is gone.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

from drills.errors import CannotRun
from drills.stage import engine
from drills.stage.asking import asked

PROJECT_LABEL = "com.docker.compose.project"
RUN_LABEL = "wavry-drills.run"  # of docker-compose.drills.yml: the run's folder
NOTE = "stage.json"
GONE_S = 30.0
AT_ONCE = 8


def project_of(folder: Path) -> str:
    """The Compose project of a run: ``drills-`` and a digest of the folder's full path."""
    return "drills-" + sha256(str(folder.resolve()).encode()).hexdigest()[:12]


def note(folder: Path) -> None:
    """Say in the run's folder that the engine may hold something of it."""
    (folder / NOTE).write_text(json.dumps({"stage": "containers", "project": project_of(folder)}) + "\n")


def noted(folder: Path) -> bool:
    """Whether the engine may hold something of this run."""
    return (folder / NOTE).exists()


def labelled() -> list[Path]:
    """The folders of all runs that the engine has something of, dead or alive; none where no engine answers."""
    if not engine.version():
        return []
    found: set[str] = set()
    with contextlib.suppress(CannotRun), asked("list what it has of runs") as client:
        wanted = {"label": RUN_LABEL}
        things = client.api.containers(all=True, filters=wanted) + client.api.networks(filters=wanted)
        things += client.api.volumes(filters=wanted)["Volumes"] or []
        found = {thing["Labels"][RUN_LABEL] for thing in things}
    return sorted(Path(folder) for folder in found if folder.startswith("/"))  # not what stands there by hand


def sweep(folder: Path, settle_s: float = 0.0) -> list[str]:
    """Remove everything of a run from the engine and wait until it is gone; returns the names of what was there.

    ``settle_s``: where something may have been cut short while it asked the engine for more, look again after so long.

    Raises CannotRun if the engine does not answer or something will not go; the note stays then.
    """
    label = {"label": f"{PROJECT_LABEL}={project_of(folder)}"}
    swept: dict[str, None] = {}
    deadline = time.monotonic() + GONE_S
    with asked("remove what a run has left", timeout_s=GONE_S) as client:
        while (left := _left(client.api, label)) or _still_coming(client.api, label, settle_s):
            if time.monotonic() > deadline:
                raise CannotRun(f"still there after {GONE_S:g} s: {', '.join(left)}")
            swept.update(dict.fromkeys(left))
            _removed(left)
    (folder / NOTE).unlink(missing_ok=True)
    return [*swept]


def _still_coming(api: Any, label: dict[str, str], settle_s: float) -> bool:
    """Whether something appears after all that was asked for before we began."""
    if settle_s:
        time.sleep(settle_s)
    return bool(settle_s and _left(api, label))


def _left(api: Any, label: dict[str, str]) -> dict[str, Callable[[Any], None]]:
    """What is still there, by name, with how to remove it; networks only once no container holds on to them."""
    containers = {one["Names"][0].lstrip("/") if one["Names"] else one["Id"][:12]: _container(one["Id"])
                  for one in api.containers(all=True, filters=label)}  # fmt: skip
    if containers:
        return containers
    networks = {f"network {one['Name']}": _network(one["Id"]) for one in api.networks(filters=label)}
    volumes = {f"volume {one['Name']}": _volume(one["Name"]) for one in api.volumes(filters=label)["Volumes"] or []}
    return networks | volumes


def _container(identity: str) -> Callable[[Any], None]:
    return lambda api: api.remove_container(identity, force=True, v=True)


def _network(identity: str) -> Callable[[Any], None]:
    return lambda api: api.remove_network(identity)


def _volume(name: str) -> Callable[[Any], None]:
    return lambda api: api.remove_volume(name, force=True)


def _removed(left: dict[str, Callable[[Any], None]]) -> None:
    """Ask for the removal of all of them at once; what is refused or gone already shows at the next look."""
    import docker.errors

    def remove(act: Callable[[Any], None]) -> None:
        with asked("remove something", timeout_s=GONE_S) as client:
            try:
                act(client.api)
            except docker.errors.APIError:
                time.sleep(0.05)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(remove, act) for act in left.values()]:
            done.result()

"""What a record says about how it came to be: commit, programs, seed, versions, limits in force, the command line."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from drills import __version__, ledger
from drills.load.settings import LoadSettings
from drills.record import now_text
from drills.scenario.models import Scenario
from drills.scenario.tiers import Tiers
from drills.stage.base import Stage
from drills.stage.children import REPOSITORY

if TYPE_CHECKING:
    from drills.options import Options
    from drills.paths.floor import Floor


def write_provenance(
    scenario: Scenario, stage: Stage, tiers: Tiers, options: Options, settings: LoadSettings, folder: Path,
    under: Mapping[str, Floor],
) -> None:  # fmt: skip
    """provenance.json in the run's folder; no secret is in it."""
    limits = {f"{service.name}.{key}": value for service in stage.services.values()
              for key, value in service.environment.items() if "LIMIT" in key or "MAX" in key}  # fmt: skip
    facts = {
        "drill": scenario.name, "run": folder.name, "started_at": now_text(), "command": options.command,
        "target": options.target, "stage": stage.name, "stage_why": options.stage_why,
        "tier": options.tier, "pace": options.pace,
        "seed": options.seed, "defects": list(options.defects), "suite": options.suite,
        "heartbeat_s": stage.heartbeat_s, "drills_version": __version__, "commit": _commit(),
        "programs": stage.versions(), "ground": stage.ground(), "key_id": stage.secrets.key_id,
        "known_good": ledger.read(options.out, options.target),
        "python": sys.version.split()[0], "platform": platform.platform(), "cpus": _cpus(),
        "libraries": {name: version(name) for name in ("locust", "gevent", "pyarrow", "numpy", "toxiproxy-python")},
        "services": {service.name: {"address": service.address, "command": [*service.command]}
                     for service in stage.services.values()},
        "limits_in_force": limits,
        "tier_limits": {name: row.limits[options.tier] for name, row in tiers.indicators.items()},
        "load": {"resident": settings.resident, "visitors": settings.visitors, "workers": settings.workers,
                 "evidence_factor": tiers.evidence[options.tier],
                 "resident_length_s": settings.resident_length_s, "visit_length_s": settings.visit_length_s},
        "network": str(stage.block.network), "direct_path": scenario.load.direct_path,
        "condition": options.network, "floors": {window: asdict(floor) for window, floor in under.items()},
    }  # fmt: skip
    (folder / "provenance.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _cpus() -> int:
    return len(os.sched_getaffinity(0))


def _commit() -> str:
    """The commit of this checkout, marked where files differ from it; `unknown` outside a checkout."""
    git = ["git", "-C", str(REPOSITORY)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, timeout=5)
        dirty = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return (head.stdout.strip() + ("+changes" if dirty.stdout.strip() else "")) or "unknown"

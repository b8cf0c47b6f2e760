"""Which items of Wavry's Operations page were exercised, by which drill, and when last.

The items are the page's own words, shortened; a drill stands beside an item where its objectives can break over it. An
item that no drill touches says why, so that a gap is never mistaken for a clean sheet.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from drills.report.files import JudgementRow
from drills.report.history import History, Line
from drills.report.overview import ORDER

ALL = ("*",)  # whatever is run exercises it
_DRAIN = ("relay_drain", "restart_in_mid_drain")
_MASTER = (
    "master_restart", "master_paused", "master_black_holed", "master_outage_10s", "master_outage_120s",
    "restart_in_mid_drain",
)  # fmt: skip
_KEYS = ("key_rotated_relays_left", "key_rotated_relays_rolled")
_GATEWAY = ("gateway_restart", "gateway_crash", "half_open_rebind")
_LOSS = ("relay_loss", "unreachable_40s", "master_outage_120s", "relay_master_partition")
_DIRECT = ("direct_path_blocked",)
_NETWORKS = ("lossy_media", "jitter_storm", "asymmetric_loss", "nat_rebind", "slow_control_plane", "gateway_flaky")
_BACKUP = ("backup_restore", "gateway_volume_lost", "gateway_volume_read_only")
_LATENCY = ("p95 input-to-present latency", "p99 input-to-present latency")
_BUILD = "a matter of Wavry's own build"
_HOSTS = "hosts and their desktops are outside the control plane"


@dataclass(frozen=True)
class Item:
    """One item of the page: its section, its words, the drills that exercise it, or why none does."""

    section: str
    says: str
    drills: tuple[str, ...]
    why_none: str = ""
    indicators: tuple[str, ...] = ()  # where only a run that has judged one of these exercises it


ITEMS = (
    Item("Monthly Reliability Drills", "relay drain and recover, in non-production", _DRAIN),
    Item("Monthly Reliability Drills", "master restart and readiness validation", _MASTER),
    Item("Monthly Reliability Drills", "gateway restart and auth/signal continuity validation", _GATEWAY),
    Item("Monthly Reliability Drills", "rollback to previous known-good release tags or images", ("rollback",)),
    Item("Backup and Recovery", "backup of the gateway's persistent state", _BACKUP),
    Item("Backup and Recovery", "validated restore path in staging", ("backup_restore",)),
    Item("Backup and Recovery", "versioned environment configuration", (), "records keep it; no drill changes it"),
    Item("Reliability Baseline", "session setup success rate", ALL, indicators=("session setup success rate",)),
    Item("Reliability Baseline", "handshake failure rate", ALL, indicators=("handshake failure rate",)),
    Item("Reliability Baseline", "direct vs relay ratio", _DIRECT, "the direct path is closed here"),
    Item("Reliability Baseline", "p95/p99 input-to-present latency", ALL, indicators=_LATENCY),
    Item("Reliability Baseline", "session drop rate", ALL, indicators=("session drop rate",)),
    Item("Monitoring Baseline", "control-plane health and request rates", ALL),
    Item("Monitoring Baseline", "auth failures and rate-limit triggers", _GATEWAY),
    Item("Monitoring Baseline", "relay registration and heartbeat health", (*_MASTER, *_LOSS)),
    Item("Monitoring Baseline", "host runtime CPU/GPU pressure", (), _HOSTS),
    Item("Monitoring Baseline", "RTT, loss and jitter trends", ALL),
    Item("Alert examples", "gateway health endpoint failing", ("gateway_crash", "gateway_volume_lost")),
    Item("Alert examples", "relay registrations below the expected baseline", _LOSS),
    Item("Alert examples", "handshake failures above the normal envelope", _KEYS),
    Item("Alert examples", "direct-path ratio drops after a rollout", _DIRECT, "the direct path is closed here"),
    Item("Control-Plane Operating Discipline", "lease and signing key status visible", _KEYS),
    Item("Control-Plane Operating Discipline", "relay states (Active, Draining, Probation) over time", ALL),
    Item("Control-Plane Operating Discipline", "relay rejection reason spikes", _KEYS),
    Item("Control-Plane Operating Discipline", "explicit drain-and-recover runbook", _DRAIN),
    Item("Control-Plane Operating Discipline", "gateway auth and signal errors as user-impacting", _GATEWAY),
    Item("Runbook: Daily", "control-plane health, error classes, session failure bursts", ("calm",)),
    Item("Runbook: Release Day", "format, lints, tests, desktop and docs builds", (), _BUILD),
    Item("Runbook: Release Day", "artifact naming and checksums", (), _BUILD),
    Item("Runbook: Release Day", "docker image tags and manifests", ("rollback",)),
    Item("Change Management", "canary, comparison before and after, rollback threshold set beforehand", ("rollback",)),
    Item("Change Management", "representative network conditions", _NETWORKS, "all runs are on one machine"),
    Item("Capacity Planning", "region failover traffic shifts", ("relay_loss", "relay_drain")),
    Item("Capacity Planning", "peak sessions, relay bursts, headroom", (), "no drill looks for the limit of a machine"),
    Item("Incident Response Flow", "root cause with precise timeline, owners and due dates", (),
         "no drill: the ledger of findings is for it"),
    Item("Linux Fleet Operations", "compositor, portal and GStreamer lanes", (), _HOSTS),
)  # fmt: skip


@dataclass(frozen=True)
class Coverage:
    """An item with those of its drills that there are, and the newest run of any: by which line, and in which month.

    A record that somebody made exercises nothing; where there is no other, ``made`` names its drill.
    """

    item: Item
    drills: tuple[str, ...]
    line: Line | None
    this_month: bool
    made: str = ""

    @property
    def word(self) -> str:
        """The state of the item."""
        if self.line:
            return "this month" if self.this_month else "earlier"
        return "never" if self.drills else "no drill"

    @property
    def by(self) -> str:
        """What exercised it and how that came out, what would, or why nothing does."""
        if self.line:
            return f"{self.line.drill}: {_outcome(self.item, self.line)}"
        if self.made:
            return f"only a synthetic record of {self.made}"
        if self.drills == ALL:
            return "any run would"
        return f"would be {', '.join(self.drills)}" if self.drills else self.item.why_none


def coverage_of(history: History, known: Container[str]) -> tuple[Coverage, ...]:
    """Every item of the page."""
    return tuple(_covered(item, history, known) for item in ITEMS)


def _covered(item: Item, history: History, known: Container[str]) -> Coverage:
    lines = [line for line in history.lines if _exercises(line, item)]
    real = [line for line in lines if not line.place.synthetic]
    newest = max(real, key=lambda line: line.last.started_at, default=None)
    drills = item.drills if item.drills == ALL else tuple(name for name in item.drills if name in known)
    this_month = newest is not None and bool(newest.runs.get(history.month))
    return Coverage(item, drills, newest, this_month, lines[0].drill if lines and not real else "")


def _exercises(line: Line, item: Item) -> bool:
    return (item.drills == ALL or line.drill in item.drills) and (not item.indicators or bool(_rows(item, line)))


def _rows(item: Item, line: Line) -> list[JudgementRow]:
    verdict = line.last.verdict
    return [row for row in verdict.judgements if row.indicator in item.indicators] if verdict else []


def _outcome(item: Item, line: Line) -> str:
    """The run's verdict, or of an indicator its own."""
    rows = _rows(item, line)
    return min((row.verdict for row in rows), key=ORDER.index) if rows else line.last.status

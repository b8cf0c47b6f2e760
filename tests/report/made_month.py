"""Months made by hand: run folders with a verdict, a series and a provenance, no bigger than they must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

MONTH = "2026-11"
# everything that could become more than text somewhere: tags, the ends of script, comment and CDATA, Markdown, ANSI
# colours, a letter that turns the reading direction, a control character, half a surrogate pair, an entity
HOSTILE = (
    "| <script>alert(1)</script>\n# heading `code` [link](javascript:x) $x$ *b* \u202e ]]> --> <![CDATA[ </style> "
    "</title> \x1b[31mred\x1b[0m \x00\x08 \ud800 &lt; \" ' {{ 7 * 7 }}"
)
HOSTILE_SEEN = " ".join("".join(letter if letter.isprintable() else " " for letter in HOSTILE).split())


def judgement(
    objective: str = "session_drop_ratio", window: str = "fault", verdict: str = "held", **more: Any
) -> dict[str, Any]:
    """One row of verdict.json."""
    row = {"objective": objective, "window": window, "verdict": verdict, "figure": 0.01, "limit": 0.02,
           "unit": "ratio", "samples": 200, "samples_min": 150, "why": "nobody likes to be cut off", "reason": "",
           "indicator": ""}  # fmt: skip
    return {**row, **more}


def invariant(name: str, outcome: str, **more: Any) -> dict[str, Any]:
    """One invariant's row of verdict.json."""
    row = {"invariant": name, "outcome": outcome, "promise": "no packet is delivered twice", "looked_at": 7,
           "reason": "so it was", "witnesses": []}  # fmt: skip
    return {**row, **more}


def detected(**more: Any) -> dict[str, Any]:
    """One row of verdict.json's detection."""
    row = {"fault": "down", "subject": "relay_a_to_master", "from_s": 2.0, "to_s": 3.5, "after_s": 0.5, "kind": "ready",
           "where": "relay_a", "says": "not ready", "others": [], "outside_s": None, "gone_after_s": 1.25,
           "remaining": "", "hurt": "", "unknown": "", "silent": False, "rows": "journal.jsonl"}  # fmt: skip
    return {**row, **more}


def verdict_file(drill: str, run: str, verdict: str, judgements: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """verdict.json."""
    return {"drill": drill, "run": run, "target": "reference", "stage": "processes", "tier": "stage",
            "verdict": verdict, "judgements": judgements, "doubts": [], **more}  # fmt: skip


def series_file(drill: str, run: str, seconds: int = 6, **more: Any) -> dict[str, Any]:
    """series.json with a fault, an event and a relay."""
    per_second = {name: [1.0] * seconds for name in (
        "present_ms_p50", "present_ms_p95", "present_ms_p99", "silence_ms_max", "packets_lost", "packets_skipped",
        "sessions_live", "setups_ok", "setups_failed", "handshakes_failed",
    )}  # fmt: skip
    per_second["packets_due"] = [50.0] * seconds
    windows = {name: {"from_s": at, "to_s": at + 2.0, "closed": True}
               for at, name in ((0.0, "calm"), (2.0, "fault"), (4.0, "recovery"))}  # fmt: skip
    fault = {"fault": "drain", "subject": "relay_a", "asked": "relay_a Draining", "landed": True, "measured_on": "on",
             "mended": True, "measured_off": "off", "from_s": 2.0, "to_s": 3.5}  # fmt: skip
    stretch = {"relay": "relay_a", "relay_id": "a1", "state": "Active", "from_s": 0.0, "to_s": 5.0}
    return {"format": 1, "drill": drill, "run": run, "claim": "A relay can be drained.", "blast_radius": "relay_a",
            "started_at": "2026-11-03T14:00:00.000Z", "seconds": seconds, "windows": windows, "faults": [fault],
            "events": [{"at_s": 3.0, "name": "relay.back", "text": "relay_a is back"}], "relays": [stretch],
            "per_second": per_second, **more}  # fmt: skip


def provenance_file(**more: Any) -> dict[str, Any]:
    """provenance.json."""
    return {"target": "reference", "stage": "processes", "tier": "stage", "pace": "fast", "seed": 7, "defects": [],
            "started_at": "2026-11-03T14:00:00.000Z", "commit": "c0ffee", "programs": {"relay_a": "sha256:12"},
            "limits_in_force": {"gateway.WAVRY_AUTH_RATE_LIMIT": "100000"}, "direct_path": "closed",
            **more}  # fmt: skip


def add_run(
    out: Path, drill: str, run: str, *, verdict: str = "held", judgements: list[dict[str, Any]] | None = None,
    series: bool = False, journal: str = "", provenance: dict[str, Any] | None = None, judged: bool = True, **more: Any,
) -> Path:  # fmt: skip
    """One run's folder."""
    folder = out / MONTH / drill / run
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_text(journal)
    if judged:
        rows = [judgement(verdict=verdict)] if judgements is None else judgements
        (folder / "verdict.json").write_text(json.dumps(verdict_file(drill, run, verdict, rows, **more)))
    if series:
        (folder / "series.json").write_text(json.dumps(series_file(drill, run)))
    facts = provenance_file() if provenance is None else provenance
    if facts:
        (folder / "provenance.json").write_text(json.dumps(facts))
    return folder


def hostile_ledger(out: Path) -> None:
    """A finding whose author means no good, as far as its reader lets anybody: what cannot be seen is refused."""
    words = "".join(letter for letter in HOSTILE if letter.isprintable())
    look = {"run": "2026-11/calm/20261103T140000-aaaa", "at": "2026-11-03T14:00:00Z", "outcome": "broken",
            "stage": words, "tier": words, "pace": words, "says": words}  # fmt: skip
    finding = {
        "id": "x.y.z", "drill": words, "objective": words, "target": words, "severity": "critical", "state": "new",
        "owner": words, "due": "2026-11-04", "root_cause": words, "evidence": [look],
        "timeline": [{"at": "2026-11-03T14:00:00Z", "text": words}],
    }  # fmt: skip
    (out / "findings").mkdir()
    (out / "findings" / "x.y.z.yaml").write_text(yaml.safe_dump(finding))


def hostile_month(out: Path) -> Path:
    """A run in which every text that comes from outside is hostile, and one that could not be run for such a reason."""
    rows = [judgement(verdict="broken", reason=HOSTILE, why=HOSTILE, objective=HOSTILE, window=HOSTILE, unit=HOSTILE,
                      indicator=HOSTILE, rows=HOSTILE)]  # fmt: skip
    words = dict.fromkeys(("fault", "subject", "kind", "where", "says", "remaining", "hurt", "unknown"), HOSTILE)
    other = {"kind": HOSTILE, "where": HOSTILE, "says": HOSTILE, "after_s": 1.0}
    facts = provenance_file(
        command=f"drills run ``` {HOSTILE}", commit=HOSTILE, limits_in_force={HOSTILE: HOSTILE}, pace=HOSTILE,
        programs={HOSTILE: HOSTILE}, services={HOSTILE: {"command": [HOSTILE]}}, defects=[HOSTILE], seed=HOSTILE,
    )  # fmt: skip
    folder = add_run(out, "calm", "20261103T140000-aaaa", verdict="broken", judgements=rows, doubts=[HOSTILE],
                     invariants=[invariant(HOSTILE, "violated", promise=HOSTILE, reason=HOSTILE, witnesses=[HOSTILE])],
                     detection=[detected(**words, others=[other])],
                     provenance=facts, tier=HOSTILE, target=HOSTILE, stage=HOSTILE)  # fmt: skip
    series = series_file("calm", "x", claim=HOSTILE, blast_radius=HOSTILE)
    fault = dict.fromkeys(("fault", "subject", "asked", "measured_on", "measured_off"), HOSTILE)
    series["faults"] = [{**series["faults"][0], **fault}]
    series["events"] = [{"at_s": 3.0, "name": "log", "text": HOSTILE}]
    series["relays"] = [{**series["relays"][0], "relay": HOSTILE, "relay_id": HOSTILE, "state": HOSTILE}]
    line = {"at_s": 3.0, "service": HOSTILE, "text": HOSTILE}
    series["excerpts"] = [{"at_s": 3.0, "about": HOSTILE, "lines": [line], "left_out": 1}]
    by_key = ("requests", "cpu_share", "relay_refusals", "lease_rejections", "gateway_auth", "relay_states")
    series["per_second"] |= {name: {HOSTILE: [1.0] * 6} for name in by_key}
    series["sessions"] = {"session": [1], "kind": [HOSTILE], "from_s": [0.5], "to_s": [5.0]}
    series["silences"] = [[0, 2.0, 400.0]]
    (folder / "series.json").write_text(json.dumps(series))
    journal = json.dumps({"event": "run.failed", "error": HOSTILE}) + "\n"
    add_run(out, "javascript:alert(1)", "20261103T150000-aaaa", judged=False, journal=journal, provenance=facts)
    return folder


def all_hostile(out: Path) -> None:
    """The same, with a ledger, and with runs that count: the scorecard and all that follows of it say their words."""
    hostile_month(out)
    hostile_ledger(out)
    rows = [judgement(verdict="broken", reason=HOSTILE, window=HOSTILE, unit=HOSTILE, indicator="session drop rate")]
    for drill, more in (("relay_drain", {}), ("relay_loss", {"synthetic": HOSTILE})):
        facts = provenance_file(
            command=f"``` {HOSTILE}", pace=HOSTILE, programs={"gateway": HOSTILE}, platform=HOSTILE, **more
        )
        add_run(out, drill, "20261103T160000-aaaa", verdict="broken", judgements=rows, provenance=facts,
                target=HOSTILE, stage=HOSTILE, tier=HOSTILE, doubts=[HOSTILE])  # fmt: skip


def mixed_month(out: Path) -> None:
    """A month with a run of each status, one with a defect, one on the other stage, earlier ones, a picture."""
    add_run(out, "calm", "20261102T140000-aaaa", verdict="broken")
    add_run(out, "calm", "20261103T140000-aaaa", series=True, detection=[detected(), detected(silent=True)])
    add_run(out, "relay_drain", "20261103T150000-aaaa", verdict="broken", series=True, stage="containers")
    add_run(
        out, "relay_drain", "20261103T160000-aaaa", verdict="inconclusive", series=True, doubts=["a late generator"]
    )
    toothed = provenance_file(defects=["relay_forgets_drain"])
    add_run(out, "relay_drain", "20261103T170000-aaaa", verdict="broken", provenance=toothed)
    add_run(out, "gateway_lost", "20261103T180000-aaaa", judged=False)
    unreadable = add_run(out, "master_lost", "20261103T190000-aaaa")
    (unreadable / "verdict.json").write_text("{")
    add_run(out, "nothing", "20261103T200000-aaaa", verdict="inconclusive", judgements=[])

"""Records of a backup and its restore, and of a volume in trouble, made from a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.record_builder import RecordBuilder, ns, sound

ROWS = {"users": 60, "sessions": 90, "login_failures": 1, "user_bans": 0, "admin_audit_log": 0}
ACCOUNTS = [f"r{number:02d}{end}" for number in range(30) for end in "ch"]
GRANTED: dict[str, Any] = {"ok": True, "status": None, "said": ""}


def refused(said: str = "401 Invalid Token") -> dict[str, Any]:
    """A call that the gateway said no to."""
    return {"ok": False, "status": int(said[:3]), "said": said}


NO_ANSWER: dict[str, Any] = {"ok": False, "status": None, "said": "connection refused"}


def restored(
    *, landed: bool = True, login: Mapping[str, Any] | None = GRANTED, login_s: float = 17.5,
    write: Mapping[str, Any] | None = GRANTED, code: Mapping[str, Any] | None = GRANTED,
    without_key: Mapping[str, Any] | None = None, log_line: str = "ERROR auth: unable to decrypt the TOTP secret",
    tokens: Sequence[Mapping[str, Any]] = (refused(), refused(), refused()), age_s: float = 0.1,
    rows: Mapping[str, int] | None = None, integrity: str = "ok", lost: Sequence[str] = (), looked: bool = True,
) -> RecordBuilder:  # fmt: skip
    """Backed up at 11 s, written on until 14 s, destroyed at 15 s, restored at 16 s, another key at 20 s."""
    builder = sound(0)
    for number in range(30):
        builder.event(1.0, "account.made", pair=f"r{number:02d}", kind="resident")
    _tried(builder, 10.5, "row.acknowledged", GRANTED, username="witness1")
    builder.event(11.0, "backup.made", service="gateway", age_s=age_s, rows=ROWS, integrity="ok", schema="1")
    _tried(builder, 13.0, "row.acknowledged", GRANTED, username="witness2")
    builder.fault("volume_destroyed", "gateway", 15.0, 18.0, landed=landed)
    if looked:
        there = [name for name in [*ACCOUNTS, "witness1"] if name not in lost]
        builder.event(16.0, "restore.looked", rows=rows or {**ROWS, "sessions": 0}, integrity=integrity, schema="1",
                      usernames=there)  # fmt: skip
        builder.event(16.5, "restore.done", service="gateway", took_s=1.0)
    for number, token in enumerate(tokens):
        _tried(builder, 17.0 + number / 100, "token.tried", token, which=f"number {number}")
    _tried(builder, login_s, "restore.login", login)
    _tried(builder, 17.8, "restore.write", write)
    _tried(builder, 17.9, "second_factor.tried", code, key="its own")
    _tried(builder, 20.0, "second_factor.tried", without_key or refused("500 unavailable"), key="another")
    if log_line:
        builder.event(20.05, "log", service="gateway", line=log_line)
    return builder


def _tried(builder: RecordBuilder, at_s: float, name: str, tried: Mapping[str, Any] | None, **fields: Any) -> None:
    """One call and its answer; None: it was never made."""
    if tried is not None:
        builder.event(at_s, name, **tried, **fields, asked_ns=ns(at_s - 0.01), answered_ns=ns(at_s))


def in_trouble(
    *, fault: str = "volume_read_only", landed: bool = True, health_s: float | None = 11.5,
    errors_s: float | None = None, log_s: float | None = None, ended_s: float | None = None, looks: bool = True,
    to_s: float = 18.0, errors_before: int = 0,
) -> RecordBuilder:  # fmt: skip
    """A volume in trouble from 11 s on, and when each sign of it begins to be seen."""
    builder = sound(0).event(9.0, "gateway.health", auth={"db_errors": errors_before})
    builder.fault(fault, "gateway", 11.0, to_s, landed=landed, mending_ns=ns(to_s))
    for tenth in range(112, round(to_s * 10), 3) if looks else ():
        at_s = tenth / 10
        ok = health_s is None or at_s < health_s
        errors = errors_before + (2 if errors_s is not None and at_s >= errors_s else 0)
        builder.event(at_s + 0.05, "storage.looked", service="gateway", asked_ns=ns(at_s), health_ok=ok,
                      health="granted" if ok else "503 degraded", write="500 Database error", login="500",
                      db_errors=errors)  # fmt: skip
    if log_s is not None:
        builder.event(log_s, "log", service="gateway", line="ERROR wavry_gateway: database check failed")
    if ended_s is not None:
        builder.event(ended_s, "stage.changed", service="gateway", change="ended", reason="it ended with 101")
    return builder

"""What a backup was worth once its database was destroyed: how soon, what was lost, what came back, what must not.

A gateway that does not answer proves neither: then the claim about what it answers is not judged, and the one about
time says how long it stayed away.
"""

from __future__ import annotations

import re

from drills.measures.evidence import Evidence
from drills.objectives import Claim
from drills.record import Event, Record, Span

DESTROYED = "volume_destroyed"
SESSIONS = "sessions"  # the one table that a restore may leave empty
LOGGED_NS = 1_000_000_000
KEY_TROUBLE = re.compile(r"decrypt|2FA|TOTP(?!_)", re.IGNORECASE)


def _destroyed(record: Record) -> Event | None:
    """When the database was destroyed, by the fault's own proof."""
    return next((event for event in record.named("fault.injected") if event["fault"] == DESTROYED), None)


def _no_loss(record: Record) -> str:
    """Why nothing can be said of a restore, or empty."""
    destroyed = _destroyed(record)
    if destroyed is None:
        return next((event["reason"] for event in record.named("story.stopped")), "no volume was destroyed")
    return "" if destroyed["landed"] else f"the volume was not seen to be destroyed: {destroyed['measured_on']}"


def _first(record: Record, name: str, **fields: object) -> Event | None:
    return next((event for event in record.named(name)
                 if all(event.get(key) == value for key, value in fields.items())), None)  # fmt: skip


def seconds_until_restored(record: Record, span: Span, claim: Claim) -> Evidence:
    """From the moment at which the database began to be destroyed to the first good login after its restore."""
    destroyed, login = _destroyed(record), _first(record, "restore.login")
    if (missing := _no_loss(record)) or destroyed is None:
        return Evidence(0, None, missing=missing)
    if login is None:
        return Evidence(0, None, missing="no login was tried after a restore")
    seconds = (login["answered_ns"] - destroyed["asked_ns"]) / 1e9
    if not login["ok"]:
        return Evidence(1, seconds, says=f"{login['said']} when we stopped trying", past=True)
    took = _first(record, "restore.done")
    return Evidence(1, seconds, says=f"the restore itself took {took['took_s']:.1f} s" if took else "")


def seconds_lost(record: Record, span: Span, claim: Claim) -> Evidence:
    """How long before the loss the oldest acknowledged account was acknowledged that the restored database lacks."""
    destroyed, looked = _destroyed(record), _first(record, "restore.looked")
    if (missing := _no_loss(record)) or destroyed is None:
        return Evidence(0, None, missing=missing)
    if looked is None:
        return Evidence(0, None, missing="nobody looked at the restored database")
    rows = {name: ns for name, ns in _acknowledged(record).items() if ns <= destroyed["asked_ns"]}
    there = set(looked["usernames"])
    lost = [ns for name, ns in rows.items() if name not in there]
    seconds = (destroyed["asked_ns"] - min(lost)) / 1e9 if lost else 0.0
    kept = [ns for name, ns in rows.items() if name in there]
    says = f"{len(lost)} of {len(rows)} acknowledged accounts are missing"
    if kept:
        says += f", the newest that is there was acknowledged {(destroyed['asked_ns'] - max(kept)) / 1e9:.1f} s before"
    return Evidence(len(rows), seconds, says=says)


def _acknowledged(record: Record) -> dict[str, int]:
    """Every account that the gateway has acknowledged -> when (ns): the load's pairs and the drill's own."""
    rows = {event["pair"] + end: event.ns for event in record.named("account.made") for end in "ch"}
    return rows | {event["username"]: int(event["answered_ns"]) for event in record.named("row.acknowledged")}


def seconds_of_age(record: Record, span: Span, claim: Claim) -> Evidence:
    """How old the backup was when its database was destroyed."""
    destroyed, made = _destroyed(record), _first(record, "backup.made")
    if destroyed is None or made is None:
        return Evidence(0, None, missing="no backup was made" if made is None else _no_loss(record))
    return Evidence(1, float(made["age_s"]) + (destroyed["asked_ns"] - made.ns) / 1e9)


def tables_that_differ(record: Record, span: Span, claim: Claim) -> Evidence:
    """Tables of the restored database whose rows are not as many as the manifest's, and files that are not whole.

    Looked at before the gateway had written anything. Sessions may be gone: that is how old tokens end.
    """
    made, looked = _first(record, "backup.made"), _first(record, "restore.looked")
    if made is None or looked is None:
        return Evidence(0, None, missing="no backup was made" if made is None else "no database was restored")
    before, after = dict(made["rows"]), dict(looked["rows"])
    if after.get(SESSIONS) == 0:
        after[SESSIONS] = before.get(SESSIONS, 0)
    names = sorted(before.keys() | after.keys())
    wrong = [f"{name} {after.get(name, 'gone')} of {before.get(name, 0)}" for name in names
             if before.get(name) != after.get(name)]  # fmt: skip
    wrong += [f"{what}: {event['integrity']}" for what, event in (("the backup", made), ("the restored", looked))
              if event["integrity"] != "ok"]  # fmt: skip
    if made["schema"] != looked["schema"]:
        wrong.append(f"schema {looked['schema']} in place of {made['schema']}")
    says = "; ".join(wrong) or f"{len(names)} tables, {sum(before.values())} rows, schema {made['schema']}"
    return Evidence(len(names), float(len(wrong)), hits=len(wrong), says=says)


def logins(record: Record, span: Span, claim: Claim) -> Evidence:
    """Whether an account that was in the backup logs in with its password."""
    return _granted(_no_loss(record), _first(record, "restore.login"), "login")


def writes(record: Record, span: Span, claim: Claim) -> Evidence:
    """Whether the restored gateway registers a new account, so that its file is the service's own."""
    return _granted(_no_loss(record), _first(record, "restore.write"), "registration")


def logins_with_a_code(record: Record, span: Span, claim: Claim) -> Evidence:
    """Whether an account that was in the backup logs in with its second factor, by the key of the backup."""
    tried = _first(record, "second_factor.tried", key="its own")
    return _granted(_no_loss(record), tried, "login with a second factor")


def _granted(missing: str, tried: Event | None, what: str) -> Evidence:
    if missing or tried is None:
        return Evidence(0, None, missing=missing or f"no {what} was tried after a restore")
    if not tried["ok"] and tried["status"] is None:
        return Evidence(0, None, missing=f"no answer to the {what}: {tried['said']}")
    return Evidence(1, float(tried["ok"]), says=tried["said"], past=not tried["ok"])


def tokens_accepted(record: Record, span: Span, claim: Claim) -> Evidence:
    """Tokens issued before the loss that bind a socket at the restored gateway, before their owner has logged in."""
    if missing := _no_loss(record):
        return Evidence(0, None, missing=missing)
    tried = [event for event in record.named("token.tried") if event["ok"] or event["status"] is not None]
    revoked = {event["which"] for event in record.named("token.revoked") if event["ok"]}
    taken = [event for event in tried if event["ok"]]
    words = [f"{event['which']}{', which was revoked after the backup' * (event['which'] in revoked)}"
             for event in taken]  # fmt: skip
    says = f"accepted: {'; '.join(words)}" if taken else f"all {len(tried)} are refused"
    return Evidence(len(tried), float(len(taken)) if tried else None, hits=len(taken), says=says)


def visible_refusals(record: Record, span: Span, claim: Claim) -> Evidence:
    """Whether a login with a second factor fails, and its log says why, at a gateway that has another key."""
    tried = _first(record, "second_factor.tried", key="another")
    if tried is None:
        return Evidence(0, None, missing="no second factor was tried with another key")
    if tried["ok"]:
        return Evidence(1, 0.0, says="granted, though the gateway has another key than the backup", past=True)
    if tried["status"] is None:
        return Evidence(0, None, missing=f"no answer to the login with a second factor: {tried['said']}")
    said = [event["line"] for event in record.named("log")
            if event["service"] == "gateway" and KEY_TROUBLE.search(event["line"])
            and tried["asked_ns"] <= event.ns <= tried["answered_ns"] + LOGGED_NS]  # fmt: skip
    if not said:
        return Evidence(1, 0.0, says=f"refused ({tried['said']}), and no warning in its log says why", past=True)
    return Evidence(1, 1.0, says=f"{tried['said']}, and its log says why")

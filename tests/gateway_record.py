"""The story of gateway_restart as a record made by hand: known accounts, a restart at 15 s, everybody's return."""

from __future__ import annotations

from collections.abc import Mapping

from tests.record_builder import RecordBuilder, ns

RESTARTED_S, GONE_S = 15.0, 15.2
KNOWN = ("known1", "known2", "known3", "known4")


def look(builder: RecordBuilder, at_s: float, name: str, account: str, when: str, outcome: str) -> None:
    """One look at an account; its kind is its name without the number."""
    builder.event(at_s, "account.look", look=name, account=account, kind=account.rstrip("0123456789"), when=when,
                  outcome=outcome, reason="" if outcome in ("bound", "in") else f"said {outcome}")  # fmt: skip


def known(builder: RecordBuilder, *, locked: str = "locked", bound: str = "bound", revoked: bool = True) -> None:
    """Before the restart: what the accounts are, and that they are it."""
    for account in KNOWN:
        look(builder, 12.0, "bind", account, "before", bound)
    builder.event(12.0, "probe.revoked", account="revoked", revoked=revoked)
    look(builder, 12.5, "bind", "revoked", "before", "refused")
    for name in ("locked_account", "locked_address"):
        look(builder, 13.0, name, "locked", "before", locked)


def checked(
    builder: RecordBuilder, *, bind: str = "bound", revoked: str = "refused", lock: str = "locked", login: str = "in",
    lost: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """After the restart: what has become of them; ``lost`` are the kinds of message that do not arrive."""
    for account in KNOWN:
        look(builder, 17.0, "bind", account, "after", bind)
        look(builder, 18.5, "login", account, "after", login)
    for kind in ("offer", "answer") * 4 if bind == "bound" else ():
        builder.event(17.5, "probe.signal", kind=kind, why="re-bound", outcome="lost" if kind in lost else "received")
    look(builder, 18.0, "bind", "revoked", "after", revoked)
    for name in ("locked_account", "locked_address"):
        look(builder, 18.0, name, "locked", "after", lock)


def restarted(
    builder: RecordBuilder, *, back_s: float | None = 16.0, unmet_s: float | None = None, landed: bool = True,
    before: Mapping[str, object] | None = None, after: Mapping[str, object] | None = None, looked: bool = True,
    ends: int = 60, last_s: float = 18.0, never: int = 0, refused: int = 0,
) -> RecordBuilder:  # fmt: skip
    """The whole story; ``ends`` of the load come back one after another until ``last_s``, some never."""
    for number in range(ends):
        builder.event(5.0, "signal.bound", end=f"end{number}", bound_ns=ns(5.0), tries=1, logged_in=False)
    if looked:
        known(builder, **(before or {}))  # type: ignore[arg-type]
    builder.fault("restart", "gateway", RESTARTED_S, GONE_S, landed=landed)
    for number in range(ends):
        builder.event(15.1, "signal.lost", end=f"end{number}", lost_ns=ns(15.1), cause="closed")
    if back_s is not None:
        builder.event(back_s, "gateway.back", service="gateway", back_ns=ns(back_s))
    if unmet_s is not None:
        builder.event(unmet_s, "step.unmet", step="await_gateway", service="gateway", reason="not healthy")
    if looked:
        checked(builder, **(after or {}))  # type: ignore[arg-type]
    for number in range(ends - never):
        at_s = 16.0 + (last_s - 16.0) * (number + 1) / (ends - never)
        if number < refused:
            builder.event(at_s - 0.01, "signal.refused", end=f"end{number}", reason="Invalid Token")
        builder.event(at_s, "signal.rebound", end=f"end{number}", bound_ns=ns(at_s), tries=2,
                      logged_in=number < refused)  # fmt: skip
    return builder


def half_open(builder: RecordBuilder, *, rounds: int = 5, lost: int = 0, unreached: int = 0) -> RecordBuilder:
    """Rounds of rebind_half_open: some in which the newer socket is lost, some in which it was never reached."""
    for number in range(rounds):
        before = number >= unreached
        builder.event(12.0 + number, "halfopen.round", account=f"known{number}", before=before,
                      after=before and number >= unreached + lost)  # fmt: skip
    return builder

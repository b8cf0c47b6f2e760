"""The steps the password routes share: lockouts, the password, bans, two-factor codes (contract §3.3, §3.5).

The two-factor routes go through the same lockouts as a login and count their failures (intended; D24), and a ban is
told only to someone who knows the password (intended; D25). A database that cannot be asked refuses; it never
lets anyone past a lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from drills.reference.gateway import accounts, lockout, rules, totp
from drills.reference.gateway.accounts import LoginView, User
from drills.reference.gateway.database import StoreError
from drills.reference.gateway.gateway import Gateway
from drills.reference.gateway.passwords import BadStoredHash, HashingFailed
from drills.reference.gateway.refusal import INVALID, Refused, database_refusal

LOGIN_LOCKED = "Account locked due to too many failed attempts. Try again later."
IP_LOCKED = "Too many failed attempts from this IP. Try again later."


@dataclass(frozen=True)
class CodeTexts:
    """How a route words its refusals of a two-factor code."""

    absent: str
    malformed: str
    wrong: str
    malformed_status: int = 400
    empty_is_absent: bool = True


async def look(gateway: Gateway, email: str, ip: str) -> LoginView:
    """What is known of an address and an IP; Refused while either is locked."""
    now = gateway.clock.utc()
    try:
        view = await gateway.database.read(lambda db: accounts.login_view(db, email, ip, now))
    except StoreError as problem:
        gateway.log.fail(f"login look-up failed: {problem}", part="auth")
        raise database_refusal() from problem
    for failures, text in ((view.email_failures, LOGIN_LOCKED), (view.ip_failures, IP_LOCKED)):
        if lockout.locked(failures, now):
            gateway.log.warn("login rejected: account locked", part="auth", client_ip=ip)
            raise Refused(429, text)
    return view


async def proven(gateway: Gateway, view: LoginView, email: str, password: str, ip: str, denied: str) -> User:
    """The user whose password this is and who is not banned; Refused otherwise, and the failure remembered."""
    user = view.user
    if user is None:
        return await deny(gateway, email, ip, Refused(401, denied), "USER_NOT_FOUND")
    try:
        good = await gateway.passwords.match(user.password_hash, password)
    except BadStoredHash as problem:
        raise Refused(500, "Invalid stored hash") from problem
    except HashingFailed as problem:
        raise Refused(500, "Hashing failed") from problem
    if not good:
        return await deny(gateway, email, ip, Refused(401, denied), "INVALID_PASSWORD", user)
    if view.ban is not None:
        gateway.log.warn("login rejected: user banned", part="auth", user_id=user.id)
        raise Refused(403, f"Account suspended: {view.ban.reason}")
    return user


async def check_code(gateway: Gateway, user: User, code: str | None, ip: str, texts: CodeTexts) -> None:
    """Check the code of a user with two-factor login; nothing to do for others. An absent code is no failure."""
    if user.totp_secret is None:
        return
    if code is None or (code == "" and texts.empty_is_absent):
        gateway.log.audit(
            "Authentication failed", "LOGIN_FAILURE", ip, good=False, user_id=user.id, reason="TOTP_REQUIRED"
        )
        raise Refused(401, texts.absent)
    if not rules.code_ok(code):
        await deny(
            gateway, user.email, ip, Refused(texts.malformed_status, texts.malformed, INVALID), "TOTP_FORMAT", user
        )
    try:
        secret = gateway.vault.opened(user.totp_secret)
    except totp.SecretUnavailable as problem:
        gateway.log.fail(f"unable to decrypt the TOTP secret: {problem}", part="auth", user_id=user.id)
        raise Refused(500, "2FA verification unavailable") from problem
    if not totp.matches(secret, code, gateway.clock.utc().timestamp()):
        await deny(gateway, user.email, ip, Refused(401, texts.wrong), "INVALID_TOTP", user)


async def deny(
    gateway: Gateway, email: str, ip: str, refusal: Refused, reason: str, user: User | None = None
) -> NoReturn:
    """Remember a failed attempt under its address and its IP, then refuse.

    Unknown addresses are counted like known ones, so that a lock does not tell which accounts exist (intended; D24).
    """
    now = gateway.clock.utc()
    try:
        await gateway.database.write(lambda db: accounts.record_failure(db, (f"email:{email}", f"ip:{ip}"), now))
    except StoreError as problem:
        gateway.log.fail(f"failed login could not be recorded: {problem}", part="auth")
        raise database_refusal() from problem
    who = {"user_id": user.id} if user else {}
    gateway.log.audit("Authentication failed", "LOGIN_FAILURE", ip, good=False, **who, reason=reason)
    raise refusal

"""``/auth/2fa/setup`` and ``/auth/2fa/enable`` (contract §3.5). There is no way to switch it off again."""

from __future__ import annotations

from aiohttp import web

from drills.reference.gateway import accounts, totp
from drills.reference.gateway.auth_routes import auth_object
from drills.reference.gateway.credentials import CodeTexts, check_code, look, proven
from drills.reference.gateway.database import StoreError
from drills.reference.gateway.edge import client_ip, json_answer, refuse_beyond
from drills.reference.gateway.forms import EnableForm, LoginForm
from drills.reference.gateway.gateway import GATEWAY, Gateway
from drills.reference.gateway.refusal import DENIED, Refused, database_refusal

SETUP_CODE = CodeTexts(
    "Current 2FA code required to change 2FA settings", "Invalid 2FA code format", "Invalid current 2FA code"
)
ENABLE_CODE = CodeTexts(
    "Current 2FA code required to replace 2FA settings",
    "Invalid existing 2FA code format",
    "Invalid existing 2FA code",
)


async def setup(request: web.Request) -> web.Response:
    """Propose a secret; nothing is stored."""
    form = await LoginForm.read(request)
    gateway, ip = request.app[GATEWAY], client_ip(request)
    with gateway.counters.attempt("totp_setup"):
        refuse_beyond(gateway.limiters.auth, f"totp_setup:{ip}", gateway)
        if not form.ok:
            raise Refused(400, "Invalid 2FA setup payload")
        view = await look(gateway, form.email, ip)
        user = await proven(gateway, view, form.email, form.password, ip, "Auth failed")
        await check_code(gateway, user, form.code, ip, SETUP_CODE)
        if ":" in user.email:
            # an otpauth label separates issuer and account with a colon
            raise Refused(500, "2FA setup failed")
    return json_answer({"secret": totp.new_secret(), "qr_png_base64": totp.blank_png_base64()})


async def enable(request: web.Request) -> web.Response:
    """Store a secret whose code the user can show; answers with a new session."""
    form = await EnableForm.read(request)
    gateway, ip = request.app[GATEWAY], client_ip(request)
    with gateway.counters.attempt("totp_enable"):
        refuse_beyond(gateway.limiters.auth, f"totp_enable:{ip}", gateway)
        if not form.ok:
            raise Refused(400, "Invalid 2FA enable payload")
        view = await look(gateway, form.email, ip)
        user = await proven(gateway, view, form.email, form.password, ip, "Auth failed")
        await check_code(gateway, user, form.existing_code, ip, ENABLE_CODE)
        sealed = _sealed(gateway, form)
        session = accounts.new_session(user.id, ip, gateway.clock.utc(), gateway.session_life)
        try:
            await gateway.database.write(lambda db: accounts.enable_totp(db, sealed, session))
        except StoreError as problem:
            gateway.log.fail(f"2FA could not be stored: {problem}", part="auth")
            raise database_refusal("DB error") from problem
    gateway.log.audit("2FA configuration changed", "TOTP_ENABLED", ip, user_id=user.id)
    return json_answer(auth_object(user, session))


def _sealed(gateway: Gateway, form: EnableForm) -> str:
    """The secret as it will be stored, once its code is right."""
    secret = totp.secret_form(form.secret)
    if secret is None:
        raise Refused(400, "Invalid TOTP secret")
    if not totp.matches(secret, form.code, gateway.clock.utc().timestamp()):
        raise Refused(400, "Invalid code", DENIED)
    try:
        return gateway.vault.sealed(secret)
    except totp.SecretUnavailable as problem:
        raise Refused(500, "2FA secret encryption failed") from problem

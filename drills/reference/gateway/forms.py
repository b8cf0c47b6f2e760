"""The request bodies as forms: read whole before anything else happens, normalised, then checked by their rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from drills.reference.gateway import rules
from drills.reference.gateway.edge import body, unfit
from drills.reference.strict_json import WrongShape


@dataclass(frozen=True)
class RegisterForm:
    """Body of ``/auth/register``."""

    email: str
    password: str = field(repr=False)
    display_name: str
    username: str
    public_key: str

    @classmethod
    async def read(cls, request: web.Request) -> RegisterForm:
        """The form of a request; Unread when the body does not hold one."""
        fields = await body(request)
        try:
            return cls(
                rules.email_form(fields.text("email")),
                fields.text("password"),
                fields.text("display_name").strip(),
                rules.ascii_lower(fields.text("username").strip()),
                fields.text("public_key").strip(),
            )
        except WrongShape as problem:
            raise unfit(problem) from None

    @property
    def ok(self) -> bool:
        """Whether every field keeps its rule."""
        return (
            rules.email_ok(self.email)
            and rules.new_password_ok(self.password)
            and rules.display_name_ok(self.display_name)
            and rules.name_ok(self.username)
            and rules.PUBLIC_KEY.fullmatch(self.public_key) is not None
        )


@dataclass(frozen=True)
class LoginForm:
    """Body of ``/auth/login`` and ``/auth/2fa/setup``."""

    email: str
    password: str = field(repr=False)
    code: str | None = field(repr=False)

    @classmethod
    async def read(cls, request: web.Request) -> LoginForm:
        """The form of a request; Unread when the body does not hold one."""
        fields = await body(request)
        try:
            email = rules.email_form(fields.text("email"))
            return cls(email, fields.text("password"), fields.optional_text("totp_code"))
        except WrongShape as problem:
            raise unfit(problem) from None

    @property
    def ok(self) -> bool:
        """Whether e-mail and password keep their rules."""
        return rules.email_ok(self.email) and rules.password_ok(self.password)


@dataclass(frozen=True)
class EnableForm:
    """Body of ``/auth/2fa/enable``."""

    email: str
    password: str = field(repr=False)
    secret: str = field(repr=False)
    code: str = field(repr=False)
    existing_code: str | None = field(repr=False)

    @classmethod
    async def read(cls, request: web.Request) -> EnableForm:
        """The form of a request; Unread when the body does not hold one."""
        fields = await body(request)
        try:
            return cls(
                rules.email_form(fields.text("email")),
                fields.text("password"),
                fields.text("secret"),
                fields.text("code"),
                fields.optional_text("existing_totp_code"),
            )
        except WrongShape as problem:
            raise unfit(problem) from None

    @property
    def ok(self) -> bool:
        """Whether e-mail, password and code keep their rules; the secret is judged later."""
        return rules.email_ok(self.email) and rules.password_ok(self.password) and rules.code_ok(self.code)


@dataclass(frozen=True)
class SignalForm:
    """Body of ``/webrtc/offer``, ``answer`` and ``candidate``; the target is in lower case (intended; D32)."""

    token: str = field(repr=False)
    target: str
    content: str = field(repr=False)

    @classmethod
    async def read(cls, request: web.Request, content_field: str) -> SignalForm:
        """The form of a request; Unread when the body does not hold one."""
        fields = await body(request)
        try:
            target = rules.ascii_lower(fields.text("target_username"))
            return cls(fields.text("session_token"), target, fields.text(content_field))
        except WrongShape as problem:
            raise unfit(problem) from None


@dataclass(frozen=True)
class ReportForm:
    """Body of ``/v1/relays/report``."""

    token: str = field(repr=False)
    relay_id: str
    success: bool
    bytes_sent: int
    duration_s: int

    @classmethod
    async def read(cls, request: web.Request) -> ReportForm:
        """The form of a request; Unread when the body does not hold one."""
        fields = await body(request)
        try:
            return cls(
                fields.text("session_token"),
                fields.text("relay_id"),
                fields.flag("success"),
                fields.integer("bytes_sent"),
                fields.integer("duration_secs"),
            )
        except WrongShape as problem:
            raise unfit(problem) from None

"""What every HTTP request meets first and last: CORS, the global limiter, bodies, client addresses, error answers.

Contract §2. Refusals are raised as ``Refused`` anywhere in a route and answered here.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable

from aiohttp import web
from multidict import CIMultiDictProxy

from drills.reference.gateway.gateway import GATEWAY, Gateway
from drills.reference.gateway.limiter import Limiter
from drills.reference.gateway.refusal import Refused
from drills.reference.strict_json import Fields, NotJson, WrongShape, compact, decoded

BODY_BYTES_MAX = 2 * 1024 * 1024
BODY_WAIT_S = 30.0
JSON_TYPE = re.compile(r"application/(?:[^/]+\+)?json", re.IGNORECASE)
VARY = "origin, access-control-request-method, access-control-request-headers"
UNLIMITED = {"/", "/health"}
TOO_MANY = "Too many requests"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every request in the contract's words, whatever the route raises."""
    if request.method == "OPTIONS":
        return web.Response()
    try:
        _limit_everything(request)
        return await handler(request)
    except Refused as refusal:
        return json_answer({"error": refusal.text}, refusal.status)
    except Unread as problem:
        return web.Response(status=problem.status, text=problem.text)
    except web.HTTPException as problem:
        # 404 and 405 have no body here
        allow = {"Allow": problem.headers["Allow"]} if "Allow" in problem.headers else {}
        return web.Response(status=problem.status, headers=allow)


async def add_cors_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the CORS headers on any response, upgrades and errors included (contract §2.2)."""
    settings = request.app[GATEWAY].settings
    response.headers["Vary"] = VARY
    origin = request.headers.get("Origin", "")
    if settings.cors_any:
        response.headers["Access-Control-Allow-Origin"] = "*"
    elif origin in settings.origins:
        response.headers["Access-Control-Allow-Origin"] = origin
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET,POST,OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = "content-type,authorization,x-session-token"


class Unread(Exception):
    """A body that was not understood; answered as plain text, before anything else is looked at (contract §2.1)."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


async def body(request: web.Request) -> Fields:
    """The JSON object of a request; Unread when there is none."""
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip()
    if not JSON_TYPE.fullmatch(media_type):
        raise Unread(415, "Expected request with `Content-Type: application/json`")
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Unread(413, "Failed to buffer the request body: length limit exceeded") from None
    except TimeoutError:
        raise Unread(408, f"The request body did not arrive within {BODY_WAIT_S:g} s") from None
    try:
        return decoded(raw, trailing_ignored=True)
    except NotJson as problem:
        raise Unread(400, f"Failed to parse the request body as JSON: {problem}") from None
    except WrongShape as problem:
        raise unfit(problem) from None


def unfit(problem: WrongShape) -> Unread:
    """The answer to a body that is JSON but not what the route takes."""
    return Unread(422, f"Failed to deserialize the JSON body into the target type: {problem}")


def json_answer(value: object, status: int = 200) -> web.Response:
    """A compact JSON response with exactly ``content-type: application/json``."""
    return web.Response(body=compact(value).encode(), status=status, content_type="application/json")


def client_ip(request: web.Request) -> str:
    """The client's address, through the proxy's headers where they are trusted: for every limit (intended; D22)."""
    return effective_ip(request.headers, request.remote or "", request.app[GATEWAY].settings.trust_proxy)


def effective_ip(headers: CIMultiDictProxy[str], socket_ip: str, trusted: bool) -> str:
    """The address of contract §2.4; a header that holds no bare IP is passed over."""
    if not trusted:
        return socket_ip
    named = (headers.get("X-Forwarded-For", "").partition(",")[0].strip(), headers.get("X-Real-IP", "").strip())
    return next((ip for ip in named if _is_ip(ip)), socket_ip)


def refuse_beyond(limiter: Limiter, key: str, gateway: Gateway, text: str = TOO_MANY) -> None:
    """Count a request against a limiter; Refused with 429 beyond the limit."""
    if not limiter.passes(key, gateway.clock.monotonic()):
        raise Refused(429, text)


def _limit_everything(request: web.Request) -> None:
    path = request.path
    if path in UNLIMITED or path.startswith("/metrics/"):
        return
    # paths that lead nowhere share one key, or a scanner could fill the table (intended; D23)
    known = path if request.match_info.http_exception is None else "*"
    key = f"{request.method}:{known}:{client_ip(request)}"
    refuse_beyond(request.app[GATEWAY].limiters.everything, key, request.app[GATEWAY])


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

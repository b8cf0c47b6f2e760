"""The conventions all routes share: how bodies are read, who is let in, what refusals look like (contract §2.5).

Bodies are decoded before anybody asks for a token, so a malformed call gets 415, 413, 400 or 422 whoever sends
it. Refusals that come from routing or from a missing token have empty bodies.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from drills.reference.master.log import log
from drills.reference.master.memory import NotSaved
from drills.reference.master.settings import Origins, plain_origin
from drills.reference.strict_json import Fields, NotJson, WrongShape, compact, decoded

BODY_BYTES_MAX = 2 * 1024 * 1024
BODY_S = 10.0  # for a body to arrive; Wavry waits for ever
VARY = "origin, access-control-request-method, access-control-request-headers"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Body = TypeVar("Body")


async def body_of(request: web.Request, decode: Callable[[Fields], Body]) -> Body:
    """The decoded body, or the HTTP error it deserves."""
    if not _is_json(request.content_type):
        raise web.HTTPUnsupportedMediaType(text="Expected request with `Content-Type: application/json`")
    try:
        async with asyncio.timeout(BODY_S):
            raw = await request.read()
        return decode(decoded(raw, trailing_ignored=True))
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except NotJson as problem:
        raise web.HTTPBadRequest(text=f"Failed to parse the request body as JSON: {problem}") from None
    except WrongShape as problem:
        text = f"Failed to deserialize the JSON body into the target type: {problem}"
        raise web.HTTPUnprocessableEntity(text=text) from None


def bears(request: web.Request, token: str) -> bool:
    """Whether the call carries this token; compared in constant time."""
    header = request.headers.get("Authorization", "")
    if not header.startswith("Bearer "):
        return False
    return hmac.compare_digest(
        header.removeprefix("Bearer ").strip().encode("utf-8", "surrogateescape"), token.encode()
    )


def answer(value: object, status: int = 200) -> web.Response:
    """A JSON answer, compact as Wavry's."""
    return web.Response(body=compact(value).encode(), status=status, content_type="application/json")


@web.middleware
async def conventions(request: web.Request, handler: Handler) -> web.StreamResponse:
    """OPTIONS is always 200; 404 and 405 are empty; what operators said and could not be saved is a 500."""
    if request.method == "OPTIONS":
        return web.Response()
    try:
        return await handler(request)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as refusal:
        allow = {"Allow": refusal.headers["Allow"]} if "Allow" in refusal.headers else None
        return web.Response(status=refusal.status, headers=allow)
    except NotSaved as problem:
        log.error("%s", problem)
        return web.Response(status=500)


def cross_origin(origins: Origins) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """The CORS headers, put on just before any answer leaves, the WebSocket's included."""

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get("Origin")
        response.headers["Vary"] = VARY
        if origins.any_for_cors:
            for name in ("Origin", "Methods", "Headers"):
                response.headers[f"Access-Control-Allow-{name}"] = "*"
        elif origin is not None and plain_origin(origin) in origins.allowed:
            response.headers["Access-Control-Allow-Origin"] = origin

    return add


def _is_json(content_type: str) -> bool:
    """``application/json`` and ``application/*+json``."""
    main, _, sub = content_type.lower().partition("/")
    return main == "application" and (sub == "json" or sub.endswith("+json"))

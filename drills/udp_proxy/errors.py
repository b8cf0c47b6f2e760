"""What the API refuses, in Toxiproxy's words and with its status codes."""

from __future__ import annotations


class ApiError(Exception):
    """One clear error: its text and the HTTP status it is answered with."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message, self.status = message, status


def bad_body(why: str) -> ApiError:
    """Not JSON, or not what was expected in it."""
    return ApiError(f"bad request body: {why}", 400)


def missing(what: str) -> ApiError:
    """A field that must be given."""
    return ApiError(f"missing required field: {what}", 400)


def no_proxy() -> ApiError:
    """A proxy of that name is not there."""
    return ApiError("proxy not found", 404)


def proxy_exists() -> ApiError:
    """Its name is taken."""
    return ApiError("proxy already exists", 409)


def no_toxic() -> ApiError:
    """A toxic of that name is not on the proxy."""
    return ApiError("toxic not found", 404)


def toxic_exists() -> ApiError:
    """Its name is taken on this proxy."""
    return ApiError("toxic already exists", 409)


def no_kind(kinds: str) -> ApiError:
    """The type is none of ours."""
    return ApiError(f"invalid toxic type, expected one of {kinds}", 400)


def no_stream() -> ApiError:
    """The stream is neither of the two."""
    return ApiError("stream was invalid, can be either upstream or downstream", 400)

"""As much of HTTP/1.1 as an API on this machine needs: one request a connection, bounded; pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote

from drills.udp_proxy.api import JSON, Answer
from drills.udp_proxy.errors import ApiError

HEAD_BYTES_MAX = 8 * 1024
BODY_BYTES_MAX = 256 * 1024
END_OF_HEAD = b"\r\n\r\n"


class Request(NamedTuple):
    """What was asked for; ``path`` are the decoded parts between the slashes."""

    method: str
    path: list[str]
    body: bytes
    user_agent: str


def request(read: bytes) -> Request | None:
    """The request in what has been read so far, None where more is to come. Raises ApiError."""
    head, end, rest = read.partition(END_OF_HEAD)
    if len(head) > HEAD_BYTES_MAX:
        raise ApiError(f"request head: more than {HEAD_BYTES_MAX} bytes", 431)
    if not end:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1].startswith("/"):
        raise ApiError("request line: expected a method, a path and HTTP/1.1", 400)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = _length(headers)
    if len(rest) < length:
        return None
    path = [unquote(part) for part in words[1].partition("?")[0][1:].split("/")]
    return Request(words[0], path, rest[:length], headers.get("user-agent", ""))


def _length(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise ApiError("transfer-encoding: expected a content-length instead", 411)
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise ApiError("content-length: expected a number of bytes", 400)
    if int(text) > BODY_BYTES_MAX:
        raise ApiError(f"request body: more than {BODY_BYTES_MAX} bytes", 413)
    return int(text)


def refusal(error: ApiError) -> Answer:
    """What is answered to something that is no request of ours."""
    return Answer(error.status, f'{{"error":"{error.message}","status":{error.status}}}\n', JSON)


def response(answer: Answer) -> bytes:
    """An answer as it goes over the wire; the connection ends with it."""
    body = answer.body.encode()
    head = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\nConnection: close\r\n"
    if answer.status != HTTPStatus.NO_CONTENT:
        head += f"Content-Type: {answer.content_type}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body

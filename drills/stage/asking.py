"""Asking the container engine for something, bounded, with every refusal as one sentence.

A new client for each question: threads of ours ask at the same time, and an engine may have been restarted meanwhile.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from drills.errors import CannotRun
from drills.record import scrubbed
from drills.stage.engine import client as engine_client

ANSWER_S = 15.0


@contextmanager
def asked(what: str, timeout_s: float = ANSWER_S) -> Iterator[Any]:
    """A ``docker.DockerClient`` to ask with; raises CannotRun, naming ``what`` was asked, where it comes to nothing."""
    import docker.errors
    import requests
    import urllib3

    client = engine_client(timeout_s)
    try:
        yield client
    except docker.errors.APIError as error:
        words = scrubbed(str(error.explanation or error).strip())
        raise CannotRun(f"the engine did not {what}: {words}") from error
    except (
        docker.errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError,
        struct.error,  # a stream that breaks off in the middle of its own header
    ) as error:  # fmt: skip
        raise CannotRun(f"the engine did not {what}: {type(error).__name__}") from error
    finally:
        client.close()

"""Argon2id in worker threads (intended; D35), so that a burst of logins never stalls ``/health`` or a socket.

As in Wavry, two users' hashes are made at the same time where there are two cores. The parameters are Wavry's (contract
§3.2); a stored hash brings its own. At a faster pace a hash costs as much less work as the timers are shorter: ten
times as many logins in the same time are not to cost ten times the CPU.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import HashingError, InvalidHashError, VerificationError, VerifyMismatchError

MEMORY_KIB = 19_456
PASSES = 2
LANES = 1
MEMORY_KIB_MIN = 64  # the least of RFC 9106 is 8 KiB a lane
ANSWER_WAIT_S = 10.0

T = TypeVar("T")


class HashingFailed(Exception):
    """No hash could be made, or not in time."""


class BadStoredHash(Exception):
    """What is stored for a user is no Argon2 hash."""


def wavry_hasher() -> PasswordHasher:
    """Argon2id with Wavry's parameters."""
    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, hash_len=32, salt_len=16)


def paced_hasher(divisor: float) -> PasswordHasher:
    """Wavry's own at real pace; at a faster one (``divisor`` above 1) memory times passes is as much less."""
    if divisor <= 1:
        return wavry_hasher()
    memory_kib = max(MEMORY_KIB_MIN, round(PASSES * MEMORY_KIB / divisor))
    return PasswordHasher(time_cost=1, memory_cost=memory_kib, parallelism=LANES, hash_len=32, salt_len=16)


class Passwords:
    """Hashes and checks passwords without holding up the loop."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or wavry_hasher()
        self._threads = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="argon2")

    async def hashed(self, password: str) -> str:
        """A password as it is stored; HashingFailed when that does not work."""
        try:
            return await self._run(lambda: self._hasher.hash(password))
        except HashingError as problem:
            raise HashingFailed(str(problem)) from problem

    async def match(self, stored: str, password: str) -> bool:
        """Whether this is the password; BadStoredHash when what is stored is none, HashingFailed when too slow."""
        try:
            return await self._run(lambda: self._hasher.verify(stored, password))
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError) as problem:
            raise BadStoredHash(str(problem)) from problem

    def close(self) -> None:
        """Drop what has not begun; what has ends within milliseconds."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        waiting = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.wait_for(waiting, ANSWER_WAIT_S)
        except TimeoutError as problem:
            raise HashingFailed(f"not within {ANSWER_WAIT_S:g} s") from problem

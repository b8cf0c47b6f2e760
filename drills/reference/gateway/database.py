"""The one connection to SQLite, on a thread of its own so that no lock or fsync ever stalls the loop.

Committed work survives SIGKILL: synchronous FULL, the journal mode is left as it is found. A missing file is an
error (the stage creates an empty one beforehand, as Wavry's entrypoint does). Every wait is bounded: 5 s for a lock,
10 s for a place in the queue.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl, quote, unquote

from drills.reference.gateway import schema

LOCK_WAIT_S = 5.0  # contract §1.3
ANSWER_WAIT_S = 10.0
MODES = ("ro", "rw", "rwc", "memory")
MEMORY = ":memory:"

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class StoreError(Exception):
    """The database could not do it: lost, locked, read-only, full, damaged or too slow."""


class Clash(StoreError):
    """A row with the same unique value is there already."""


class Database:
    """Runs work in transactions, one at a time, away from the loop."""

    def __init__(self, connection: sqlite3.Connection, made_here: bool = False) -> None:
        self.made_here = made_here  # whether there were no tables before
        self._connection = connection
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._probes = 0

    @classmethod
    def opened(cls, url: str, latest: int = schema.LATEST) -> Database:
        """The database at a ``DATABASE_URL`` in its ``latest`` schema; StoreError when that fails, or it is newer."""
        try:
            connection = connected(url)
        except sqlite3.Error as problem:
            raise StoreError(f"failed to connect to database: {described(problem)}") from problem
        try:
            return cls(connection, schema.prepare(connection, latest))
        except sqlite3.Error as problem:
            connection.close()
            raise StoreError(f"failed to run migrations: {described(problem)}") from problem
        except schema.Newer as problem:
            connection.close()
            raise StoreError(f"failed to run migrations: {problem}") from problem

    async def read(self, work: Work[T]) -> T:
        """What a look at the database finds."""
        return await self._run("BEGIN", work)

    async def write(self, work: Work[T]) -> T:
        """The result of a change that is on disk, whole, when this returns."""
        return await self._run("BEGIN IMMEDIATE", work)

    async def probe(self) -> None:
        """Write one harmless number for good: the only way to know that the disk still takes what is given."""
        self._probes = (self._probes + 1) % 1000
        statement = f"PRAGMA user_version = {self._probes}"  # a header field nothing else uses; keeps no history
        await self.write(lambda connection: connection.execute(statement).close())

    async def close(self) -> None:
        """Let the work in progress finish, for at most as long as a lock may take, and close."""
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)
        await asyncio.wait({closing}, timeout=LOCK_WAIT_S)

    async def _run(self, begin: str, work: Work[T]) -> T:
        waiting = asyncio.get_running_loop().run_in_executor(self._thread, self._transaction, begin, work)
        try:
            return await asyncio.wait_for(waiting, ANSWER_WAIT_S)
        except sqlite3.IntegrityError as problem:
            raise Clash(described(problem)) from problem
        except sqlite3.Error as problem:
            raise StoreError(described(problem)) from problem
        except TimeoutError as problem:
            raise StoreError(f"no answer from the database within {ANSWER_WAIT_S:g} s") from problem

    def _transaction(self, begin: str, work: Work[T]) -> T:
        self._connection.execute(begin)
        try:
            result = work(self._connection)
            self._connection.execute("COMMIT")
            return result
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def connected(url: str) -> sqlite3.Connection:
    """A connection to the file a ``DATABASE_URL`` names; sqlite3.Error when it cannot be opened or read."""
    path, mode = located(url)
    target = "file::memory:" if path == MEMORY else f"file:{quote(path)}?mode={mode}"
    connection = sqlite3.connect(target, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False, uri=True)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def located(url: str) -> tuple[str, str]:
    """The file and the mode a ``DATABASE_URL`` names (contract §1.3); StoreError for an unknown option."""
    rest = url.removeprefix("sqlite://") if url.startswith("sqlite://") else url.removeprefix("sqlite:")
    name, _, query = rest.partition("?")
    options = dict(parse_qsl(query))
    mode = options.pop("mode", "rw")
    if options or mode not in MODES:
        raise StoreError(f"failed to connect to database: unknown option in DATABASE_URL: {query}")
    path = unquote(name)
    return (MEMORY, mode) if path == MEMORY or mode == "memory" else (str(Path(path).absolute()), mode)


def described(problem: sqlite3.Error) -> str:
    """A database error with its code, where it has one."""
    code = getattr(problem, "sqlite_errorcode", None)
    return str(problem) if code is None else f"(code: {code}) {problem}"

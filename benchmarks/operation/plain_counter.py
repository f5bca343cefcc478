"""The counter without a host: an ASGI application that does the same work on the same store, as its upper bound.

STORE=… python -m uvicorn benchmarks.operation.plain_counter:application

where STORE is `memory`, the URL of a Redis server, or the path of a SQLite file.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Scope = dict[str, Any]
Message = dict[str, Any]
MEMORY = "memory"
WORKERS = 8
"""Threads for stores that block, as many as the HTTP server provider has by default."""


def adder(store: str) -> Callable[[str], int]:
    """What adds 1 to a key of the store and returns the sum; any thread may call it."""
    if store == MEMORY:
        return _memory_adder()
    if store.startswith("redis://"):
        import redis  # noqa: PLC0415 (an extra)

        client = redis.Redis.from_url(store)
        return lambda key: int(client.incr(key))
    return _sqlite_adder(store)


def _memory_adder() -> Callable[[str], int]:
    counters: dict[str, int] = {}
    lock = threading.Lock()

    def add(key: str) -> int:
        with lock:
            counters[key] = total = counters.get(key, 0) + 1
            return total

    return add


def _sqlite_adder(path: str) -> Callable[[str], int]:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE counters (key TEXT PRIMARY KEY, value INTEGER NOT NULL)")
    lock = threading.Lock()

    def add(key: str) -> int:
        with lock:
            (total,) = connection.execute(
                "INSERT INTO counters VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET value = value + 1 RETURNING value",
                (key,),
            ).fetchone()
            return int(total)

    return add


class Application:
    """GET adds 1 to the counter of the path."""

    def __init__(self, store: str) -> None:
        self._add = adder(store)
        self._workers = None if store == MEMORY else ThreadPoolExecutor(WORKERS)

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer a request.  Spec: ASGI 3, HTTP connection scope"""
        key = scope["path"].replace("/", ":")
        if self._workers is None:
            total = self._add(key)
        else:
            total = await asyncio.get_running_loop().run_in_executor(self._workers, self._add, key)
        body = b'{"counter":%d}' % total
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


VARIABLE = "STORE"
application = Application(os.environ[VARIABLE]) if VARIABLE in os.environ else None

"""A database as the host sees it: processes that carry out operations, ended when they take too long."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

from host.codec.sqldb import OP_QUERY
from host.logs import printable
from host.providers.base import ProviderError
from host.providers.sqldb.session import OutcomeUnknown, TooLate
from host.providers.sqldb.settings import DatabaseSettings, SqliteSettings
from host.providers.sqldb.worker import ALARM_SECONDS, DONE, ENDING, START_SECONDS, command, environment

_GRACE_SECONDS = 1.0
"""How long after its alarm a process that does not answer is ended."""
_END_SECONDS = 5.0
"""How long a process may take to close its database."""


class _Gone(Exception):
    """The process has ended, or was ended, before it answered."""


class _Worker:
    """One process. Raises _Gone or ProviderError."""

    def __init__(self, settings: DatabaseSettings) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603
                    command(),
                    env=environment(),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise ProviderError(f"no process for SQL can be started: {error.strerror}") from error
        self._connection = Connection(ours.detach())
        try:
            self._connection.send(settings)
            self._receive(START_SECONDS + ALARM_SECONDS)
        except (_Gone, OSError) as error:
            self.end()
            raise ProviderError("the database cannot be opened: its process ended, or took too long") from error
        except BaseException:
            self.end()
            raise

    def call(self, operation: str, payload: bytes, seconds: float) -> bytes:
        """The reply to an operation, waited for so long."""
        try:
            self._connection.send_bytes(operation.encode() + b"\0" + payload)
        except OSError as error:
            raise _Gone from error
        return self._receive(seconds)

    def is_alive(self) -> bool:
        return self._process.poll() is None and not self._connection.closed

    def end(self) -> None:
        """Let it close the database, and end it if it does not."""
        self._connection.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._connection.close()
        self._process.kill()
        self._process.wait()

    def _receive(self, seconds: float) -> bytes:
        try:
            answer = self._connection.recv_bytes() if self._connection.poll(seconds) else b""
        except (EOFError, OSError) as error:
            self.kill()
            raise _Gone from error
        if not answer:
            self.kill()
            raise _Gone
        if answer[:1] == ENDING:
            self.kill()
        if answer[:1] != DONE:
            raise ProviderError(printable(answer[1:].decode("utf-8", "replace")))
        return answer[1:]


class Database:
    """A database with up to `connections` processes, which are started when they are needed. Thread-safe.

    The first one is started at once, so that a database which cannot be opened is known. Raises ProviderError.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._lock = threading.Condition()
        self._closed = False
        self._idle = [_Worker(settings)]
        self._busy = 0
        # SQLite has one writer at a time, and who waits here does not have to try again and again.
        one_writer = isinstance(settings.backend, SqliteSettings)
        self._writing = threading.Lock() if one_writer else None

    def call(self, operation: str, payload: bytes) -> bytes:
        """Carry out an operation; its message and its reply are encoded. Raises ProviderError."""
        deadline = time.monotonic() + self._settings.limits.seconds
        with self._turn(operation, deadline), self._worker(deadline) as worker:
            return self._ask(worker, operation, payload)

    def close(self) -> None:
        """Wait for the operations under way, and end the processes."""
        with self._lock:
            self._closed = True
            self._lock.wait_for(lambda: self._busy == 0)
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def _ask(self, worker: _Worker, operation: str, payload: bytes) -> bytes:
        limit = self._settings.limits.seconds
        started = time.monotonic()
        try:
            return worker.call(operation, payload, limit + ALARM_SECONDS + _GRACE_SECONDS)
        except _Gone as error:
            late = time.monotonic() - started >= limit
            failure = TooLate(limit) if late else ProviderError("the process that carried out the SQL ended")
            raise failure if operation == OP_QUERY else OutcomeUnknown(str(failure)) from error

    @contextmanager
    def _turn(self, operation: str, deadline: float) -> Iterator[None]:
        if self._writing is None or operation == OP_QUERY:
            yield
            return
        if not self._writing.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise ProviderError(f"the database has been busy for {self._settings.limits.seconds} s")
        try:
            yield
        finally:
            self._writing.release()

    @contextmanager
    def _worker(self, deadline: float) -> Iterator[_Worker]:
        worker = self._take(deadline)
        try:
            if worker is None:
                worker = _Worker(self._settings)
            yield worker
        finally:
            with self._lock:
                self._busy -= 1
                if worker is not None and worker.is_alive():
                    self._idle.append(worker)
                self._lock.notify_all()

    def _take(self, deadline: float) -> _Worker | None:
        """An idle process, or None for who may start one."""
        with self._lock:
            free = self._lock.wait_for(
                lambda: self._closed or self._busy < self._settings.connections, max(0.0, deadline - time.monotonic())
            )
            if self._closed:
                raise ProviderError("the database is closed")
            if not free:
                count = self._settings.connections
                raise ProviderError(f"all {count} connections have been busy for {self._settings.limits.seconds} s")
            self._busy += 1
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive():
                    return worker
                with suppress(OSError):
                    worker.kill()
            return None

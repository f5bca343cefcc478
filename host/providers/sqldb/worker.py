"""The process that carries out SQL: one session, one operation at a time, under limits of the operating system.

Its standard input is a socket to the host. The first message is the settings, each further one an operation and its
payload; each is answered with a status and the reply or the error's text. Memory is bounded by a limit of the process.
Time is bounded first by the session, and then by an alarm that ends the process, whatever it is in the middle of.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection

from host.codec import CodecError
from host.providers.base import ProviderError, reason
from host.providers.sqldb.operations import Operations
from host.providers.sqldb.session import Session
from host.providers.sqldb.settings import DatabaseSettings, SqliteSettings

DONE = b"\0"
FAILED = b"\1"
ENDING = b"\2"
"""The first byte of an answer; after FAILED the process is as good as before, after ENDING it is no more."""

START_SECONDS = 15
"""How long a process may take to start and to connect."""
ALARM_SECONDS = 1
"""How long after the time of an operation the alarm goes off."""

OUT_OF_MEMORY = "needs more memory than MAX_MEMORY_BYTES"


def main() -> None:
    """Serve the host until it closes the socket."""
    connection = Connection(os.dup(sys.stdin.fileno()))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with suppress(EOFError, OSError):
        settings: DatabaseSettings = connection.recv()
        sessions: list[Session] = []
        if _answer(connection, START_SECONDS, lambda: _start(settings, sessions)):
            _serve(connection, settings, sessions[0])


def _start(settings: DatabaseSettings, sessions: list[Session]) -> bytes:
    # Modules are loaded first, so that the limit is about what SQL needs.
    opener = _opener(settings)
    _limit_memory(settings.memory_bytes)
    sessions.append(opener())
    return b""


def _opener(settings: DatabaseSettings) -> Callable[[], Session]:
    backend = settings.backend
    if isinstance(backend, SqliteSettings):
        from host.providers.sqldb.sqlite import SqliteSession  # noqa: PLC0415

        resource.setrlimit(resource.RLIMIT_FSIZE, _soft(resource.RLIMIT_FSIZE, 2 * backend.file.max_bytes + 2**24))
        return lambda: SqliteSession(backend, settings.limits)
    from host.providers.sqldb.postgresql import PostgresqlSession  # noqa: PLC0415

    return lambda: PostgresqlSession(backend, settings.limits)


def _serve(connection: Connection, settings: DatabaseSettings, session: Session) -> None:
    operations = Operations(session, settings.limits)
    try:
        while True:
            operation, _, payload = connection.recv_bytes().partition(b"\0")
            work = partial(operations.perform, operation.decode(), payload)
            if not _answer(connection, settings.limits.seconds + ALARM_SECONDS, work):
                return
    finally:
        session.close()


def _answer(connection: Connection, seconds: float, work: Callable[[], bytes]) -> bool:
    """Do work and send what came of it; False if the process should not go on."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        answer = DONE + work()
    except (ProviderError, CodecError) as error:
        answer = FAILED + str(error).encode("utf-8", "replace")
    except MemoryError:
        answer = ENDING + OUT_OF_MEMORY.encode()
    except Exception as error:
        answer = ENDING + f"failed: {type(error).__name__}: {reason(error)}".encode("utf-8", "replace")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    connection.send_bytes(answer)
    return answer[:1] != ENDING


def _limit_memory(more: int) -> None:
    used = 0
    with suppress(OSError, ValueError), open("/proc/self/statm", "rb") as sizes:  # noqa: PTH123
        used = int(sizes.read().split()[0]) * resource.getpagesize()
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, _soft(resource.RLIMIT_AS, used + more))


def _soft(limit: int, wanted: int) -> tuple[int, int]:
    _, hard = resource.getrlimit(limit)
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    return value, value


def command() -> list[str]:
    """What runs this process: the host's own Python, and nothing from the current folder."""
    return [sys.executable, "-P", "-c", f"from {__name__} import main; main()"]


def environment() -> dict[str, str]:
    """The environment of the process: where Python's modules are, and nothing that guests should be able to find."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TZ") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C.UTF-8"}

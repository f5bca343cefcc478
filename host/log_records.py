"""The lines of the log: what call they belong to, their forms as text and as JSON, and the last of them in memory."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from queue import Empty, Full, Queue
from typing import Any

from host.codec.core import SYSTEM_ACTOR
from host.entities import ActorEntity, CapabilityEntity
from host.invocation import Invocation
from host.logs import printable, utc
from host.redaction import secrets

LOGGERS = ("wascc", "wapc")
"""The loggers of this project, whose level is that of the host's log."""
TEXT_FORM = "[%(asctime)s %(levelname)-7s] %(message)s"
TEXT_TIME = "%Y-%m-%dT%H:%M:%SZ"
COLOURS = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "31"}
FACTS = ("actor", "provider", "operation")
"""What a line may say of itself, by `extra` of Python's logging."""
KEPT_LINES = 2000
"""How many lines `RecentLines` keeps."""
WAITING_LINES = 1000
"""How many lines may wait for one who follows the log."""

current_invocation: ContextVar[Invocation | None] = ContextVar("current_invocation", default=None)
"""The invocation that the calling thread carries out: what it logs is about that."""


def set_log_level(level: int | str) -> None:
    """Log from this level of Python's logging on."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(level)


process_host: str | None = None
"""The id of the host that this process runs, if it runs just one: what is logged outside of calls is about that."""


def run_one_host(host_id: str) -> None:
    """Say which host the process runs."""
    global process_host  # noqa: PLW0603
    process_host = host_id


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log. `time` is in UTC as RFC 3339 has it; `level` a name of Python's logging; `actor` a public
    key, `provider` a binding name and a capability id with a comma between; what is not known is None."""

    time: str
    level: str
    logger: str
    message: str
    host: str | None = None
    actor: str | None = None
    provider: str | None = None
    operation: str | None = None
    invocation: str | None = None
    error: str | None = None

    @classmethod
    def of(cls, record: logging.LogRecord) -> Line:
        """The line of a record, logged by the calling thread. All its texts are on one line, and printable.

        Of an exception only the type is told: its text may hold a secret.
        """
        invocation = current_invocation.get()
        known = {"host": process_host} if invocation is None else _facts(invocation)
        # What a line says of itself counts more than what it was logged in.
        known |= {name: printable(value) for name in FACTS if isinstance(value := getattr(record, name, None), str)}
        kind = record.exc_info[0] if record.exc_info else None
        return cls(
            utc(record.created, "milliseconds"),
            record.levelname,
            record.name,
            printable(secrets.redacted(record.getMessage())),
            error=None if kind is None else kind.__name__,
            **known,
        )

    def fields(self) -> dict[str, str]:
        """The line by field, without what is not known."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def to_json(self) -> str:
        """The line as a JSON object, in ASCII."""
        return json.dumps(self.fields())


def _facts(invocation: Invocation) -> dict[str, str | None]:
    """What is known of a line logged in an invocation. Of a call between two actors, the actor is the one called."""
    facts: dict[str, str | None] = {
        "host": invocation.host_id,
        "operation": printable(invocation.operation),
        "invocation": invocation.id,
    }
    for entity in (invocation.origin, invocation.target):
        match entity:
            case CapabilityEntity():
                facts["provider"] = printable(entity.title)
            case ActorEntity(public_key) if public_key != SYSTEM_ACTOR:
                facts["actor"] = printable(public_key)
    return facts


class TextFormatter(logging.Formatter):
    """One line for each record, coloured by its level on a terminal."""

    def __init__(self, colours: bool) -> None:
        super().__init__(TEXT_FORM, TEXT_TIME)
        self.converter = time.gmtime
        self.colours = colours

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line before colours, with nothing in it that a terminal obeys."""
        record.message = printable(secrets.redacted(record.message))
        line = super().formatMessage(record)
        colour = COLOURS.get(record.levelname)
        return f"\x1b[{colour}m{line}\x1b[0m" if self.colours and colour else line

    def formatException(self, ei: Any) -> str:
        """The trace, each of its lines as fit for a terminal as the line above it."""
        return "\n".join(printable(secrets.redacted(line)) for line in super().formatException(ei).split("\n"))


class JsonFormatter(logging.Formatter):
    """One JSON object for each record, on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return Line.of(record).to_json()


class Follower:
    """Gets the lines that are logged from its making on. One that is too slow misses some, and is told how many."""

    def __init__(self) -> None:
        self._waiting: Queue[Line] = Queue(WAITING_LINES)
        self._missed = 0

    def offer(self, line: Line) -> None:
        """Have it a line, if there is room."""
        try:
            self._waiting.put_nowait(line)
        except Full:
            self._missed += 1

    def next(self, seconds: float) -> Line | None:
        """The next line, None if there is none within the time."""
        try:
            return self._waiting.get(timeout=seconds)
        except Empty:
            return None

    def missed(self) -> int:
        """How many lines were left out since this was last asked."""
        missed, self._missed = self._missed, 0
        return missed


class RecentLines(logging.Handler):
    """Keeps the last lines of the log in memory, and hands new ones to those who follow."""

    def __init__(self, lines: int = KEPT_LINES) -> None:
        super().__init__()
        self._kept: deque[Line] = deque(maxlen=lines)
        self._followers: set[Follower] = set()
        self._changing = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line of a record."""
        try:
            line = Line.of(record)
        except Exception:
            self.handleError(record)
            return
        with self._changing:
            self._kept.append(line)
            for follower in self._followers:
                follower.offer(line)

    @contextmanager
    def followed(self) -> Iterator[tuple[list[Line], Follower]]:
        """The lines that are kept, the oldest first, and a follower that gets those after them."""
        follower = Follower()
        with self._changing:
            kept = list(self._kept)
            self._followers.add(follower)
        try:
            yield kept, follower
        finally:
            with self._changing:
                self._followers.discard(follower)

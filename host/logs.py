"""The host's logger, and how text from outside is made fit for a log line."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

log = logging.getLogger("wascc.host")

MAX_LOGGED_CHARACTERS = 4096


def printable(text: str) -> str:
    """`text` on one line with nothing in it that a terminal obeys: what is not printable is shown as an escape.

    Longer text than MAX_LOGGED_CHARACTERS is cut, and says so.
    """
    if len(text) > MAX_LOGGED_CHARACTERS:
        text = f"{text[:MAX_LOGGED_CHARACTERS]}… ({len(text)} characters)"
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def places(error: BaseException) -> str:
    """Where in the code an error was raised, the outermost place first: for a log line in place of the error's text,
    which may hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    return "; ".join(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)


def utc(seconds: float, timespec: str = "seconds") -> str:
    """A time (seconds since 1970) as RFC 3339 has it, to the second or as `datetime.isoformat` names it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


class Sparing:
    """Logs at most `lines` lines within `seconds`: for what a guest can make happen as often as it likes.

    How many lines were left out is said with the next line that is not. `clock` tells the time in seconds.
    """

    def __init__(self, lines: int = 20, seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._lines = lines
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._since = clock()
        self._written = 0
        self._left_out = 0

    def log(self, level: int, message: str, *arguments: object, extra: Mapping[str, object] | None = None) -> None:
        """Log a line to the host's log, or leave it out; the arguments are those of the logging library."""
        with self._lock:
            now = self._clock()
            if now - self._since >= self._seconds:
                self._since, self._written = now, 0
            if self._written >= self._lines:
                self._left_out += 1
                return
            self._written += 1
            left_out, self._left_out = self._left_out, 0
        if left_out:
            log.warning("%d lines were left out here", left_out)
        log.log(level, message, *arguments, extra=extra)


sparing = Sparing()

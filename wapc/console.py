"""What a guest says to a person: console log and standard output, bounded, and unable to forge log lines."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

logger = logging.getLogger("wapc")

ConsoleLog = Callable[[int, str], None]
"""Takes the id of a guest and one text of it, as the guest wrote it (cut to size, invalid UTF-8 replaced)."""

LINE_COST = 64
"""What a text costs of a console's allowance besides its bytes: many short lines are work too."""

LOG_CUT = "further output of this call is not logged"


def visible(text: str) -> str:
    r"""The text in one line, with every character that is not printable as a Python escape (`\n`, `\x1b`)."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def log_line(guest_id: int, text: str) -> None:
    """The default console log: INFO to the logger `wapc`."""
    if logger.isEnabledFor(logging.INFO):
        logger.info("Guest module %d: %s", guest_id, visible(text))


def cut(data: bytes, limit: int) -> bytes:
    """At most `limit` bytes of UTF-8 `data`, without half a character at the end."""
    if len(data) <= limit:
        return data
    end = limit
    while end > max(0, limit - 3) and data[end] & 0xC0 == 0x80:
        end -= 1
    return data[:end]


@dataclass(slots=True)
class Console:
    """The outlet of one guest: passes texts on to `sink`, for each call of the guest only so much.

    A text costs its length in bytes and LINE_COST; `per_call` is what may be spent between two calls of `reset`.
    """

    guest_id: int
    sink: ConsoleLog
    per_call: int
    room: int = field(init=False)

    def __post_init__(self) -> None:
        self.room = self.per_call

    def reset(self) -> None:
        """A new call begins."""
        self.room = self.per_call

    def log(self, data: bytes) -> None:
        """Pass one text on; the first one that is too much is replaced by a notice, the others are dropped."""
        if self.room < 0:
            return
        self.room -= len(data) + LINE_COST
        self.sink(self.guest_id, data.decode("utf-8", "replace") if self.room >= 0 else LOG_CUT)


class LineStream:
    """A standard output for a guest that turns each line into one text of its console.

    Lines longer than `max_line` bytes are broken.
    """

    def __init__(self, console: Console, max_line: int) -> None:
        self._console = console
        self._max_line = max_line
        self._rest = b""

    def write(self, data: bytes, /) -> int:
        """Take all of `data`, though only as much is looked at as can still be logged."""
        considered = data[: max(0, self._console.room + 1)]
        *lines, self._rest = (self._rest + considered).split(b"\n")
        for line in lines:
            self._log(line.removesuffix(b"\r"))
        if len(self._rest) > self._max_line:
            self.end_line()
        return len(data)

    @property
    def pending(self) -> bool:
        """Whether there is something without a line end yet."""
        return bool(self._rest)

    def flush(self) -> None:
        """Nothing: lines are logged when they are complete."""

    def end_line(self) -> None:
        """Log what has no line end yet."""
        if self._rest:
            line, self._rest = self._rest, b""
            self._log(line)

    def _log(self, line: bytes) -> None:
        self._console.log(cut(line, self._max_line))
        start = len(cut(line, self._max_line))
        while 0 < start < len(line) and self._console.room >= 0:
            piece = cut(line[start : start + self._max_line + 1], self._max_line)
            self._console.log(piece)
            start += max(1, len(piece))

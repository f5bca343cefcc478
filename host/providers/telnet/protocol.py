"""What a telnet client sends, as lines of text, and the text of actors as what is sent to a client; without any socket.

Spec: RFC 854 and 855. No option is agreed to, so that both sides stay what the specification calls a network virtual
terminal; the characters are UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
ERASE_LINE, ERASE_CHARACTER, ARE_YOU_THERE = 248, 247, 246
MAX_SUBNEGOTIATION_BYTES = 1024
"""Nobody has a reason to send any, as no option is agreed to."""

_NUL, _LF, _CR = 0, 10, 13
_PRESENT = b"\r\n[yes]\r\n"
_REFUSALS = {DO: WONT, WILL: DONT}
_SPECIAL = re.compile(rb"[\n\r\xff]")
_ERASING = {ERASE_CHARACTER: b"\b", ERASE_LINE: b"\x15"}
"""What a keyboard has for the same."""
_ESCAPE_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O[ -~]|[ -~])?")
_OBEYED = re.compile("[\0-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that a terminal obeys rather than shows: control characters other than the tabulator, and those that
separate lines or change the direction of text."""


class TelnetViolation(ValueError):
    """What a client sends is no telnet."""


@dataclass(slots=True)
class Received:
    """What came of some bytes: whole lines, and what is to be sent in reply."""

    lines: list[str] = field(default_factory=list)
    replies: bytearray = field(default_factory=bytearray)


class LineReader:
    """Takes the bytes of one client, however they are cut. A line may have `max_line_bytes` without its end; one that
    has more is left out, and the client is told."""

    def __init__(self, max_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes
        self._line = bytearray()
        self._is_too_long = False
        self._after_cr = False
        self._option_command = 0
        self._subnegotiation_bytes = 0
        self._received = Received()
        self._state: Callable[[bytes, int], int] = self._text

    def feed(self, data: bytes) -> Received:
        """What came of the next bytes. Raises TelnetViolation; then the reader is of no more use."""
        self._received = Received()
        position = 0
        while position < len(data):
            position = self._state(data, position)
        return self._received

    # Each state takes some of the data from a position on, and says where it goes on.

    def _text(self, data: bytes, position: int) -> int:
        if self._after_cr and data[position] != IAC:
            self._after_cr = False
            if data[position] in (_LF, _NUL):
                return position + 1
        found = _SPECIAL.search(data, position)
        end = len(data) if found is None else found.start()
        self._add(data[position:end])
        if found is None:
            return end
        if data[end] == IAC:
            self._state = self._command
        else:
            self._end_line()
            self._after_cr = data[end] == _CR
        return end + 1

    def _command(self, data: bytes, position: int) -> int:
        command = data[position]
        self._state = self._text
        if command == IAC:
            self._add(b"\xff")
        elif command in (DO, DONT, WILL, WONT):
            self._option_command = command
            self._state = self._option
        elif command == SB:
            self._subnegotiation_bytes = 0
            self._state = self._subnegotiation
        elif command in _ERASING:
            self._add(_ERASING[command])
        elif command == ARE_YOU_THERE:
            self._received.replies += _PRESENT
        elif command < SE:
            raise TelnetViolation(f"{command} is no command")
        return position + 1

    def _option(self, data: bytes, position: int) -> int:
        refusal = _REFUSALS.get(self._option_command)
        if refusal is not None:
            self._received.replies += bytes([IAC, refusal, data[position]])
        self._state = self._text
        return position + 1

    def _subnegotiation(self, data: bytes, position: int) -> int:
        found = data.find(IAC, position)
        end = len(data) if found < 0 else found + 1
        self._subnegotiation_bytes += end - position
        if self._subnegotiation_bytes > MAX_SUBNEGOTIATION_BYTES:
            raise TelnetViolation(f"a sub-negotiation is over the limit of {MAX_SUBNEGOTIATION_BYTES} bytes")
        if found >= 0:
            self._state = self._subnegotiation_command
        return end

    def _subnegotiation_command(self, data: bytes, position: int) -> int:
        if data[position] not in (IAC, SE):
            raise TelnetViolation(f"a sub-negotiation has command {data[position]} in it")
        self._state = self._text if data[position] == SE else self._subnegotiation
        return position + 1

    def _add(self, part: bytes) -> None:
        if not part:
            return
        self._after_cr = False
        if len(self._line) + len(part) > self._max_line_bytes:
            self._is_too_long = True
            self._line.clear()
        if not self._is_too_long:
            self._line += part

    def _end_line(self) -> None:
        if self._is_too_long:
            self._is_too_long = False
            self._received.replies += written(f"That line was too long; {self._max_line_bytes} bytes are allowed.\n")
        else:
            self._received.lines.append(edited(self._line.decode(errors="replace")))
            self._line.clear()


def edited(line: str) -> str:
    """A line as its writer means it: characters that were erased are gone, and so is what only a terminal obeys."""
    if _OBEYED.search(line) is None:
        return line
    kept: list[str] = []
    for each in _ESCAPE_SEQUENCE.sub("", line):
        if each in "\b\x7f":
            del kept[-1:]
        elif each == "\x15":
            kept.clear()
        elif not _OBEYED.match(each):
            kept.append(each)
    return "".join(kept)


def written(text: str) -> bytes:
    """Text for a client: line feeds end lines, and what a terminal would obey is shown as an escape instead."""
    # UTF-8 has no byte 255, so there is never an IAC to be doubled.
    return _OBEYED.sub(_shown, text.replace("\r\n", "\n")).encode()


def _shown(found: re.Match[str]) -> str:
    return "\r\n" if found[0] == "\n" else ascii(found[0])[1:-1]

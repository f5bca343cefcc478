"""Secrets: texts that the host has from the environment or a file, and that no log line and no error may show.

A provider gets them as the values of a binding and may repeat them in what it says. So each one is noted here, for the
whole process, and taken out of every line of the host's log and of every error text of a provider.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from urllib.parse import quote, unquote, urlsplit

from host.logs import log, printable

REPLACEMENT = "[secret]"
"""What stands in a text in the place of a secret."""
MAX_SECRETS = 1000
"""How many secrets are known at a time; further ones take the place of those that were noted first."""

_SHORT = 4
"""Shorter secrets are replaced only where they stand as a word of their own: they may be a part of any word."""
_LINE = 16
"""From this length on, a line of a secret of several lines is taken for a secret too."""


class Secret(str):
    """A text that is not shown: its repr is REPLACEMENT. `str` and formatting give the text itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{REPLACEMENT}'"


class Redactor:
    """Takes the secrets that it was told of out of texts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forms: dict[str, tuple[str, ...]] = {}
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        """Know a secret from now on, and the forms in which it may stand in a text."""
        if not secret.strip() or secret in self._forms:
            return
        with self._lock:
            while len(self._forms) >= MAX_SECRETS:
                del self._forms[next(iter(self._forms))]
            self._forms[secret] = tuple(forms(secret))
            # Made when it is needed: many secrets come one after another, and it takes long to make.
            self._pattern = None

    def redacted(self, text: str) -> str:
        """The text with REPLACEMENT for every secret in it."""
        if not self._forms:
            return text
        pattern = self._pattern
        if pattern is None:
            with self._lock:
                longest_first = sorted({form for each in self._forms.values() for form in each}, key=len, reverse=True)
                pattern = self._pattern = re.compile("|".join(map(_alternative, longest_first)))
        return pattern.sub(REPLACEMENT, text)

    def filter(self, record: logging.LogRecord) -> bool:
        """For a logger: the record's message and trace without secrets."""
        if self._forms:
            message = record.getMessage()
            redacted = self.redacted(message)
            if redacted != message:
                record.msg, record.args = redacted, ()
            if record.exc_info:
                record.exc_text = self.redacted(_FORMATTER.formatException(record.exc_info))
        return True


def forms(secret: str) -> Iterator[str]:
    """The texts by which a secret is recognized: itself, escaped and quoted; its longer lines; a URL's password."""
    yield from _spellings(secret)
    lines = secret.splitlines()
    if len(lines) > 1:
        for line in lines:
            if len(line.strip()) >= _LINE:
                yield from _spellings(line.strip())
    try:
        password = urlsplit(secret).password
    except ValueError:
        return
    if password:
        yield from _spellings(password)
        yield from _spellings(unquote(password))


def _spellings(text: str) -> Iterator[str]:
    yield from (text, printable(text), repr(text)[1:-1], quote(text, safe=""))


def _alternative(form: str) -> str:
    return rf"(?<!\w){re.escape(form)}(?!\w)" if len(form) < _SHORT else re.escape(form)


_FORMATTER = logging.Formatter()

secrets = Redactor()
"""The secrets of this process."""

log.addFilter(secrets.filter)

"""Subjects, and the patterns of subscriptions, as NATS has them: tokens with dots between them. A pattern may leave one
open by `*`, and by `>` all that follow, at least one."""

from __future__ import annotations

from host.logs import printable
from host.providers.base import ProviderError

MAX_SUBJECT = 1024
"""Characters."""

ONE, REST = "*", ">"


def checked_subject(text: str) -> str:
    """A subject that may be published to. Raises ProviderError."""
    tokens = text.split(".")
    if not is_plain(text) or "" in tokens or ONE in tokens or REST in tokens:
        raise ProviderError(f"'{printable(text)}' is no subject")
    return text


def checked_pattern(text: str) -> str:
    """A pattern that may be subscribed to. Raises ProviderError."""
    tokens = text.split(".")
    if not is_plain(text) or "" in tokens or REST in tokens[:-1]:
        raise ProviderError(f"'{printable(text)}' is no subject to subscribe to")
    return text


def is_plain(text: str) -> bool:
    """Whether a text has no blanks and no characters that cannot be printed, and is not too long."""
    return len(text) <= MAX_SUBJECT and text.isprintable() and not any(map(str.isspace, text))


def matches(pattern: str, subject: str) -> bool:
    """Whether a message to a subject is for a subscription to a pattern."""
    wanted, found = pattern.split("."), subject.split(".")
    if wanted[-1] == REST:
        if len(found) < len(wanted):
            return False
        wanted, found = wanted[:-1], found[: len(wanted) - 1]
    return len(wanted) == len(found) and all(w in (ONE, f) for w, f in zip(wanted, found, strict=True))

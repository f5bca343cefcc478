"""Subjects, and the patterns of subscriptions, as NATS has them: tokens with dots between them. A pattern may leave one
open by `*`, and by `>` all that follow, at least one."""

from __future__ import annotations

from host.logs import printable
from host.providers.base import ProviderError

MAX_SUBJECT_BYTES = 1024
"""Of a subject as UTF-8: two of them fit into the longest line that a NATS server takes by default."""

ONE, REST = "*", ">"


def checked_subject(text: str) -> str:
    """A subject that may be published to. Raises ProviderError."""
    if not is_plain(text) or "" in text.split(".") or ONE in text or REST in text:
        raise ProviderError(f"'{printable(text)}' is no subject")
    return text


def checked_pattern(text: str) -> str:
    """A pattern that may be subscribed to. Raises ProviderError."""
    *tokens, last = text.split(".")
    fixed = [token for token in tokens if token != ONE] + [last] * (last not in (ONE, REST))
    if not is_plain(text) or any(not token or ONE in token or REST in token for token in fixed):
        raise ProviderError(f"'{printable(text)}' is no subject to subscribe to")
    return text


def checked_group(text: str) -> str:
    """The name of a queue group, or nothing. Raises ProviderError."""
    if not is_plain(text):
        raise ProviderError(f"'{printable(text)}' cannot name a queue group")
    return text


def is_plain(text: str) -> bool:
    """Whether a text has no blanks and no characters that cannot be printed, and is not too long."""
    # A printable text has no surrogates, so that it can be encoded.
    is_short = len(text) <= MAX_SUBJECT_BYTES
    return is_short and text.isprintable() and " " not in text and len(text.encode()) <= MAX_SUBJECT_BYTES


def matches(pattern: str, subject: str) -> bool:
    """Whether a message to a subject is for a subscription to a pattern."""
    wanted, found = pattern.split("."), subject.split(".")
    if wanted[-1] == REST:
        if len(found) < len(wanted):
            return False
        wanted, found = wanted[:-1], found[: len(wanted) - 1]
    return len(wanted) == len(found) and all(w in (ONE, f) for w, f in zip(wanted, found, strict=True))

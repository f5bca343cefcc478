"""The host's logger, and how text from outside is made fit for a log line."""

from __future__ import annotations

import logging

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

"""Time as tokens see it: whole seconds since 1970, and how people say the distance between two of them."""

from __future__ import annotations

import time

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

_STEPS = (
    (547 * _DAY, 365 * _DAY, "years"),
    (345 * _DAY, 0, "a year"),
    (45 * _DAY, 30 * _DAY, "months"),
    (29 * _DAY, 0, "a month"),
    (10 * _DAY + 12 * _HOUR, 7 * _DAY, "weeks"),
    (6 * _DAY + 12 * _HOUR, 0, "a week"),
    (36 * _HOUR, _DAY, "days"),
    (22 * _HOUR, 0, "a day"),
    (90 * _MINUTE, _HOUR, "hours"),
    (45 * _MINUTE, 0, "an hour"),
    (90, _MINUTE, "minutes"),
    (45, 0, "a minute"),
)
"""Longer than this many seconds: so many seconds to the unit (0: the words stand alone), and the words."""

_NOW_SECONDS = 10


def current_time() -> int:
    """Now, in whole seconds since 1970."""
    return int(time.time())


def human_time(then: int, now: int) -> str:
    """How far `then` is from `now` (both in seconds since 1970), roughly: `in 16 minutes`, `8 hours ago`, `now`.

    Any integers are fine, years beyond the calendar too.
    Protocol: docs/wascap.md#human-time
    """
    distance = abs(then - now)
    if distance <= _NOW_SECONDS:
        return "now"
    return f"{_length(distance)} ago" if then < now else f"in {_length(distance)}"


def _length(seconds: int) -> str:
    for longer_than, unit, words in _STEPS:
        if seconds > longer_than:
            return f"{max(seconds // unit, 2)} {words}" if unit else words
    return f"{seconds} seconds"

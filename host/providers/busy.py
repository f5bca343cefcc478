"""How long an actor that has too much to do is offered the same again."""

from __future__ import annotations

import time
from collections.abc import Iterator

BUSY_SECONDS = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0


def pauses() -> Iterator[float]:
    """The seconds to wait before each further offer, until BUSY_SECONDS after the first."""
    end, pause = time.monotonic() + BUSY_SECONDS, FIRST_PAUSE
    while time.monotonic() < end:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)

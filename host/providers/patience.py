"""Work for an actor that has too much to do: it is offered again, for some time."""

from __future__ import annotations

import time

from host.errors import was_refused

PATIENCE_SECONDS = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0


class Patience:
    """How long one piece of work is offered: from the making of this object on, for PATIENCE_SECONDS."""

    def __init__(self) -> None:
        self._end = time.monotonic() + PATIENCE_SECONDS
        self._pause = FIRST_PAUSE

    def pause_after(self, error: BaseException) -> float | None:
        """The seconds after which a call that failed so may be made again; None if it may not: the actor had begun with
        it, or the time is over."""
        if not was_refused(error) or time.monotonic() >= self._end:
            return None
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        return pause

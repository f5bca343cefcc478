"""The logging provider: what actors log goes to Python's logging, one line for each message."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from host.codec.logging import (
    CAPABILITY,
    LEVEL_DEBUG,
    LEVEL_ERROR,
    LEVEL_INFO,
    LEVEL_OFF,
    LEVEL_TRACE,
    LEVEL_WARN,
    OP_LOG,
    WriteLogRequest,
)
from host.logs import printable
from host.providers.base import Provider, ProviderError
from host.providers.values import ChoiceValue

TRACE = 5
"""Python's logging knows no such level; it stands below DEBUG."""

LEVELS = {
    LEVEL_OFF: None,
    LEVEL_ERROR: logging.ERROR,
    LEVEL_WARN: logging.WARNING,
    LEVEL_INFO: logging.INFO,
    LEVEL_DEBUG: logging.DEBUG,
    LEVEL_TRACE: TRACE,
}

actor_log = logging.getLogger("wascc.actor")

LEVEL_NAMES = {
    "off": LEVEL_OFF,
    "error": LEVEL_ERROR,
    "warn": LEVEL_WARN,
    "info": LEVEL_INFO,
    "debug": LEVEL_DEBUG,
    "trace": LEVEL_TRACE,
}
"""The levels as the value LEVEL has them."""
LEVEL = ChoiceValue("LEVEL", *LEVEL_NAMES, default="")


class LoggingProvider(Provider):
    """Writes `[<actor>] <body>` at the level asked for; `docs/providers/logging.md`."""

    capability = CAPABILITY
    name = "waSCC Logging Provider"
    long_description = "Writes what actors log to the log of the host."
    value_names = frozenset({LEVEL})

    def __init__(self) -> None:
        super().__init__()
        self._levels: dict[str, int] = {}
        logging.addLevelName(TRACE, "TRACE")
        self.route(OP_LOG, WriteLogRequest, self._write, "Writes one message to the log")

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        """Take the actor's level; without one, that of the host's log counts."""
        if name := LEVEL.of(values):
            self._levels[actor] = LEVEL_NAMES[name]
        else:
            self._levels.pop(actor, None)

    def unbind(self, actor: str) -> None:
        """Forget the actor's level."""
        self._levels.pop(actor, None)

    def _write(self, actor: str, request: WriteLogRequest) -> None:
        if request.level not in LEVELS:
            raise ProviderError(f"Unknown log level: {request.level}")
        level, allowed = LEVELS[request.level], self._levels.get(actor)
        if level is None or not (actor_log.isEnabledFor(level) if allowed is None else request.level <= allowed):
            return
        text, arguments = "[%s] %s", (actor, printable(request.body))
        # Handed on as it is: a level that was chosen for this actor counts more than that of the whole log.
        actor_log.handle(
            actor_log.makeRecord(actor_log.name, level, __file__, 0, text, arguments, None, extra={"actor": actor})
        )

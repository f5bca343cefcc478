"""The logging provider: what actors log goes to Python's logging, one line for each message."""

from __future__ import annotations

import logging

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


class LoggingProvider(Provider):
    """Writes `[<actor>] <body>` at the level asked for; `docs/providers/logging.md`."""

    capability = CAPABILITY
    name = "waSCC Logging Provider"
    long_description = "Writes what actors log to the log of the host."

    def __init__(self) -> None:
        super().__init__()
        logging.addLevelName(TRACE, "TRACE")
        self.route(OP_LOG, WriteLogRequest, self._write, "Writes one message to the log")

    @staticmethod
    def _write(actor: str, request: WriteLogRequest) -> None:
        if request.level not in LEVELS:
            raise ProviderError(f"Unknown log level: {request.level}")
        level = LEVELS[request.level]
        if level is not None and actor_log.isEnabledFor(level):
            actor_log.log(level, "[%s] %s", actor, printable(request.body))

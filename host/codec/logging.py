"""The message of the logging capability."""

from __future__ import annotations

from dataclasses import dataclass

from host.codec.schema import Message
from host.codec.types import U32

CAPABILITY = "wascc:logging"
OP_LOG = "WriteLog"
LEVEL_OFF = 0
LEVEL_ERROR = 1
LEVEL_WARN = 2
LEVEL_INFO = 3
LEVEL_DEBUG = 4
LEVEL_TRACE = 5


@dataclass(frozen=True, slots=True)
class WriteLogRequest(Message):
    """WriteLog: `level` is one of the levels above."""

    level: U32
    body: str

"""The configuration of one actor's telnet server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host.logs import printable
from host.providers.base import ProviderError
from host.providers.sockets import HOST, address_value, port_value
from host.providers.telnet.protocol import written
from host.providers.values import IntegerValue, TextValue, file_content

PORT = port_value(3000)
MOTD = TextValue("MOTD")
IDLE_TIMEOUT = IntegerValue("IDLE_TIMEOUT", 600, 1, 86_400)
MAX_CONNECTIONS = IntegerValue("MAX_CONNECTIONS", 100, 1, 100_000)
MAX_LINE_BYTES = IntegerValue("MAX_LINE_BYTES", 4096, 1, 1024 * 1024)
MAX_PENDING = IntegerValue("MAX_PENDING", 100, 1, 100_000)
MAX_SENDING_BYTES = IntegerValue("MAX_SENDING_BYTES", 1024 * 1024, 1, 64 * 1024 * 1024)
SEND_TIMEOUT = IntegerValue("SEND_TIMEOUT", 30, 1, 3600)
SHUTDOWN_TIMEOUT = IntegerValue("SHUTDOWN_TIMEOUT", 4, 0, 3600)
TELNET_VALUES = frozenset({
    HOST, PORT, MOTD, IDLE_TIMEOUT, MAX_CONNECTIONS, MAX_LINE_BYTES, MAX_PENDING, MAX_SENDING_BYTES, SEND_TIMEOUT,
    SHUTDOWN_TIMEOUT,
})  # fmt: skip
MAX_MOTD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen and within which limits; the values are described in `docs/providers/telnet.md`.

    `address` is host and port, of which 0 lets the system choose. Timeouts are in seconds. `motd` is what each new
    session is shown, as it is sent.
    """

    address: tuple[str, int]
    motd: bytes = field(repr=False)
    idle_timeout: int
    max_connections: int
    max_line_bytes: int
    max_pending: int
    max_sending_bytes: int
    send_timeout: int
    shutdown_timeout: int

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Settings:
        """The settings that these configuration values say. Raises ProviderError for one that is out of range, and for
        a file that is not there or holds no text."""
        return cls(
            address=address_value(values, PORT),
            motd=_motd(values[MOTD]) if MOTD in values else b"",
            idle_timeout=IDLE_TIMEOUT.of(values),
            max_connections=MAX_CONNECTIONS.of(values),
            max_line_bytes=MAX_LINE_BYTES.of(values),
            max_pending=MAX_PENDING.of(values),
            max_sending_bytes=MAX_SENDING_BYTES.of(values),
            send_timeout=SEND_TIMEOUT.of(values),
            shutdown_timeout=SHUTDOWN_TIMEOUT.of(values),
        )


def _motd(path: str) -> bytes:
    content = file_content(MOTD, path, MAX_MOTD_BYTES)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProviderError(f"{MOTD}: {printable(path)} is no text in UTF-8") from error
    return written(text if text.endswith("\n") or not text else f"{text}\n")

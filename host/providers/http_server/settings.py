"""The configuration of one actor's HTTP server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from host.providers.http_fields import BODY_BYTES
from host.providers.http_server.tls import TLS_VALUES, Tls
from host.providers.sockets import HOST, address_value, port_value
from host.providers.values import IntegerValue

PORT = port_value(8080)
MAX_BODY_BYTES = IntegerValue("MAX_BODY_BYTES", *BODY_BYTES)
MAX_CONNECTIONS = IntegerValue("MAX_CONNECTIONS", 256, 1, 100_000)
MAX_WAITING = IntegerValue("MAX_WAITING", 128, 0, 100_000)
REQUEST_TIMEOUT = IntegerValue("REQUEST_TIMEOUT", 30, 1, 3600)
RESPONSE_TIMEOUT = IntegerValue("RESPONSE_TIMEOUT", 60, 1, 3600)
SHUTDOWN_TIMEOUT = IntegerValue("SHUTDOWN_TIMEOUT", 4, 0, 3600)
WORKERS = IntegerValue("WORKERS", 8, 1, 256)
HTTP_SERVER_VALUES = TLS_VALUES | {
    HOST, PORT, MAX_BODY_BYTES, MAX_CONNECTIONS, MAX_WAITING, REQUEST_TIMEOUT, RESPONSE_TIMEOUT, SHUTDOWN_TIMEOUT,
    WORKERS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen and within which limits; the values are described in `docs/providers/http_server.md`.

    `port` 0 lets the system choose. Timeouts are in seconds. At most `workers` requests run at a time and `max_waiting`
    more may wait. `tls` None is plain HTTP.
    """

    host: str
    port: int
    max_body_bytes: int
    max_connections: int
    max_waiting: int
    request_timeout: int
    response_timeout: int
    shutdown_timeout: int
    workers: int
    tls: Tls | None

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Settings:
        """The settings that these configuration values say. Raises ProviderError for one that is out of range."""
        host, port = address_value(values, PORT)
        return cls(
            host=host,
            port=port,
            max_body_bytes=MAX_BODY_BYTES.of(values),
            max_connections=MAX_CONNECTIONS.of(values),
            max_waiting=MAX_WAITING.of(values),
            request_timeout=REQUEST_TIMEOUT.of(values),
            response_timeout=RESPONSE_TIMEOUT.of(values),
            shutdown_timeout=SHUTDOWN_TIMEOUT.of(values),
            workers=WORKERS.of(values),
            tls=Tls.of(values),
        )

    def same_address(self, other: Settings) -> bool:
        """Whether both listen at the same place."""
        return (self.host, self.port) == (other.host, other.port)

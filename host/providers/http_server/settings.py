"""The configuration of one actor's HTTP server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from host.providers.http_fields import body_bytes_value
from host.providers.http_server.tls import VALUE_NAMES as TLS_VALUE_NAMES
from host.providers.http_server.tls import Tls
from host.providers.sockets import ADDRESS_NAMES, address_value
from host.providers.values import integer_value

VALUE_NAMES = (
    TLS_VALUE_NAMES
    | ADDRESS_NAMES
    | {
        "MAX_BODY_BYTES",
        "MAX_CONNECTIONS",
        "MAX_WAITING",
        "REQUEST_TIMEOUT",
        "RESPONSE_TIMEOUT",
        "SHUTDOWN_TIMEOUT",
        "WORKERS",
    }
)


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
        host, port = address_value(values, 8080)
        return cls(
            host=host,
            port=port,
            max_body_bytes=body_bytes_value(values, "MAX_BODY_BYTES"),
            max_connections=integer_value(values, "MAX_CONNECTIONS", 256, 1, 100_000),
            max_waiting=integer_value(values, "MAX_WAITING", 128, 0, 100_000),
            request_timeout=integer_value(values, "REQUEST_TIMEOUT", 30, 1, 3600),
            response_timeout=integer_value(values, "RESPONSE_TIMEOUT", 60, 1, 3600),
            shutdown_timeout=integer_value(values, "SHUTDOWN_TIMEOUT", 4, 0, 3600),
            workers=integer_value(values, "WORKERS", 8, 1, 256),
            tls=Tls.of(values),
        )

    def same_address(self, other: Settings) -> bool:
        """Whether both listen at the same place."""
        return (self.host, self.port) == (other.host, other.port)

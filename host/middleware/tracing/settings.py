"""The configuration of the tracing middleware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host.errors import MiddlewareError
from host.middleware.settings import OFF, ON, NumberValue, PrintableValue, UrlValue, reading
from host.providers.http_fields import FIELD_VALUE, TOKEN
from host.providers.values import ChoiceValue, TextValue

NAME = "tracing"
CONTINUE, IGNORE = "continue", "ignore"

ENDPOINT = UrlValue("endpoint", "http://127.0.0.1:4318/v1/traces")
HEADERS = TextValue("headers")
SERVICE_NAME = PrintableValue("service_name", "wascc")
SAMPLING_RATIO = NumberValue("sampling_ratio", 1, 0, 1)
REMOTE_PARENT = ChoiceValue("remote_parent", CONTINUE, IGNORE)
PROPAGATE = ChoiceValue("propagate", ON, OFF)
EXPORT_INTERVAL = NumberValue("export_interval", 5, 0.1, 3600)
EXPORT_TIMEOUT = NumberValue("export_timeout", 10, 0.1, 3600)
FLUSH_TIMEOUT = NumberValue("flush_timeout", 2, 0, 60)
VALUES = frozenset(
    {
        *(ENDPOINT, HEADERS, SERVICE_NAME, SAMPLING_RATIO, REMOTE_PARENT, PROPAGATE),
        *(EXPORT_INTERVAL, EXPORT_TIMEOUT, FLUSH_TIMEOUT),
    }
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is traced, and where traces go; the values are described in `docs/middleware.md`. Times are in seconds."""

    endpoint: str
    headers: Mapping[str, str] = field(repr=False)
    service_name: str
    sampling_ratio: float
    continues_remote: bool
    propagates: bool
    export_interval: float
    export_timeout: float
    flush_timeout: float

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Settings:
        """The settings that these values say. Raises MiddlewareError."""
        with reading(NAME, values, VALUES):
            return cls(
                endpoint=ENDPOINT.of(values),
                headers=_headers(HEADERS.of(values)),
                service_name=SERVICE_NAME.of(values),
                sampling_ratio=SAMPLING_RATIO.of(values),
                continues_remote=REMOTE_PARENT.of(values) == CONTINUE,
                propagates=PROPAGATE.of(values) == ON,
                export_interval=EXPORT_INTERVAL.of(values),
                export_timeout=EXPORT_TIMEOUT.of(values),
                flush_timeout=FLUSH_TIMEOUT.of(values),
            )


def _headers(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, separator, value = (each.strip() for each in part.partition("="))
        if not separator or not TOKEN.fullmatch(name) or not FIELD_VALUE.fullmatch(value):
            raise MiddlewareError(f"{HEADERS} must be like name=value,name=value")
        found[name] = value
    return found

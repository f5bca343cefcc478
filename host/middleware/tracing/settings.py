"""The configuration of the tracing middleware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host.errors import MiddlewareError
from host.middleware.settings import OFF, ON, check_names, choice_value, number_value, url_value
from host.providers.http_fields import FIELD_VALUE, TOKEN

NAME = "tracing"
DEFAULT_ENDPOINT = "http://127.0.0.1:4318/v1/traces"
DEFAULT_SERVICE = "wascc"
CONTINUE, IGNORE = "continue", "ignore"

VALUE_NAMES = frozenset(
    {
        "endpoint",
        "headers",
        "service_name",
        "sampling_ratio",
        "remote_parent",
        "propagate",
        "export_interval",
        "export_timeout",
        "flush_timeout",
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
        check_names(NAME, values, VALUE_NAMES)
        service_name = values.get("service_name", DEFAULT_SERVICE)
        if not service_name or not service_name.isprintable():
            raise MiddlewareError("service_name must be a printable text")
        return cls(
            endpoint=url_value(values, "endpoint", DEFAULT_ENDPOINT) or DEFAULT_ENDPOINT,
            headers=_headers(values.get("headers", "")),
            service_name=service_name,
            sampling_ratio=number_value(values, "sampling_ratio", 1, 0, 1),
            continues_remote=choice_value(values, "remote_parent", (CONTINUE, IGNORE)) == CONTINUE,
            propagates=choice_value(values, "propagate", (ON, OFF)) == ON,
            export_interval=number_value(values, "export_interval", 5, 0.1, 3600),
            export_timeout=number_value(values, "export_timeout", 10, 0.1, 3600),
            flush_timeout=number_value(values, "flush_timeout", 2, 0, 60),
        )


def _headers(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, separator, value = (each.strip() for each in part.partition("="))
        if not separator or not TOKEN.fullmatch(name) or not FIELD_VALUE.fullmatch(value):
            raise MiddlewareError("headers must be like name=value,name=value")
        found[name] = value
    return found

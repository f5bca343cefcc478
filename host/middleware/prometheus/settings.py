"""The configuration of the Prometheus middleware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host.errors import MiddlewareError
from host.middleware.settings import OFF, ON, address_value, check_names, choice_value, number_value, url_value

NAME = "prometheus"
DEFAULT_ADDRESS = "127.0.0.1:9898"
DEFAULT_JOB = "wascc"

VALUE_NAMES = frozenset(
    {
        "metrics_server_addr",
        "pushgateway_addr",
        "push_interval",
        "push_basic_auth_username",
        "push_basic_auth_password",
        "job",
        "moving_average_window_size",
        "reference_names",
        "max_operations",
    }
)


@dataclass(frozen=True, slots=True)
class Push:
    """Where metrics are pushed to, under which job, how often (seconds), and as whom."""

    address: str
    job: str
    interval: float
    username: str | None
    password: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is measured, and where it is shown; the values are described in `docs/middleware.md`."""

    address: tuple[str, int] | None
    push: Push | None
    window: int
    reference_names: bool
    max_operations: int

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Settings:
        """The settings that these values say. Raises MiddlewareError."""
        check_names(NAME, values, VALUE_NAMES)
        return cls(
            address=address_value(values, "metrics_server_addr", DEFAULT_ADDRESS),
            push=_push(values),
            window=int(number_value(values, "moving_average_window_size", 100, 1, 1_000_000)),
            reference_names=choice_value(values, "reference_names", (ON, OFF)) == ON,
            max_operations=int(number_value(values, "max_operations", 64, 0, 10_000)),
        )


def _push(values: Mapping[str, str]) -> Push | None:
    address = url_value(values, "pushgateway_addr", None)
    interval = number_value(values, "push_interval", 15, 0.1, 86400)
    job = values.get("job", DEFAULT_JOB)
    username, password = values.get("push_basic_auth_username"), values.get("push_basic_auth_password")
    if not job or not job.isprintable():
        raise MiddlewareError("job must be a printable text")
    if (username is None) != (password is None):
        raise MiddlewareError("push_basic_auth_username and push_basic_auth_password belong together")
    return None if address is None else Push(address, job, interval, username, password)

"""The configuration of the Prometheus middleware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host.errors import MiddlewareError
from host.middleware.settings import OFF, ON, AddressValue, NumberValue, PrintableValue, UrlValue, reading
from host.providers.values import ChoiceValue, IntegerValue

NAME = "prometheus"

ADDRESS = AddressValue("metrics_server_addr", "127.0.0.1:9898")
GATEWAY = UrlValue("pushgateway_addr")
INTERVAL = NumberValue("push_interval", 15, 0.1, 86_400)
USERNAME, PASSWORD = "push_basic_auth_username", "push_basic_auth_password"
JOB = PrintableValue("job", "wascc")
WINDOW = IntegerValue("moving_average_window_size", 100, 1, 1_000_000)
REFERENCE_NAMES = ChoiceValue("reference_names", ON, OFF)
MAX_OPERATIONS = IntegerValue("max_operations", 64, 0, 10_000)
VALUES = frozenset({ADDRESS, GATEWAY, INTERVAL, USERNAME, PASSWORD, JOB, WINDOW, REFERENCE_NAMES, MAX_OPERATIONS})


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
        with reading(NAME, values, VALUES):
            return cls(
                address=ADDRESS.of(values),
                push=_push(values),
                window=WINDOW.of(values),
                reference_names=REFERENCE_NAMES.of(values) == ON,
                max_operations=MAX_OPERATIONS.of(values),
            )


def _push(values: Mapping[str, str]) -> Push | None:
    address, job, interval = GATEWAY.of(values), JOB.of(values), INTERVAL.of(values)
    username, password = values.get(USERNAME), values.get(PASSWORD)
    if (username is None) != (password is None):
        raise MiddlewareError(f"{USERNAME} and {PASSWORD} belong together")
    return Push(address, job, interval, username, password) if address else None

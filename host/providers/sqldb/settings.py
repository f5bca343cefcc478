"""What a binding's values say about a database: which one, and within which limits it serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host.providers.base import ProviderError
from host.providers.sqldb.session import Limits
from host.providers.sqlite_files import FileSettings
from host.providers.values import choice_value, integer_value

LIMIT_VALUES = frozenset({"MAX_ROWS", "MAX_RESULT_BYTES", "TIMEOUT", "MAX_MEMORY_BYTES", "CONNECTIONS"})
"""The configuration values that `database_settings` reads."""

SUPERUSER = ("refuse", "allow")

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """A SQLite file, and the longest text, bytes or row in it, in bytes."""

    file: FileSettings
    max_value_bytes: int


@dataclass(frozen=True, slots=True)
class PostgresqlSettings:
    """A database of a PostgreSQL server; the URL holds a password and is never shown."""

    url: str = field(repr=False)
    superuser: bool


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """A database, the limits of an operation, the memory in bytes of a process, and how many processes there may be."""

    backend: SqliteSettings | PostgresqlSettings
    limits: Limits
    memory_bytes: int
    connections: int


def database_settings(values: Mapping[str, str], backend: SqliteSettings | PostgresqlSettings) -> DatabaseSettings:
    """The settings in a binding's values. Raises ProviderError."""
    limits = Limits(
        seconds=integer_value(values, "TIMEOUT", 10, 1, 3600),
        rows=integer_value(values, "MAX_ROWS", 10_000, 1, 1_000_000),
        result_bytes=integer_value(values, "MAX_RESULT_BYTES", 8 * _MIB, 1024, 60 * _MIB),
    )
    memory_bytes = integer_value(values, "MAX_MEMORY_BYTES", 256 * _MIB, 64 * _MIB, 2**40)
    return DatabaseSettings(backend, limits, memory_bytes, integer_value(values, "CONNECTIONS", 4, 1, 64))


def postgresql_settings(values: Mapping[str, str]) -> PostgresqlSettings:
    """The settings of a PostgreSQL database. Raises ProviderError, which does not show the URL."""
    url = values.get("URL")
    if not url:
        raise ProviderError("URL must name a database: postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    return PostgresqlSettings(url, choice_value(values, "SUPERUSER", SUPERUSER) == "allow")

"""What a binding's values say about a database: which one, and within which limits it serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host.providers.base import ProviderError
from host.providers.sqldb.session import Limits
from host.providers.sqlite_files import FILE_VALUES, FileSettings, path_value
from host.providers.values import ChoiceValue, IntegerValue, TextValue

_MIB = 2**20
TIMEOUT = IntegerValue("TIMEOUT", 10, 1, 3600)
MAX_ROWS = IntegerValue("MAX_ROWS", 10_000, 1, 1_000_000)
MAX_RESULT_BYTES = IntegerValue("MAX_RESULT_BYTES", 8 * _MIB, 1024, 60 * _MIB)
MAX_MEMORY_BYTES = IntegerValue("MAX_MEMORY_BYTES", 256 * _MIB, 64 * _MIB, 2**40)
CONNECTIONS = IntegerValue("CONNECTIONS", 4, 1, 64)
LIMIT_VALUES = frozenset({TIMEOUT, MAX_ROWS, MAX_RESULT_BYTES, MAX_MEMORY_BYTES, CONNECTIONS})

PATH = path_value("wascc-sqldb.db")
MAX_VALUE_BYTES = IntegerValue("MAX_VALUE_BYTES", 4 * _MIB, 1024, 64 * _MIB)
SQLITE_VALUES = LIMIT_VALUES | FILE_VALUES | {PATH, MAX_VALUE_BYTES}

URL = TextValue("URL")
SUPERUSER = ChoiceValue("SUPERUSER", "refuse", "allow")
POSTGRESQL_VALUES = LIMIT_VALUES | {URL, SUPERUSER}


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """A SQLite file, and the longest text, bytes or row in it, in bytes."""

    file: FileSettings
    max_value_bytes: int

    @classmethod
    def of(cls, values: Mapping[str, str]) -> SqliteSettings:
        """The settings in a binding's values. Raises ProviderError."""
        return cls(FileSettings.of(values, PATH), MAX_VALUE_BYTES.of(values))


@dataclass(frozen=True, slots=True)
class PostgresqlSettings:
    """A database of a PostgreSQL server; the URL holds a password and is never shown."""

    url: str = field(repr=False)
    superuser: bool

    @classmethod
    def of(cls, values: Mapping[str, str]) -> PostgresqlSettings:
        """The settings in a binding's values. Raises ProviderError, which does not show the URL."""
        url = URL.of(values)
        if not url:
            raise ProviderError(f"{URL} must name a database: postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        return cls(url, SUPERUSER.of(values) == "allow")


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """A database, the limits of an operation, the memory in bytes of a process, and how many processes there may be."""

    backend: SqliteSettings | PostgresqlSettings
    limits: Limits
    memory_bytes: int
    connections: int

    @classmethod
    def of(cls, values: Mapping[str, str], backend: SqliteSettings | PostgresqlSettings) -> DatabaseSettings:
        """The settings in a binding's values, on this database. Raises ProviderError."""
        limits = Limits(TIMEOUT.of(values), MAX_ROWS.of(values), MAX_RESULT_BYTES.of(values))
        return cls(backend, limits, MAX_MEMORY_BYTES.of(values), CONNECTIONS.of(values))

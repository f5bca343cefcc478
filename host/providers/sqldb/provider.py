"""The providers of the relational database: which database an actor is bound to, and the way of its SQL to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from host.codec import Message, encode
from host.codec.sqldb import CAPABILITY
from host.providers.base import Provider
from host.providers.opened import Opened
from host.providers.optional import import_with_extra
from host.providers.sqldb.database import Database
from host.providers.sqldb.operations import REQUESTS
from host.providers.sqldb.settings import (
    LIMIT_VALUES,
    DatabaseSettings,
    SqliteSettings,
    database_settings,
    postgresql_settings,
)
from host.providers.sqlite_files import FILE_VALUES, file_settings
from host.providers.values import integer_value

DEFAULT_PATH = "wascc-sqldb.db"


class SqlProvider(Provider, ABC):
    """The operations, on the database that the actor is bound to; `docs/providers/sqldb.md`."""

    capability = CAPABILITY

    def __init__(self) -> None:
        super().__init__()
        self._databases: Opened[DatabaseSettings, Database] = Opened()
        for operation, (request, doctext) in REQUESTS.items():
            self.route(operation, request, self._caller(operation), doctext)

    @abstractmethod
    def settings(self, values: Mapping[str, str]) -> DatabaseSettings:
        """The settings in a binding's values. Raises ProviderError."""

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        """Connect the actor to the database that the values name; actors with the same values share it."""
        settings = self.settings(values)
        self._databases.bind(actor, settings, lambda: Database(settings))

    def unbind(self, actor: str) -> None:
        """Close the database if the actor was the last to use it."""
        self._databases.unbind(actor)

    def _caller(self, operation: str) -> Callable[[str, Message], bytes]:
        return lambda actor, request: self._databases.of(actor).call(operation, encode(request))


class SqliteSqlProvider(SqlProvider):
    """SQL on a SQLite file."""

    name = "waSCC SQL Database Provider (SQLite)"
    long_description = "Queries, statements and transactions on a SQLite database in a file."
    value_names = LIMIT_VALUES | FILE_VALUES | {"MAX_VALUE_BYTES"}

    def settings(self, values: Mapping[str, str]) -> DatabaseSettings:
        """Of a SQLite file. Raises ProviderError."""
        longest = integer_value(values, "MAX_VALUE_BYTES", 2**22, 1024, 2**26)
        return database_settings(values, SqliteSettings(file_settings(values, DEFAULT_PATH), longest))


class PostgresqlSqlProvider(SqlProvider):
    """SQL on a database of a PostgreSQL server. Raises ProviderError if its libraries are not installed."""

    name = "waSCC SQL Database Provider (PostgreSQL)"
    long_description = "Queries, statements and transactions on a database of a PostgreSQL server."
    value_names = LIMIT_VALUES | {"URL", "SUPERUSER"}

    def __init__(self) -> None:
        super().__init__()
        for module in ("sqlalchemy", "psycopg"):
            import_with_extra(module, "postgresql")

    def settings(self, values: Mapping[str, str]) -> DatabaseSettings:
        """Of a PostgreSQL database. Raises ProviderError, in which the URL is not."""
        return database_settings(values, postgresql_settings(values))

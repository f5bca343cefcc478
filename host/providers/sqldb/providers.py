"""The providers of the relational database: which database an actor is bound to, and the way of its SQL to it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping

from host.codec import Message, encode
from host.codec.sqldb import CAPABILITY
from host.providers.opened import OpeningProvider
from host.providers.optional import import_with_extra
from host.providers.sqldb.database import Database
from host.providers.sqldb.operations import REQUESTS
from host.providers.sqldb.settings import (
    POSTGRESQL_VALUES,
    SQLITE_VALUES,
    DatabaseSettings,
    PostgresqlSettings,
    SqliteSettings,
)


class SqlProvider(OpeningProvider[Database]):
    """The operations, on the database that the actor is bound to; `docs/providers/sqldb.md`."""

    capability = CAPABILITY

    def __init__(self) -> None:
        super().__init__()
        for operation, (request, doctext) in REQUESTS.items():
            self.route(operation, request, self._caller(operation), doctext)

    @abstractmethod
    def backend(self, values: Mapping[str, str]) -> SqliteSettings | PostgresqlSettings:
        """The database that a binding's values name. Raises ProviderError, in which no secret stands."""

    def opening(self, actor: str, values: Mapping[str, str]) -> tuple[Hashable, Callable[[], Database]]:
        """The database, which actors with the same values share."""
        settings = DatabaseSettings.of(values, self.backend(values))
        return settings, lambda: Database(settings)

    def _caller(self, operation: str) -> Callable[[str, Message], bytes]:
        return lambda actor, request: self.store(actor).call(operation, encode(request))


class SqliteSqlProvider(SqlProvider):
    """SQL on a SQLite file."""

    name = "waSCC SQL Database Provider (SQLite)"
    long_description = "Queries, statements and transactions on a SQLite database in a file."
    value_names = SQLITE_VALUES

    def backend(self, values: Mapping[str, str]) -> SqliteSettings:
        """A file. Raises ProviderError."""
        return SqliteSettings.of(values)


class PostgresqlSqlProvider(SqlProvider):
    """SQL on a database of a PostgreSQL server. Raises ProviderError if its libraries are not installed."""

    name = "waSCC SQL Database Provider (PostgreSQL)"
    long_description = "Queries, statements and transactions on a database of a PostgreSQL server."
    value_names = POSTGRESQL_VALUES

    def __init__(self) -> None:
        super().__init__()
        for module in ("sqlalchemy", "psycopg"):
            import_with_extra(module, "postgresql")

    def backend(self, values: Mapping[str, str]) -> PostgresqlSettings:
        """A database of a server. Raises ProviderError."""
        return PostgresqlSettings.of(values)

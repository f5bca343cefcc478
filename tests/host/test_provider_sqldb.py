"""What the SQL operations do, on both databases."""

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from host_support import Identities, call_script
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqldb_support import ACTOR, Client, SqlClient, worker_processes

from host import Host, find_provider
from host.codec import decode, encode
from host.codec.sqldb import CAPABILITY, ExecuteResult, QueryRequest, QueryResult, SqlValue, Statement
from host.providers.base import ProviderError
from host.providers.sqldb.providers import PostgresqlSqlProvider, SqliteSqlProvider

BACKENDS = ("sqlite", "postgresql")
TYPES = {
    "sqlite": {"text": "TEXT", "bytes": "BLOB", "float": "REAL", "integer": "INTEGER", "boolean": "INTEGER"},
    "postgresql": {"text": "text", "bytes": "bytea", "float": "float8", "integer": "int8", "boolean": "boolean"},
}
SLOW = {
    "sqlite": "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
    "postgresql": "SELECT count(*) FROM generate_series(1, 100000000000)",
}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    backend: str = request.param
    return backend


@pytest.fixture
def database(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The values that name a new database."""
    if backend == "sqlite":
        return {"PATH": str(tmp_path / "sql.db"), "SYNCHRONOUS": "normal"}
    return {"URL": request.getfixturevalue("new_database")()}


@pytest.fixture
def new_client(backend: str, database: dict[str, str]) -> Iterator[Client]:
    """Actors of providers of their own, all with one database."""
    clients: list[SqlClient] = []

    def make(**values: str) -> SqlClient:
        provider = SqliteSqlProvider() if backend == "sqlite" else PostgresqlSqlProvider()
        clients.append(SqlClient(provider, database))
        return clients[-1].bind(**values)

    yield make
    for client in clients:
        client.provider.stop()


@pytest.fixture
def client(new_client: Client) -> SqlClient:
    return new_client()


@pytest.fixture
def table(client: SqlClient) -> SqlClient:
    """A client whose database has a table of numbers and texts, with three rows."""
    client.execute("CREATE TABLE t (n integer PRIMARY KEY, s text)")
    client.execute("INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, NULL)")
    return client


def test_every_operation_is_described(client: SqlClient) -> None:
    names = [operation.name for operation in client.provider.descriptor.supported_operations]
    assert names == ["Query", "Execute", "Batch"]
    assert client.provider.descriptor.id == "wascc:sqldb"


def test_query(table: SqlClient) -> None:
    found = table.query("SELECT n, s AS word FROM t WHERE n >= $1 ORDER BY n", 2)
    assert found == QueryResult(("n", "word"), ((2, "two"), (3, None)), truncated=False)
    assert table.query("SELECT n FROM t WHERE n > $1", 99) == QueryResult(("n",), (), truncated=False)
    assert table.rows("WITH x AS (SELECT max(n) AS m FROM t) SELECT m FROM x") == [(3,)]
    assert table.rows(" -- a comment\n/* another */ SELECT 1") == [(1,)]


def test_execute(table: SqlClient) -> None:
    assert table.execute("UPDATE t SET s = $1 WHERE n < $2", "x", 3).affected_rows == 2
    assert table.execute("DELETE FROM t WHERE n = 99").affected_rows == 0
    assert table.execute("CREATE INDEX i ON t (s)") == ExecuteResult(0)
    returned = table.execute("INSERT INTO t VALUES ($1, $2), ($3, $2) RETURNING n, s", 8, "new", 9)
    assert (returned.affected_rows, returned.columns, returned.rows) == (2, ("n", "s"), ((8, "new"), (9, "new")))
    assert table.execute("SELECT s FROM t WHERE n = 9") == ExecuteResult(0, None, ("s",), (("new",),))
    assert table.execute("DROP TABLE t") == ExecuteResult(0)


def test_placeholders_are_no_text(table: SqlClient) -> None:
    hostile = "x'; DROP TABLE t; -- $1 ? %s :a"
    table.execute("UPDATE t SET s = $1 WHERE n = $2", hostile, 1)
    assert table.rows("SELECT s FROM t WHERE s = $1", hostile) == [(hostile,)]
    # A placeholder in a literal or a comment is none, and one may stand in several places.
    assert table.rows("SELECT '$2', n FROM t WHERE n = $1 OR n = $1 + 1 -- $3\n ORDER BY n", 2) == [
        ("$2", 2),
        ("$2", 3),
    ]


@pytest.mark.parametrize(("sql", "parameters"), [("SELECT $1 + $2", (1,)), ("SELECT 1 + $1", ()), ("SELECT $9", (1,))])
def test_no_parameter_may_be_missing(client: SqlClient, sql: str, parameters: tuple[int, ...]) -> None:
    with pytest.raises(ProviderError, match="parameter"):
        client.query(sql, *parameters)
    with pytest.raises(ProviderError, match="parameter"):
        client.execute(sql, *parameters)


def test_batch_is_all_or_nothing(table: SqlClient) -> None:
    results = table.batch(
        ("INSERT INTO t VALUES ($1, $2)", (4, "four")), "SELECT count(*) FROM t", "DELETE FROM t WHERE n < 3"
    )
    assert [result.affected_rows for result in results] == [1, 0, 2]
    assert results[1].rows == ((4,),)
    with pytest.raises(ProviderError, match=r"^statements\[2\]: .*t.*") as caught:
        table.batch("DELETE FROM t", "INSERT INTO t VALUES (7, 'seven')", "INSERT INTO t VALUES (7, 'again')")
    assert "\n" not in str(caught.value)
    assert table.rows("SELECT n FROM t ORDER BY n") == [(3,), (4,)]
    assert table.batch() == ()
    with pytest.raises(ProviderError, match="1001 statements is over the limit of 1000"):
        table.batch(*["SELECT 1"] * 1001)


def test_a_query_changes_nothing(table: SqlClient) -> None:
    for sql in (
        "INSERT INTO t VALUES (9, 'x')",
        "UPDATE t SET s = 'x'",
        "DELETE FROM t",
        "DELETE FROM t RETURNING n",
        "CREATE TABLE u (n integer)",
        "DROP TABLE t",
        "ALTER TABLE t ADD COLUMN x integer",
        "WITH x AS (SELECT 1) INSERT INTO t SELECT 9, 'x'",
    ):
        with pytest.raises(ProviderError):
            table.query(sql)
    assert table.rows("SELECT n, s FROM t ORDER BY n") == [(1, "one"), (2, "two"), (3, None)]


def test_exactly_one_statement(table: SqlClient) -> None:
    nothing = ["", " ", ";", "-- nothing", "/* nothing */"]
    for sql in [*nothing, "SELECT 1; SELECT 2", "DELETE FROM t; DELETE FROM t", "SELECT 1;;2"]:
        for ask in (table.query, table.execute, table.batch):
            with pytest.raises(ProviderError):
                ask(sql)
    assert len(table.rows("SELECT * FROM t")) == 3


TRANSACTION_CONTROL = """BEGIN|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT a|RELEASE a|ROLLBACK TO a|COMMIT AND CHAIN|commit
|START TRANSACTION|BEGIN IMMEDIATE|END TRANSACTION|/* x */ COMMIT|-- x\nCOMMIT|PREPARE TRANSACTION 'x'|(COMMIT)|;COMMIT
|SET TRANSACTION READ WRITE|SET SESSION AUTHORIZATION DEFAULT|\tROLLBACK AND CHAIN|/*/**/*/COMMIT|--\rCOMMIT
|/* /* */ SELECT 1 */ COMMIT"""


def test_transactions_are_the_providers(table: SqlClient) -> None:
    for sql in TRANSACTION_CONTROL.replace("\n|", "|").split("|"):
        for ask in (table.query, table.execute):
            with pytest.raises(ProviderError):
                ask(sql)
        with pytest.raises(ProviderError, match=r"^statements\[1\]"):
            table.batch("DELETE FROM t", sql, "SELECT nothing FROM nowhere")
    assert len(table.rows("SELECT * FROM t")) == 3


def test_row_limits(new_client: Client) -> None:
    client = new_client(MAX_ROWS="4")
    client.execute("CREATE TABLE t (n integer)")
    client.batch(*[("INSERT INTO t VALUES ($1)", (number,)) for number in range(5)])
    numbers = "SELECT n FROM t ORDER BY n"
    assert client.query(numbers) == QueryResult(("n",), ((0,), (1,), (2,), (3,)), truncated=True)
    assert client.query(numbers, max_rows=2) == QueryResult(("n",), ((0,), (1,)), truncated=True)
    assert not client.query("SELECT n FROM t WHERE n < 4", max_rows=4).truncated
    assert len(client.query(numbers, max_rows=2**32 - 1).rows) == 4
    with pytest.raises(ProviderError, match="the answer is over the limit of 4 rows or 8388608 bytes"):
        client.execute("DELETE FROM t RETURNING n")
    with pytest.raises(ProviderError, match=r"statements\[1\]: the answer is over the limit"):
        client.batch("DELETE FROM t WHERE n > 2 RETURNING n", "DELETE FROM t RETURNING n")
    assert client.rows("SELECT count(*) FROM t") == [(5,)]
    assert len(client.execute("DELETE FROM t WHERE n > 0 RETURNING n").rows) == 4


def test_size_limits(new_client: Client) -> None:
    client = new_client(MAX_RESULT_BYTES="10000")
    client.execute("CREATE TABLE t (s text)")
    client.batch(*[("INSERT INTO t VALUES ($1)", ("ä" * 1500,)) for _ in range(5)])
    found = client.query("SELECT s FROM t")
    assert (len(found.rows), found.truncated) == (3, True)
    with pytest.raises(ProviderError, match="the answer is over the limit"):
        client.query("SELECT s || s || s || s FROM t")
    with pytest.raises(ProviderError, match="the answer is over the limit"):
        client.execute("UPDATE t SET s = 'x' RETURNING $1 || $1", "x" * 5000)
    with pytest.raises(ProviderError, match="names of the columns are over the limit"):
        client.query("SELECT " + ", ".join(f"1 AS {'c' * 60}{number}" for number in range(300)))
    assert client.rows("SELECT count(*) FROM t WHERE s = 'x'") == [(0,)]


def test_time_limit(new_client: Client, backend: str) -> None:
    client = new_client(TIMEOUT="1")
    client.execute("CREATE TABLE t (n integer)")
    started = time.monotonic()
    for ask in (client.query, client.execute):
        with pytest.raises(ProviderError, match="took longer than 1 s"):
            ask(SLOW[backend])
    with pytest.raises(ProviderError, match=r"statements\[1\]: took longer than 1 s"):
        client.batch("INSERT INTO t VALUES (1)", SLOW[backend])
    assert time.monotonic() - started < 3 * 2.5
    assert client.rows("SELECT count(*) FROM t") == [(0,)]


def test_constraints_that_are_checked_at_the_end(table: SqlClient) -> None:
    table.execute("CREATE TABLE u (n integer REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED)")
    for ask in (table.execute, table.batch):
        with pytest.raises(ProviderError, match=r"(?i)^[^/]*foreign key constraint[^/]*$"):
            ask("INSERT INTO u VALUES (99)")
    table.batch("INSERT INTO u VALUES (99)", "INSERT INTO t VALUES (99, 'late')")
    assert table.rows("SELECT n FROM u") == [(99,)]


def test_errors_are_one_line_and_harmless(table: SqlClient) -> None:
    hostile = ("SELECT \x1b[31m\n\nx", "SELECT \0", "(" * 9999, "SELECT " + "(" * 9999, "SELECT '" + "x" * 2**21)
    for sql in ("SELECT x", "nonsense", "SELECT * FROM nowhere", "SELECT 'x", *hostile):
        with pytest.raises(ProviderError) as caught:
            table.execute(sql)
        assert str(caught.value).isprintable()
    with pytest.raises(ProviderError, match=r"(?i)unique"):
        table.execute("INSERT INTO t VALUES (1, 'again')")
    with pytest.raises(ProviderError, match=r"Statement\.parameters"):
        table.provider.handle_call(ACTOR, "Execute", b"\x92\xa0\x91\x01")
    assert len(table.rows("SELECT * FROM t")) == 3


def test_concurrent_writers_lose_nothing(table: SqlClient, new_client: Client) -> None:
    clients = [table, new_client(CONNECTIONS="2")]

    def work(number: int) -> None:
        client = clients[number % 2]
        for _ in range(20):
            client.execute("UPDATE t SET n = n + 1 WHERE s IS NULL")
            client.batch("UPDATE t SET n = n + 1 WHERE s IS NULL", "SELECT 1")
            client.query("SELECT * FROM t")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert table.rows("SELECT n FROM t WHERE s IS NULL") == [(3 + 2 * 8 * 20,)]


def test_actors_share_what_their_bindings_name(table: SqlClient, database: dict[str, str]) -> None:
    other = SqlClient(table.provider, database, "MOTHER").bind()
    assert len(worker_processes()) == 1
    other.execute("DELETE FROM t WHERE n = 1")
    assert table.rows("SELECT count(*) FROM t") == [(2,)]
    table.remove()
    with pytest.raises(ProviderError, match="is not bound"):
        table.query("SELECT 1")
    assert other.rows("SELECT count(*) FROM t") == [(2,)]
    table.bind(MAX_ROWS="1")
    assert table.query("SELECT n FROM t").truncated
    with pytest.raises(ProviderError, match="TIMEOUT must be an integer from 1 to 3600, not 'x'"):
        table.bind(TIMEOUT="x")
    assert table.query("SELECT n FROM t").truncated
    table.provider.stop()
    assert worker_processes() == []


I64 = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
BYTES = st.binary(max_size=200)


@given(
    row=st.tuples(st.none() | I64, st.none() | FLOATS, st.none() | TEXTS, st.none() | BYTES, st.none() | st.booleans())
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_come_back_as_they_went(client: SqlClient, backend: str, row: tuple[SqlValue, ...]) -> None:
    types = TYPES[backend]
    names = ("integer", "float", "text", "bytes", "boolean")
    columns = ", ".join(f"c{name} {types[name]}" for name in names)
    results = client.batch(
        "DROP TABLE IF EXISTS v",
        f"CREATE TABLE v ({columns})",
        ("INSERT INTO v VALUES ($1, $2, $3, $4, $5)", row),
        "SELECT * FROM v",
    )
    assert results[3].rows == (row,)
    found = client.rows("SELECT cinteger = $1, cfloat = $2, ctext = $3, cbytes = $4, cboolean = $5 FROM v", *row)
    assert found == [tuple(None if value is None else True for value in row)]
    (((_, real, *_),),) = (results[3].rows,)
    assert real is None or math.copysign(1, real) == math.copysign(1, row[1] or 0.0) or row[1] == 0.0  # type: ignore[arg-type]


def test_an_actor_in_a_host(host: Host, identities: Identities, backend: str, database: dict[str, str]) -> None:
    actor, stranger = identities.actor(CAPABILITY), identities.actor()
    host.add_capability(find_provider("sqldb" if backend == "sqlite" else "sqldb_postgresql"))
    for each in (actor, stranger):
        host.add_actor(each)
    host.set_binding(actor.public_key, CAPABILITY, values=database)

    def ask(operation: str, payload: bytes) -> bytes:
        return host.call_actor(actor.public_key, "host", call_script(("default", CAPABILITY, operation, payload)))

    ask("Execute", encode(Statement("CREATE TABLE t (n integer)")))
    assert (
        decode(ExecuteResult, ask("Execute", encode(Statement("INSERT INTO t VALUES ($1)", (7,))))).affected_rows == 1
    )
    assert decode(QueryResult, ask("Query", encode(QueryRequest("SELECT n FROM t")))).rows == ((7,),)
    host.remove_binding(actor.public_key, CAPABILITY)
    host.set_binding(actor.public_key, CAPABILITY, values=database)
    assert decode(QueryResult, ask("Query", encode(QueryRequest("SELECT n FROM t")))).rows == ((7,),)
    host.remove_capability(CAPABILITY)
    assert worker_processes() == []

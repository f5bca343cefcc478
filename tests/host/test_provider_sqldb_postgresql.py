"""SQL on a PostgreSQL server: sessions that leave nothing behind, lost connections, and roles with too many rights."""

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from host_support import eventually, in_thread
from postgres_server import PostgresServer
from sqldb_support import Client, SqlClient, worker_processes

from host.providers.base import ProviderError
from host.providers.sqldb.postgresql_statements import check_statement
from host.providers.sqldb.providers import PostgresqlSqlProvider

UNKNOWN = "it is not known whether the transaction took effect; it is not repeated"


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def new_client(url: str) -> Iterator[Client]:
    made: list[PostgresqlSqlProvider] = []

    def make(url: str = url, **values: str) -> SqlClient:
        made.append(PostgresqlSqlProvider())
        return SqlClient(made[-1], {"URL": url, "TIMEOUT": "3"}).bind(**values)

    yield make
    for provider in made:
        provider.stop()


@pytest.fixture
def client(new_client: Client) -> SqlClient:
    """One that has a table `t` with the number 1, on one connection."""
    client = new_client(CONNECTIONS="1")
    client.batch("CREATE TABLE t (n integer PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    return client


class Cutting:
    """A way to the server that is cut when a client's message has these bytes in it: before the server gets them, or
    after it has answered."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.marks: list[bytes] = []
        self.before = True
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=self._forth, args=(client, server), daemon=True).start()
                threading.Thread(target=self._back, args=(server, client), daemon=True).start()

    def _forth(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if any(mark in data for mark in self.marks):
                    if not self.before:
                        server.sendall(data)
                        time.sleep(0.3)
                    break
                server.sendall(data)
        for each in (client, server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                # The answer to what is cut off does not arrive.
                if not any(self.marks) or b"COMMIT" not in data:
                    client.sendall(data)


@pytest.fixture
def cutting(postgres_server: PostgresServer) -> Iterator[Cutting]:
    way = Cutting(postgres_server.port)
    yield way
    way.close()


@pytest.mark.parametrize("before", [True, False])
def test_a_connection_lost_while_committing(
    client: SqlClient, new_client: Client, cutting: Cutting, url: str, postgres_server: PostgresServer, before: bool
) -> None:
    other = new_client(url.replace(f":{postgres_server.port}/", f":{cutting.port}/"))
    cutting.before, cutting.marks = before, [b"COMMIT"]
    with pytest.raises(ProviderError, match=UNKNOWN):
        other.execute("UPDATE t SET n = n + 1")
    cutting.marks = []
    assert eventually(lambda: client.rows("SELECT n FROM t") == [(1 if before else 2,)], 5)
    assert other.execute("UPDATE t SET n = n + 1").affected_rows == 1
    assert client.rows("SELECT n FROM t") == [(2 if before else 3,)], "the lost statement is not repeated"


def test_a_connection_lost_in_a_statement(
    client: SqlClient, new_client: Client, cutting: Cutting, url: str, postgres_server: PostgresServer
) -> None:
    other = new_client(url.replace(f":{postgres_server.port}/", f":{cutting.port}/"))
    cutting.marks = [b"n + 7"]
    with pytest.raises(ProviderError, match=r"the connection to the database .* was lost; nothing has changed"):
        other.execute("UPDATE t SET n = n + 7")
    with pytest.raises(ProviderError, match=r"^statements\[1\]: the connection to the database .* was lost"):
        other.batch("UPDATE t SET n = n + 1", "UPDATE t SET n = n + 7")
    assert other.rows("SELECT n FROM t") == [(1,)]


def test_the_server_ends_and_comes_back(client: SqlClient, postgres_server: PostgresServer) -> None:
    for end in (postgres_server.stop, postgres_server.kill):
        end()
        with pytest.raises(ProviderError, match=r"cannot be reached: .*refused"):
            client.execute("UPDATE t SET n = n + 1")
        with pytest.raises(ProviderError, match="cannot be reached"):
            client.query("SELECT 1")
        postgres_server.start()
        assert client.execute("UPDATE t SET n = n + 1").affected_rows == 1
    assert client.rows("SELECT n FROM t") == [(3,)]


def test_the_server_ends_in_the_middle(client: SqlClient, postgres_server: PostgresServer) -> None:
    thread, outcome = in_thread(lambda: client.batch("UPDATE t SET n = 9", "SELECT pg_sleep(2)"))
    time.sleep(0.5)
    postgres_server.stop()
    thread.join(10)
    postgres_server.start()
    assert isinstance(outcome[0], ProviderError)
    assert "nothing has changed" in str(outcome[0])
    assert client.rows("SELECT n FROM t") == [(1,)]


def test_a_server_that_hangs(client: SqlClient, postgres_server: PostgresServer) -> None:
    backend = client.rows("SELECT pg_backend_pid()")[0][0]
    assert isinstance(backend, int)
    os.kill(backend, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(ProviderError, match=f"took longer than 3 s: {UNKNOWN}"):
            client.execute("UPDATE t SET n = n + 1")
        assert time.monotonic() - started < 7
        assert client.execute("SELECT 1").rows == ((1,),)
    finally:
        os.kill(backend, signal.SIGCONT)
    assert eventually(lambda: client.rows("SELECT n FROM t") == [(1,)], 5)


def test_sessions_leave_nothing_behind(client: SqlClient) -> None:
    state = (
        "SELECT current_setting('search_path'), current_setting('TimeZone'), current_setting('bytea_output'), "
        "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), current_setting('my.own', true)"
    )
    before = client.rows(state)
    client.execute(
        "SELECT set_config('search_path', 'nowhere', false), set_config('TimeZone', 'Asia/Tokyo', false), "
        "set_config('bytea_output', 'escape', false), pg_advisory_lock(7), set_config('my.own', 'secret', false), "
        "set_config('default_transaction_read_only', 'on', false), set_config('statement_timeout', '0', false)"
    )
    assert client.rows(state)[0][:4] == before[0][:4]
    assert client.rows(state)[0][4] in (None, "")
    client.execute("CREATE TABLE pg_temp.x (a int)")
    with pytest.raises(ProviderError, match="x"):
        client.execute("INSERT INTO x VALUES (1)")
    assert client.execute("INSERT INTO t VALUES (5)").affected_rows == 1


def test_settings_do_not_lift_the_limits(client: SqlClient) -> None:
    with pytest.raises(ProviderError, match=r"statements\[1\]: took longer than 3 s"):
        client.batch("SELECT set_config('statement_timeout', '0', false)", "SELECT pg_sleep(60)")
    with pytest.raises(ProviderError, match="read-write mode must be set before any query"):
        client.query("SELECT set_config('transaction_read_only', 'off', false)")


NOT_ALLOWED = """COPY t TO STDOUT|COPY t FROM STDIN|COPY t TO PROGRAM 'true'|copy (SELECT 1) TO STDOUT|SET x = 1
RESET ALL|DO $$BEGIN END$$|CALL f()|PREPARE x AS SELECT 1|EXECUTE x|DEALLOCATE ALL|LISTEN x|NOTIFY x|UNLISTEN *
DISCARD ALL|LOAD 'x'|VACUUM|CHECKPOINT|CREATE ROLE x|ALTER ROLE current_user PASSWORD 'x'|ALTER USER x|DROP ROLE x
CREATE DATABASE x|ALTER DATABASE x SET a = 1|ALTER SYSTEM SET a = 1|CREATE EXTENSION x|CREATE FUNCTION f() RETURNS int
CREATE OR REPLACE FUNCTION f() RETURNS int|CREATE PROCEDURE f()|CREATE LANGUAGE x|CREATE TEMP TABLE x (a int)
CREATE TEMPORARY VIEW x AS SELECT 1|CREATE GLOBAL TEMP TABLE x ()|CREATE SERVER x|CREATE FOREIGN TABLE x
CREATE SUBSCRIPTION x|CREATE PUBLICATION x|CREATE EVENT TRIGGER x|CREATE|CREATE OR|ALTER|GRANT ALL ON t TO public
REVOKE ALL ON t FROM public|DECLARE x CURSOR FOR SELECT 1|FETCH x|SECURITY LABEL|IMPORT FOREIGN SCHEMA x
DROP OWNED BY x|REASSIGN OWNED BY x TO y|(COPY t TO STDOUT)|"SELECT"|$1|1|é"""
BEFORE = ("", " \t\n\r\f\v", "/* SELECT */", "--SELECT\n", "--SELECT\r", "/*/*SELECT*/*/")


@pytest.mark.parametrize("sql", NOT_ALLOWED.replace("\n", "|").split("|"))
def test_statements_that_are_not_allowed(sql: str) -> None:
    for before in BEFORE:
        with pytest.raises(ProviderError, match=r"is not allowed|there is no statement") as caught:
            check_statement(before + sql)
        assert str(caught.value).isprintable()


def test_statements_that_are_allowed(client: SqlClient) -> None:
    client.batch(
        "CREATE SCHEMA s",
        "CREATE TYPE s.mood AS ENUM ('well', 'ill')",
        "CREATE UNLOGGED TABLE s.u (a int, m s.mood)",
        "CREATE UNIQUE INDEX i ON s.u (a)",
        "/* x */ create or replace view s.v as (select * from s.u)",
        "CREATE MATERIALIZED VIEW s.mv AS TABLE s.u",
        "REFRESH MATERIALIZED VIEW s.mv",
        "ALTER TABLE s.u ADD COLUMN b text[]",
        "INSERT INTO s.u VALUES (1, 'well', '{a,b}')",
        "EXPLAIN SELECT 1",
        "LOCK TABLE s.u",
        "COMMENT ON TABLE s.u IS 'x'",
        "ANALYZE s.u",
        "DROP SCHEMA s CASCADE",
    )
    assert client.rows("(VALUES (1)) UNION (SELECT 2) ORDER BY 1") == [(1,), (2,)]
    assert client.rows("SHOW TimeZone") == [("UTC",)]


def test_types(client: SqlClient) -> None:
    found = client.rows(
        "SELECT 1.50::numeric, 'infinity'::float8, '2024-02-29 12:00+02'::timestamptz, '{1,2}'::int[], "
        "'{\"a\": 1}'::jsonb, '1 day'::interval, 'NaN'::float4::text, 3::int2, 4::oid, "
        "NULL::date, substr('abc', $1), $2::date",
        2,
        "2024-02-29",
    )
    assert found == [
        (
            "1.50",
            float("inf"),
            "2024-02-29 10:00:00+00",
            "{1,2}",
            '{"a": 1}',
            "P1D",
            "NaN",
            3,
            4,
            None,
            "bc",
            "2024-02-29",
        )
    ]
    assert client.rows("SELECT $1 + 1, $2", 2**40, "t") == [(2**40 + 1, "t")]
    with pytest.raises(ProviderError, match="parameter \\$1 has a NUL in its text"):
        client.query("SELECT $1", "a\0b")
    with pytest.raises(ProviderError, match=r"integer out of range \(22003\)"):
        client.query("SELECT $1 + 1", 2**31 - 1)


def test_great_answers_are_not_gathered(client: SqlClient) -> None:
    client.bind(MAX_MEMORY_BYTES=str(64 * 2**20), TIMEOUT="10", MAX_ROWS="10", CONNECTIONS="2")
    with pytest.raises(ProviderError, match=r"needs more memory than MAX_MEMORY_BYTES"):
        client.query("SELECT repeat('x', 200000000)")
    found = client.query("SELECT n FROM generate_series(1, 3000000) n")
    assert (len(found.rows), found.truncated) == (10, True)
    assert client.rows("SELECT n FROM t") == [(1,)]


def test_transactions_that_wait_for_each_other(client: SqlClient) -> None:
    client.bind(CONNECTIONS="2", TIMEOUT="20")
    client.execute("INSERT INTO t VALUES (2)")
    wait = "SELECT pg_sleep(2)"

    def change(first: int, second: int) -> object:
        changes = [(f"UPDATE t SET n = n WHERE n = {number}", ()) for number in (first, second)]
        return client.batch(changes[0], wait, changes[1])

    threads = [in_thread(lambda: change(1, 2)), in_thread(lambda: change(2, 1))]
    for thread, _ in threads:
        thread.join(30)
    failed = [str(outcome[0]) for _, outcome in threads if isinstance(outcome[0], ProviderError)]
    assert failed == ["statements[2]: deadlock detected (40P01)"]


def test_truncated_answers_leave_the_connection_well(client: SqlClient) -> None:
    for rows in range(1, 40):
        found = client.query("SELECT n FROM generate_series(1, 500) n", max_rows=rows)
        assert (len(found.rows), found.truncated) == (rows, True)


def test_roles_with_too_many_rights_are_refused(
    postgres_server: PostgresServer, new_client: Client, url: str, new_database: Callable[[], str]
) -> None:
    with pytest.raises(ProviderError, match="the role of URL is a superuser"):
        new_client(postgres_server.url("postgres"))
    assert new_client(postgres_server.url("postgres"), SUPERUSER="allow").rows("SELECT 1") == [(1,)]
    name = url.rpartition("/")[2]
    postgres_server.command(f"GRANT pg_execute_server_program TO {name}")
    with pytest.raises(ProviderError, match="may use the server's files or programs"):
        new_client()
    postgres_server.command(f"REVOKE pg_execute_server_program FROM {name}", f"GRANT postgres TO {name}")
    with pytest.raises(ProviderError, match="the role of URL is a superuser"):
        new_client()
    assert new_client(new_database()).rows("SELECT current_user = session_user") == [(True,)]


def test_the_url_is_a_secret(
    postgres_server: PostgresServer, new_client: Client, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "hunter2hunter2"
    host = f"127.0.0.1:{postgres_server.port}"
    for wrong in (
        "",
        "nonsense " + secret,
        f"mysql://u:{secret}@{host}/x",
        f"postgresql://u:{secret}@{host}/x",
        f"postgresql://u:{secret}@127.0.0.1:1/x",
        f"postgresql://u:{secret}@127.0.0.1:port/x",
        f"postgresql://{host}/x?password={secret}&user=u",
        f"postgresql://u:{secret}@{host}/x?nonsense={secret}",
        f"postgresql://u:{secret}@{host}/x?sslmode=verify-full",
    ):
        with pytest.raises(ProviderError) as caught:
            new_client(wrong)
        assert str(caught.value).isprintable()
        assert secret not in str(caught.value) + repr(caught.value.__context__) + caplog.text, wrong
    assert worker_processes() == []
    client = new_client()
    assert url not in repr(client.provider.opening("MA", {"URL": url})[0])


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ProviderError, match=r"pip install 'wascc\[postgresql\]'"):
        PostgresqlSqlProvider()

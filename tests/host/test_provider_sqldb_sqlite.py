"""SQL on a SQLite file, from hostile actors: other files, bombs of time and memory, and processes that end."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from host_support import eventually, in_thread
from sqldb_support import Client, SqlClient, memory_of, worker_processes

from host.providers.base import ProviderError
from host.providers.keyvalue.sqlite import FORM
from host.providers.sqldb.providers import SqliteSqlProvider

MIB = 2**20
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
# One function call that takes minutes, which SQLite does not look at the clock in: memory is compared again and again.
ONE_LONG_CALL = "SELECT instr(hex(zeroblob(2000000)), hex(zeroblob(900000)) || '1')"


@pytest.fixture
def new_client(tmp_path: Path) -> Iterator[Client]:
    made: list[SqliteSqlProvider] = []

    def make(**values: str) -> SqlClient:
        made.append(SqliteSqlProvider())
        return SqlClient(made[-1], {"PATH": str(tmp_path / "sql.db"), "SYNCHRONOUS": "normal"}).bind(**values)

    yield make
    for provider in made:
        provider.stop()


@pytest.fixture
def client(new_client: Client) -> SqlClient:
    return new_client(TIMEOUT="2")


def ask_all(client: SqlClient, sql: str) -> list[str]:
    """The errors that the three operations have for a statement."""
    errors = []
    for ask in (client.query, client.execute, client.batch):
        with pytest.raises(ProviderError) as caught:
            ask(sql)
        errors.append(str(caught.value))
    return errors


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH '{folder}/other.db' AS other",
        "DETACH main",
        "VACUUM",
        "VACUUM INTO '{folder}/copy.db'",
        "SELECT load_extension('{folder}/x.so')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT fts3_tokenizer('simple', x'4141414141414141')",
        "PRAGMA writable_schema = ON",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA max_page_count = 1000000000",
        "PRAGMA query_only = OFF",
        "PRAGMA temp_store_directory = '{folder}'",
        "PRAGMA hard_heap_limit = 1000",
        "PRAGMA application_id = 5",
        "SELECT * FROM pragma_database_list",
        "SELECT * FROM sqlite_stmt",
        "SELECT * FROM dbstat",
        "CREATE TEMP TABLE x (a)",
        "CREATE TABLE temp.x (a)",
        "CREATE TEMP VIEW x AS SELECT 1",
        "CREATE VIRTUAL TABLE x USING fts5(a)",
        "CREATE VIRTUAL TABLE x USING rtree(a, b, c)",
        "CREATE TABLE y AS SELECT * FROM sqlite_stmt",
        "INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 0, 'CREATE TABLE x (a)')",
        "UPDATE sqlite_master SET sql = ''",
    ],
)
def test_refused(client: SqlClient, tmp_path: Path, sql: str) -> None:
    before = sorted(tmp_path.iterdir())
    for error in ask_all(client, sql.format(folder=tmp_path)):
        assert error.isprintable()
    assert sorted(tmp_path.iterdir()) == before
    assert client.rows("SELECT count(*) FROM sqlite_master") == [(0,)]


def test_what_a_view_or_trigger_hides_is_refused_too(client: SqlClient) -> None:
    client.execute("CREATE TABLE t (a)")
    client.execute("CREATE VIEW v AS SELECT load_extension('x') AS a")
    client.execute("CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT load_extension('x'); END")
    for error in ask_all(client, "SELECT * FROM v"):
        assert "load_extension" in error
    with pytest.raises(ProviderError, match="load_extension"):
        client.execute("INSERT INTO t VALUES (1)")
    assert client.rows("SELECT count(*) FROM t") == [(0,)]


def test_a_statement_of_the_provider_is_refused_to_actors_every_time(client: SqlClient) -> None:
    for _ in range(3):
        for sql in ("BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", "PRAGMA trusted_schema = OFF"):
            ask_all(client, sql)


def test_tables_of_functions_and_descriptions_of_tables_are_there(client: SqlClient) -> None:
    client.execute("CREATE TABLE t (a INTEGER, b TEXT)")
    assert client.rows("SELECT value FROM json_each($1)", "[1, 2]") == [(1,), (2,)]
    assert client.rows("SELECT name FROM pragma_table_info('t')") == [("a",), ("b",)]
    assert [row[1] for row in client.rows("PRAGMA table_info(t)")] == ["a", "b"]


@pytest.mark.parametrize(
    "sql",
    [
        f"{ENDLESS} SELECT count(*) FROM c",
        f"{ENDLESS} SELECT x FROM c WHERE x < 0",
        f"{ENDLESS} SELECT x FROM c ORDER BY x",
        f"{ENDLESS} SELECT group_concat(x) FROM c",
        ONE_LONG_CALL,
        f"SELECT {' + '.join(['length(randomblob(4000000))'] * 900)}",
        f"SELECT {', '.join(['randomblob(4000000)'] * 900)}",
        "SELECT printf('%.*c', 1000000000, 'x')",
        f"SELECT {' || '.join(['hex(zeroblob(2000000))'] * 100)}",
        "SELECT zeroblob(1000000000)",
        "SELECT randomblob(1000000000)",
        f"SELECT {'(' * 900}1{')' * 900} + {'-' * 5000}1",
        f"SELECT {'max(' * 3000}1{')' * 3000}",
        f"SELECT {', '.join(['1'] * 5000)}",
        " UNION ALL ".join(["SELECT 1"] * 5000),
    ],
    ids=lambda sql: sql[:40].replace("/", " "),
)
def test_bombs_end(client: SqlClient, sql: str) -> None:
    client.execute("CREATE TABLE t (a)")
    started = time.monotonic()
    memory = memory_of(os.getpid())
    with pytest.raises(ProviderError, match=r"took longer than 2 s|MAX_MEMORY_BYTES|too|large|over the limit|overflow"):
        client.query(sql)
    assert time.monotonic() - started < 8
    assert memory_of(os.getpid()) < memory + 20 * MIB
    assert client.execute("INSERT INTO t VALUES (1)").affected_rows == 1


def test_an_endless_statement_that_writes_leaves_nothing(client: SqlClient, tmp_path: Path) -> None:
    client.execute("CREATE TABLE t (a)")
    for sql in (f"INSERT INTO t {ENDLESS} SELECT randomblob(1000) FROM c", "INSERT INTO t " + ONE_LONG_CALL):
        with pytest.raises(ProviderError, match=r"took longer than 2 s|is full"):
            client.execute(sql)
        with pytest.raises(ProviderError, match=r"took longer than 2 s|is full"):
            client.batch("INSERT INTO t VALUES (1)", sql)
    assert client.rows("SELECT count(*) FROM t") == [(0,)]


def test_what_is_killed_while_it_writes_says_that_it_does_not_know(client: SqlClient) -> None:
    with pytest.raises(
        ProviderError, match=r"took longer than 2 s: it is not known whether the transaction took effect"
    ):
        client.execute(ONE_LONG_CALL)


def test_memory_is_bounded_while_a_bomb_runs(new_client: Client) -> None:
    client = new_client(TIMEOUT="3", MAX_MEMORY_BYTES=str(64 * MIB))
    client.query("SELECT 1")
    (process,) = worker_processes()
    thread, outcome = in_thread(lambda: client.query(f"{ENDLESS} SELECT x FROM c ORDER BY x"))
    highest = 0
    while thread.is_alive():
        with suppress(OSError, IndexError):
            highest = max(highest, memory_of(process))
        time.sleep(0.01)
    assert isinstance(outcome[0], ProviderError)
    assert 0 < highest < 130 * MIB


def test_a_full_database_refuses_and_goes_on(new_client: Client, tmp_path: Path) -> None:
    client = new_client(MAX_BYTES=str(MIB))
    client.execute("CREATE TABLE t (a)")
    with pytest.raises(ProviderError, match="is full, or its disk is"):
        client.batch(*[("INSERT INTO t VALUES ($1)", (bytes(100_000),))] * 30)
    assert client.rows("SELECT count(*) FROM t") == [(0,)]
    client.execute("INSERT INTO t VALUES ($1)", bytes(100_000))
    client.provider.stop()
    assert (tmp_path / "sql.db").stat().st_size <= MIB


def test_values(client: SqlClient) -> None:
    with pytest.raises(ProviderError, match="parameter \\$1 is NaN"):
        client.query("SELECT $1", float("nan"))
    assert client.rows("SELECT $1, $2, $3", True, "a\0b", b"") == [(1, "a\0b", b"")]
    with pytest.raises(ProviderError, match="the statement has no parameter \\$2"):
        client.execute("SELECT $1", 1, 2)
    with pytest.raises(ProviderError, match=r"parameters are written \$1"):
        client.query("SELECT ?", 1)
    with pytest.raises(ProviderError, match="not UTF-8"):
        client.query("SELECT CAST(x'ff' AS TEXT)")


def test_the_last_inserted_row(client: SqlClient) -> None:
    client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE)")
    client.execute("CREATE TABLE u (id INTEGER PRIMARY KEY AUTOINCREMENT, a)")
    client.execute("CREATE TABLE w (a PRIMARY KEY) WITHOUT ROWID")
    client.execute("CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO u (a) VALUES (new.a); END")
    inserted = client.execute("INSERT INTO t VALUES (41, 'a'), (42, 'b')")
    assert (inserted.affected_rows, inserted.last_insert_id) == (2, 42)
    for sql in (
        "INSERT INTO w VALUES (1)",
        "INSERT OR IGNORE INTO t VALUES (50, 'a')",
        "UPDATE t SET a = 'c' WHERE id = 41",
        "DELETE FROM t WHERE id = 41",
        "CREATE TABLE x AS SELECT * FROM t",
        "SELECT 1",
    ):
        assert client.execute(sql).last_insert_id is None, sql
    assert client.execute("INSERT INTO T (a) VALUES ('z')").last_insert_id == 43


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"PATH": ":memory:"}, "PATH must name a file"),
        ({"PATH": "."}, "is a folder, not a file"),
        ({"PATH": "missing/x.db"}, "has no folder to be in"),
        ({"PATH": "text.txt"}, "the database .*text.txt is not a database"),
        ({"PATH": "keyvalue.db"}, "is a database of something else"),
        ({"SYNCHRONOUS": "off"}, "SYNCHRONOUS must be one of full, normal, not 'off'"),
        ({"MAX_ROWS": "0"}, "MAX_ROWS must be an integer from 1 to 1000000, not '0'"),
        ({"MAX_VALUE_BYTES": "x\n"}, r"MAX_VALUE_BYTES must be an integer from 1024 to 67108864, not 'x\\n'"),
        ({"CONNECTIONS": "65"}, "CONNECTIONS must be an integer from 1 to 64"),
        ({"MAX_MEMORY_BYTES": "1"}, "MAX_MEMORY_BYTES must be an integer"),
    ],
)
def test_refused_at_binding(values: dict[str, str], reason: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("no database, but a text that somebody needs. " * 50)
    with sqlite3.connect("keyvalue.db") as other:
        other.execute(f"PRAGMA application_id = {FORM.application_id}")
    other.close()
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    provider = SqliteSqlProvider()
    with pytest.raises(ProviderError, match=reason) as caught:
        SqlClient(provider, {}).bind(**values)
    assert str(caught.value).isprintable()
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert worker_processes() == []


def test_a_database_that_is_there_already_is_used(new_client: Client, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "sql.db") as other:
        other.execute("CREATE TABLE old (a)")
        other.execute("INSERT INTO old VALUES ('kept')")
    other.close()
    assert new_client().rows("SELECT a FROM old") == [("kept",)]


def test_a_process_that_is_killed_is_replaced(client: SqlClient) -> None:
    client.execute("CREATE TABLE t (a)")
    (process,) = worker_processes()
    os.kill(process, signal.SIGKILL)
    assert eventually(lambda: worker_processes() == [])
    assert client.execute("INSERT INTO t VALUES (1)").affected_rows == 1
    thread, outcome = in_thread(lambda: client.query(f"{ENDLESS} SELECT count(*) FROM c"))
    time.sleep(0.3)
    for process in worker_processes():
        os.kill(process, signal.SIGKILL)
    thread.join(10)
    assert "the process that carried out the SQL ended" in str(outcome[0])
    assert client.rows("SELECT a FROM t") == [(1,)]


def test_connections_are_limited_and_waited_for(new_client: Client) -> None:
    client = new_client(TIMEOUT="2", CONNECTIONS="2")
    with ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(client.query, f"{ENDLESS} SELECT count(*) FROM c") for _ in range(4)]
        time.sleep(0.5)
        assert len(worker_processes()) == 2
        errors = sorted(str(each.exception()) for each in slow)
    assert [error[:20] for error in errors].count("took longer than 2 s") >= 2
    with ThreadPoolExecutor(8) as pool:
        assert [found.rows for found in pool.map(lambda _: client.query("SELECT 1"), range(40))] == [((1,),)] * 40
    assert len(worker_processes()) == 2


def test_the_lock_of_another_process(client: SqlClient, tmp_path: Path) -> None:
    client.execute("CREATE TABLE t (a)")
    other = sqlite3.connect(tmp_path / "sql.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert client.rows("SELECT * FROM t") == []
    started = time.monotonic()
    with pytest.raises(ProviderError, match="is locked by another process"):
        client.execute("INSERT INTO t VALUES (1)")
    assert time.monotonic() - started < 4
    other.execute("ROLLBACK")
    other.close()
    assert client.execute("INSERT INTO t VALUES (1)").affected_rows == 1


def test_processes_do_not_outlive_the_host(tmp_path: Path) -> None:
    program = f"""
import sys; sys.path[:0] = {sys.path!r}
from sqldb_support import SqlClient, worker_processes
from host.providers.sqldb.providers import SqliteSqlProvider
client = SqlClient(SqliteSqlProvider(), {{"PATH": {str(tmp_path / "x.db")!r}, "TIMEOUT": "2"}}).bind()
print(*worker_processes(), flush=True)
client.query({ENDLESS!r} + " SELECT count(*) FROM c")
"""
    host = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    process = int(host.stdout.readline())
    time.sleep(0.2)
    host.kill()
    host.communicate()
    assert eventually(lambda: not Path(f"/proc/{process}").exists() or " Z " in stat_of(process), 6)


def stat_of(process: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text()
    return " Z "


def test_the_host_s_environment_is_not_in_the_process(client: SqlClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2")
    client.bind(TIMEOUT="3")
    (process,) = worker_processes()
    for name in ("environ", "cmdline"):
        assert b"hunter2" not in Path(f"/proc/{process}/{name}").read_bytes()

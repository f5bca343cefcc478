"""The SQLite store as a file: durable, shared by threads and processes, and careful with what it finds."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from provider_support import bind, remove

from host.codec import decode, encode
from host.codec.keyvalue import AddRequest, AddResponse, GetResponse, ItemRequest, KeyRequest, ListResponse, SetRequest
from host.providers.base import ProviderError
from host.providers.keyvalue import SqliteKeyValueProvider
from host.providers.keyvalue.sqlite import FORM, SqliteStorage
from host.providers.sqlite_files import FileSettings

ROOT = Path(__file__).parents[2]
ADDING_PROGRAM = """
import sys
from host.codec import encode
from host.codec.core import CapabilityConfiguration
from host.codec.keyvalue import AddRequest
from host.providers.keyvalue import SqliteKeyValueProvider

path, times = sys.argv[1], int(sys.argv[2])
provider = SqliteKeyValueProvider(busy_seconds=60)
provider.handle_call("system", "BindActor", encode(CapabilityConfiguration("M", {"PATH": path})))
for _ in range(times):
    provider.handle_call("M", "Add", encode(AddRequest("total", 1)))
    print("added", flush=True)
print("done", flush=True)
sys.stdin.read()
"""
Open = Callable[..., SqliteKeyValueProvider]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kv.db"


@pytest.fixture
def open_store(path: Path) -> Iterator[Open]:
    opened = []

    def bound(actor: str = "M", busy_seconds: float = 5.0, **values: str) -> SqliteKeyValueProvider:
        provider = SqliteKeyValueProvider(busy_seconds=busy_seconds)
        opened.append(provider)
        bind(provider, actor, **{"PATH": str(path), **values})
        return provider

    yield bound
    for provider in opened:
        provider.stop()


def add(provider: SqliteKeyValueProvider, amount: int = 1, actor: str = "M") -> int:
    return decode(AddResponse, provider.handle_call(actor, "Add", encode(AddRequest("total", amount)))).value


def adding_process(path: Path, times: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", ADDING_PROGRAM, str(path), str(times)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_data_outlives_the_provider(open_store: Open, path: Path) -> None:
    first = open_store()
    assert add(first, 5) == 5
    first.stop()
    assert not path.with_name("kv.db-wal").exists()
    assert add(open_store(), 1) == 6


def test_the_files_are_their_owners_alone(open_store: Open, path: Path) -> None:
    former = os.umask(0)
    try:
        add(open_store())
        assert {file.stat().st_mode & 0o777 for file in path.parent.glob(f"{path.name}*")} == {0o600}
    finally:
        os.umask(former)


def test_default_path_is_in_the_current_folder(open_store: Open, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    provider = SqliteKeyValueProvider()
    bind(provider, "M")
    provider.stop()
    assert (tmp_path / "wascc-keyvalue.db").is_file()


def test_actors_with_one_path_share_one_store(open_store: Open, path: Path, tmp_path: Path) -> None:
    provider = open_store()
    (tmp_path / "link.db").symlink_to(path)
    bind(provider, "MB", PATH=str(tmp_path / "link.db"))
    bind(provider, "MC", PATH=str(path), SYNCHRONOUS="normal")
    bind(provider, "MD", PATH=str(tmp_path / "other.db"))
    assert [add(provider, 1, actor) for actor in ("M", "MB", "MC", "MD")] == [1, 2, 3, 1]
    remove(provider, "M")
    assert add(provider, 1, "MB") == 4
    remove(provider, "MB")
    with pytest.raises(ProviderError, match="MB is not bound to wascc:keyvalue"):
        add(provider, 1, "MB")
    assert add(provider, 1, "MC") == 5


def test_binding_again_moves_to_another_file(open_store: Open, tmp_path: Path) -> None:
    provider = open_store()
    add(provider, 7)
    assert (tmp_path / "kv.db-wal").exists()
    bind(provider, "M", PATH=str(tmp_path / "second.db"))
    assert not (tmp_path / "kv.db-wal").exists(), "the former file is closed"
    assert add(provider) == 1
    with pytest.raises(ProviderError, match="is a folder, not a file"):
        bind(provider, "M", PATH=str(tmp_path))
    assert add(provider) == 2
    bind(provider, "M", PATH=str(tmp_path / "kv.db"))
    assert add(provider) == 8


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"PATH": ":memory:"}, "PATH must name a file; for a store in memory use the provider keyvalue_memory"),
        ({"PATH": ""}, "PATH must name a file"),
        ({"PATH": "a\0b"}, r"PATH 'a\\x00b' is no path: embedded null byte"),
        ({"PATH": "x" * 5000}, "cannot be opened: File name too long"),
        ({"PATH": "/dev/null"}, "/dev/null is not a regular file"),
        ({"PATH": "missing/kv.db"}, "has no folder to be in: .*/missing is not one"),
        ({"PATH": "text.txt/kv.db"}, r"has no folder to be in: .*/text\.txt is not one"),
        ({"PATH": "."}, "is a folder, not a file"),
        ({"PATH": "text.txt"}, "is not a database"),
        ({"PATH": "other.db"}, "is a database of something else"),
        ({"PATH": "empty-but-marked.db"}, "is a database of something else"),
        ({"PATH": "newer.db"}, "has schema version 2; known is 1"),
        ({"SYNCHRONOUS": "off"}, "SYNCHRONOUS must be one of full, normal, not 'off'"),
        ({"MAX_BYTES": "10"}, "MAX_BYTES must be an integer from 1048576 to .*, not '10'"),
        ({"MAX_BYTES": "-1"}, "not '-1'"),
        ({"MAX_BYTES": "9" * 5000}, "MAX_BYTES must be an integer"),
        ({"MAX_BYTES": "²"}, "not '²'"),
    ],
)
def test_refused_at_binding(values: dict[str, str], reason: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("this is no database, but some text that nobody wants to lose " * 20)
    for name, statement in (
        ("other.db", "CREATE TABLE precious (x)"),
        ("empty-but-marked.db", "PRAGMA user_version = 5"),
        ("newer.db", f"PRAGMA application_id = {FORM.application_id}; PRAGMA user_version = 2; CREATE TABLE later (x)"),
    ):
        connection = sqlite3.connect(name)
        connection.executescript(statement)
        connection.close()
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    provider = SqliteKeyValueProvider()
    with pytest.raises(ProviderError, match=reason) as caught:
        bind(provider, "M", **values)
    assert "\n" not in str(caught.value)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    with pytest.raises(ProviderError, match="is not bound"):
        add(provider)


def test_a_damaged_store_is_reported_and_kept(open_store: Open, path: Path) -> None:
    provider = open_store()
    for number in range(200):
        provider.handle_call("M", "Push", encode(ItemRequest("l", f"{number}" * 50)))
    provider.stop()
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = b"\xa5" * (len(damaged) - 4096)
    path.write_bytes(damaged)
    with pytest.raises(ProviderError, match="is damaged"):
        add(open_store())
    assert path.read_bytes()[4096:] == damaged[4096:]


def test_a_full_store_refuses_and_goes_on(open_store: Open) -> None:
    provider = open_store(MAX_BYTES=str(2**20))
    value = "x" * 100_000

    def put(number: int) -> None:
        provider.handle_call("M", "Set", encode(SetRequest(f"k{number}", value, 0)))

    stored = 0
    with suppress(ProviderError):
        while stored < 20:
            put(stored)
            stored += 1
    assert 5 < stored < 12
    with pytest.raises(ProviderError, match="is full, or its disk is"):
        put(stored)
    assert [exists(provider, f"k{number}") for number in range(stored + 1)] == [True] * stored + [False]
    provider.handle_call("M", "Del", encode(KeyRequest("k0")))
    put(99)
    assert exists(provider, "k99")


def exists(provider: SqliteKeyValueProvider, key: str) -> bool:
    return decode(GetResponse, provider.handle_call("M", "KeyExists", encode(KeyRequest(key)))).exists


def test_a_store_that_another_process_holds_locked(open_store: Open, path: Path) -> None:
    provider = open_store(busy_seconds=0.2)
    add(provider, 3)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ProviderError, match="is locked by another process"):
        add(provider)
    assert exists(provider, "total"), "readers do not wait"
    with pytest.raises(ProviderError, match="is locked by another process"):
        bind(SqliteKeyValueProvider(busy_seconds=0.2), "M", PATH=str(path))
    other.execute("ROLLBACK")
    other.close()
    assert add(provider) == 4


def test_a_transaction_that_fails_leaves_nothing_behind(path: Path) -> None:
    storage = SqliteStorage(FileSettings(path, "normal", 2**30), 5.0, time.time)

    def fail_after_changes() -> None:
        with storage.writing() as transaction:
            transaction.push("list", "item")
            transaction.set_string("kept", "changed", 0)
            raise ZeroDivisionError

    with storage.writing() as transaction:
        transaction.set_string("kept", "value", 0)
    with pytest.raises(ZeroDivisionError):
        fail_after_changes()
    with storage.reading() as transaction:
        assert (transaction.kind("list"), transaction.string("kept")) == (None, "value")
    storage.close()


def test_many_threads(open_store: Open) -> None:
    provider = open_store(SYNCHRONOUS="normal")

    def work(_: int) -> None:
        for _ in range(25):
            add(provider)
            provider.handle_call("M", "Get", encode(KeyRequest("total")))
            provider.handle_call("M", "Push", encode(ItemRequest("l", "x")))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert add(provider, 0) == 400
    pushed = decode(ListResponse, provider.handle_call("M", "Push", encode(ItemRequest("l", "x"))))
    assert pushed == ListResponse(401)


def test_many_processes_that_also_make_the_file(path: Path, open_store: Open) -> None:
    processes = [adding_process(path, 30) for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [output.count("added") for output in outputs] == [30] * 3
    assert add(open_store(), 0) == 90


def test_what_was_answered_survives_a_kill(path: Path, open_store: Open) -> None:
    process = adding_process(path, 100_000)
    assert process.stdout is not None
    for _ in range(50):
        assert process.stdout.readline() == "added\n"
    process.kill()
    answered = 50 + process.communicate(timeout=30)[0].count("added\n")
    # The process may have died after a commit and before it could tell.
    assert add(open_store(), 0) in (answered, answered + 1)


def test_stopping_while_calls_run(open_store: Open) -> None:
    provider = open_store(SYNCHRONOUS="normal")
    answered = []

    def work() -> None:
        while True:
            answered.append(add(provider))

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work) for _ in range(4)]
        while len(answered) < 20:
            time.sleep(0.005)
        provider.stop()
        for worker in workers:
            assert isinstance(worker.exception(timeout=30), ProviderError)
    provider.stop()
    assert add(open_store(), 0) == len(answered) == max(answered)

"""Event streams where they are kept: in a file that outlives processes, on a server that goes away and comes back."""

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import keyvalue_support
import pytest
from eventstreams_support import bound, id_of, query, write
from host_support import eventually
from provider_support import refused
from redis_support import CUT_BEFORE_REPLY, PASS, Proxy, url_of
from servers import HOST, redis_server

from host.providers.base import ProviderError
from host.providers.eventstreams import RedisEventStreamsProvider, SqliteEventStreamsProvider
from host.providers.eventstreams.providers import EventStreamsProvider
from host.providers.keyvalue import SqliteKeyValueProvider

ROOT = Path(__file__).parents[2]
WRITING_PROGRAM = """
import sys
sys.path[:0] = ["tests/host/support"]
from eventstreams_support import bound, write
from host.providers.eventstreams import SqliteEventStreamsProvider

provider = bound(SqliteEventStreamsProvider(busy_seconds=60), PATH=sys.argv[1])
for number in range(int(sys.argv[2])):
    print(write(provider, "s", {"n": str(number)}), flush=True)
print("done", flush=True)
sys.stdin.read()
"""
UNKNOWN = "it is not known whether the change was made"


def writing_process(path: Path, times: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", WRITING_PROGRAM, str(path), str(times)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_events_outlive_the_provider_and_ids_go_on(tmp_path: Path) -> None:
    path = str(tmp_path / "events.db")
    first = bound(SqliteEventStreamsProvider(clock=lambda: 5000.0), PATH=path, MAX_EVENTS="1")
    assert [write(first, "s", {"n": str(number)}) for number in (1, 2)] == ["5000000-0", "5000000-1"]
    first.stop()
    assert not (tmp_path / "events.db-wal").exists()
    second = bound(SqliteEventStreamsProvider(clock=lambda: 4000.0), PATH=path, MAX_EVENTS="1")
    assert write(second, "s", {"n": "3"}) == "5000000-2"
    assert [event.event_id for event in query(second, "s")] == ["5000000-2"]
    second.stop()


def test_processes_that_write_the_same_stream(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    processes = [writing_process(path, 30) for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0].split()[:-1] for process in processes]
    provider = bound(SqliteEventStreamsProvider(), PATH=str(path))
    found = [event.event_id for event in query(provider, "s")]
    assert sorted(found, key=id_of) == found
    assert sorted(each for output in outputs for each in output) == sorted(found)
    provider.stop()


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    process = writing_process(tmp_path / "events.db", 100_000)
    assert process.stdout is not None
    answered = [process.stdout.readline().strip() for _ in range(50)]
    process.kill()
    answered += process.communicate(timeout=30)[0].split()
    provider = bound(SqliteEventStreamsProvider(), PATH=str(tmp_path / "events.db"))
    found = [event.event_id for event in query(provider, "s")]
    # The process may have died after a commit and before it could tell.
    assert found[: len(answered)] == answered
    assert len(found) <= len(answered) + 1
    provider.stop()


def test_threads_that_write_the_same_stream(tmp_path: Path) -> None:
    provider = bound(SqliteEventStreamsProvider(), PATH=str(tmp_path / "events.db"), SYNCHRONOUS="normal")
    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(lambda number: write(provider, "s", {"n": str(number)}), range(400)))
    assert len(set(ids)) == 400
    assert {event.event_id for event in query(provider, "s")} == set(ids)
    provider.stop()


def test_a_full_file_refuses_and_goes_on(tmp_path: Path) -> None:
    provider = bound(SqliteEventStreamsProvider(), PATH=str(tmp_path / "events.db"), MAX_BYTES=str(2**20))
    written = 0
    with suppress(ProviderError):
        while written < 20:
            write(provider, "s", {"a": "x" * 100_000})
            written += 1
    assert 5 < written < 12
    assert "events.db is full, or its disk is" in refused(lambda: write(provider, "s", {"a": "x" * 100_000}))
    assert len(query(provider, "s")) == written
    bound(provider, PATH=str(tmp_path / "events.db"), MAX_BYTES=str(2**20), MAX_EVENTS="3")
    for _ in range(20):
        write(provider, "s", {"a": "x" * 100_000})
    assert len(query(provider, "s")) == 3
    provider.stop()


def test_files_of_something_else_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    provider = bound(SqliteEventStreamsProvider())
    write(provider, "s", {"a": "b"})
    provider.stop()
    path = tmp_path / "wascc-eventstreams.db"
    before = path.read_bytes()
    store = keyvalue_support.bound(SqliteKeyValueProvider(), PATH="kv.db")
    store.stop()
    other = SqliteKeyValueProvider()
    assert "is a database of something else" in refused(lambda: keyvalue_support.bound(other, PATH=str(path)))
    for values, reason in (
        ({"PATH": "kv.db"}, "kv.db is a database of something else"),
        ({"PATH": ":memory:"}, "PATH must name a file; for a store in memory use the provider eventstreams_memory"),
        ({"PATH": "."}, "is a folder, not a file"),
        ({"MAX_BYTES": "1"}, "MAX_BYTES must be an integer from 1048576"),
    ):
        assert reason in refused(lambda values=values: bound(SqliteEventStreamsProvider(), **values))
    assert path.read_bytes() == before
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name, size, data FROM streams JOIN events ON stream = streams.id").fetchall() == [
        ("s", 1, '{"a":"b"}')
    ]
    connection.close()


def test_no_event_is_lost_or_doubled_when_redis_dies(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        provider = bound(RedisEventStreamsProvider(), URL=url_of(server))
        answered: dict[str, str] = {}
        failures: list[str] = []
        over = threading.Event()

        def work(worker: int) -> None:
            number = 0
            while not over.is_set():
                number += 1
                try:
                    value = f"{worker}-{number}"
                    answered[write(provider, "s", {"n": value})] = value
                except ProviderError as error:
                    failures.append(str(error))

        with ThreadPoolExecutor(4) as pool:
            workers = [pool.submit(work, worker) for worker in range(4)]
            for end in (server.kill, server.stop):
                before = len(answered)
                assert eventually(lambda before=before: len(answered) > before + 50)
                end()
                server.start()
            before = len(answered)
            assert eventually(lambda: len(answered) > before + 50)
            over.set()
            for worker in workers:
                worker.result(timeout=30)
        found = query(provider, "s")
        assert [dict(event.values)["n"] for event in found if event.event_id in answered] == [
            answered[event.event_id] for event in found if event.event_id in answered
        ]
        assert answered.keys() <= {event.event_id for event in found}
        assert len({event.values["n"] for event in found}) == len(found)
        assert len(found) - len(answered) <= sum(UNKNOWN in text for text in failures)
        provider.stop()


def test_an_event_is_not_sent_twice(redis: Any, redis_client: Any) -> None:
    with Proxy(redis.port) as proxy:
        provider = bound(RedisEventStreamsProvider(), URL=f"redis://{HOST}:{proxy.port}", PREFIX="events:")
        proxy.mode = CUT_BEFORE_REPLY
        assert refused(lambda: write(provider, "s", {"a": "b"})).endswith(UNKNOWN)
        proxy.mode = PASS
        assert redis_client.xlen("events:s") == 1
        assert len(query(provider, "s")) == 1
        provider.stop()


def test_what_others_have_put_there(redis: Any, redis_client: Any) -> None:
    provider: EventStreamsProvider = bound(RedisEventStreamsProvider(), URL=url_of(redis))
    redis_client.set("text", "x")
    redis_client.rpush("list", "x")
    assert refused(lambda: write(provider, "text", {"a": "b"})) == "key 'text' holds a string, not a stream"
    assert refused(lambda: query(provider, "list")) == "key 'list' holds a list, not a stream"
    redis_client.xadd("bytes", {b"\xff": "x"})
    assert refused(lambda: query(provider, "bytes")) == "key 'bytes' holds bytes that are no UTF-8 text"
    redis_client.execute_command("XADD", "twice", "18446744073709551615-7", "a", "1", "a", "2")
    assert [(event.event_id, event.values) for event in query(provider, "twice")] == [
        ("18446744073709551615-7", {"a": "2"})
    ]
    write(provider, "gone", {"a": "b"})
    redis_client.delete("gone")
    assert query(provider, "gone") == ()
    for number in range(100):
        redis_client.xadd("large", {"a": "x" * 2**20}, id=f"{number + 1}-1")
    assert "over the limit of 67108864 bytes" in refused(lambda: query(provider, "large"))
    assert len(query(provider, "large", count=50)) == 50
    provider.stop()

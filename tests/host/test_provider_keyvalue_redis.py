"""The Redis store as a server elsewhere: away, restarted, silent, protected, and shared with others."""

import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme
from host_support import Identities, call_script, eventually, in_thread
from keyvalue_support import ask_of, bound
from provider_support import refused
from redis_support import CUT_BEFORE_REPLY, PASS, SWALLOW_REPLIES, Proxy, client_of, url_of
from servers import HOST, ServerProcess, free_port, redis_server

from host import Host
from host.codec import decode, encode
from host.codec.core import CapabilityConfiguration
from host.codec.keyvalue import (
    AddRequest,
    AddResponse,
    ItemRequest,
    KeyRequest,
    KeysRequest,
    RangeRequest,
    SetRequest,
)
from host.providers.base import ProviderError
from host.providers.keyvalue import RedisKeyValueProvider
from host.providers.keyvalue.providers import KeyValueProvider

UNKNOWN = "it is not known whether the change was made"
Open = Callable[..., KeyValueProvider]


@pytest.fixture
def open_store(request: pytest.FixtureRequest) -> Iterator[Open]:
    """A provider that is bound to the given port, or as the values say."""
    opened = []

    def bound_to(port: int | None = None, **values: str) -> KeyValueProvider:
        provider = RedisKeyValueProvider()
        opened.append(provider)
        where = {} if port is None else {"URL": f"redis://{HOST}:{port}/"}
        return bound(provider, **{**where, **values})

    yield bound_to
    for provider in opened:
        provider.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    with redis_server(tmp_path) as server:
        yield server


@pytest.fixture
def proxy(redis: ServerProcess) -> Iterator[Proxy]:
    with Proxy(redis.port) as made:
        yield made


def add(provider: KeyValueProvider, key: str = "total", amount: int = 1) -> int:
    value: int = ask_of(provider, "Add", AddRequest(key, amount)).value
    return value


def test_keys_are_those_of_the_actor(redis: ServerProcess, redis_client: Any, open_store: Open) -> None:
    assert add(open_store(redis.port), ":counter1") == 1
    assert redis_client.get(":counter1") == b"1"
    assert add(open_store(redis.port, PREFIX="ä:"), ":counter1") == 1
    assert redis_client.get("ä::counter1") == b"1"
    assert add(open_store(URL=url_of(redis, 3)), ":counter1") == 1
    assert add(open_store(redis.port), ":counter1") == 2


def test_redis_keeps_the_time_itself(redis: ServerProcess, redis_client: Any, open_store: Open) -> None:
    provider = open_store(redis.port)
    ask_of(provider, "Set", SetRequest("k", "5", 3))
    assert add(provider, "k") == 6
    assert 0 < redis_client.pttl("k") <= 3000
    assert eventually(lambda: not ask_of(provider, "KeyExists", KeyRequest("k")).exists)
    assert add(provider, "k") == 1


def test_no_sum_is_lost_or_doubled_when_redis_dies(own_server: ServerProcess, open_store: Open) -> None:
    provider = open_store(own_server.port)
    sums: list[int] = []
    failures: list[str] = []
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            try:
                sums.append(add(provider))
            except ProviderError as error:
                failures.append(str(error))

    with ThreadPoolExecutor(8) as pool:
        workers = [pool.submit(work) for _ in range(8)]
        for end in (own_server.kill, own_server.stop, own_server.kill):
            before = len(sums)
            assert eventually(lambda before=before: len(sums) > before + 50)
            end()
            own_server.start()
        before = len(sums)
        assert eventually(lambda: len(sums) > before + 50), "it works again, without a new binding"
        over.set()
        for worker in workers:
            worker.result(timeout=30)
    assert len(set(sums)) == len(sums), "each sum was answered once"
    assert all(UNKNOWN in text or "cannot be reached" in text or "loading" in text for text in failures), failures
    unknown = sum(UNKNOWN in text for text in failures)
    assert len(sums) <= add(provider, amount=0) <= len(sums) + unknown


def test_what_was_sent_before_the_connection_died_is_not_sent_again(
    proxy: Proxy, redis_client: Any, open_store: Open
) -> None:
    provider = open_store(proxy.port)
    add(provider)
    proxy.mode = CUT_BEFORE_REPLY
    for operation, request in (
        ("Add", AddRequest("total", 1)),
        ("Push", ItemRequest("list", "x")),
        ("SetAdd", ItemRequest("set", "x")),
        ("Set", SetRequest("string", "x", 0)),
        ("ListItemDelete", ItemRequest("other", "x")),
    ):
        text = refused(lambda operation=operation, request=request: ask_of(provider, operation, request))
        assert text.endswith(f"; {UNKNOWN}"), text
    proxy.mode = PASS
    assert redis_client.get("total") == b"2"
    assert (redis_client.llen("list"), redis_client.scard("set")) == (1, 1)
    assert add(provider) == 3


def test_reads_are_sent_again(proxy: Proxy, open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.providers.redis_client.RETRY_SECONDS", 20.0)
    provider = open_store(proxy.port)
    add(provider, amount=7)
    proxy.mode = CUT_BEFORE_REPLY
    before = proxy.connections
    thread, outcome = in_thread(lambda: ask_of(provider, "Get", KeyRequest("total")).value)
    assert eventually(lambda: proxy.connections > before)
    proxy.mode = PASS
    thread.join(30)
    assert outcome == ["7"]
    monkeypatch.undo()
    proxy.mode = CUT_BEFORE_REPLY
    started = time.monotonic()
    assert UNKNOWN not in refused(lambda: ask_of(provider, "Get", KeyRequest("total")))
    assert time.monotonic() - started < 10, "but not for ever"


def test_connections_that_were_closed_meanwhile_cost_nothing(
    redis: ServerProcess, redis_client: Any, open_store: Open
) -> None:
    provider = open_store(redis.port)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: add(provider), range(40)))
    for number in range(41, 61):
        redis_client.client_kill_filter(_type="normal", skipme=True)
        assert add(provider) == number


def test_a_connection_that_lay_idle_is_asked_first(
    proxy: Proxy, redis_client: Any, open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.providers.redis_client.IDLE_SECONDS", 0.0)
    provider = open_store(proxy.port, TIMEOUT="1")
    assert [add(provider), add(provider)] == [1, 2]
    proxy.mode = SWALLOW_REPLIES  # as if a firewall had forgotten the connection: nothing comes back
    threading.Timer(0.2, setattr, (proxy, "mode", PASS)).start()
    assert add(provider) == 3
    assert redis_client.get("total") == b"3"


def test_a_server_that_says_nothing(proxy: Proxy, open_store: Open) -> None:
    provider = open_store(proxy.port, TIMEOUT="1")
    add(provider)
    proxy.mode = SWALLOW_REPLIES
    started = time.monotonic()
    assert (
        refused(lambda: add(provider)) == f"the Redis server {HOST}:{proxy.port} did not answer within 1 s; {UNKNOWN}"
    )
    assert "did not answer within 1 s" in refused(lambda: ask_of(provider, "Get", KeyRequest("total")))
    assert "did not answer within 1 s" in refused(lambda: open_store(proxy.port, TIMEOUT="1"))
    assert time.monotonic() - started < 20
    proxy.mode = PASS
    assert ask_of(provider, "Get", KeyRequest("total")).value == "2"


def test_a_listener_that_accepts_nothing_ends_in_the_time_out(open_store: Open) -> None:
    with socket.create_server((HOST, 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        text = refused(lambda: open_store(port, TIMEOUT="1", CONNECT_TIMEOUT="1"))
    assert text == f"the Redis server {HOST}:{port} cannot be reached: no connection within the time-out"


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\0\x02\x02\x16", b"$-7\r\n", b""]
)
def test_something_else_than_redis(answer: bytes, open_store: Open) -> None:
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

        in_thread(serve)
        assert "cannot be reached: " in refused(lambda: open_store(listener.getsockname()[1], TIMEOUT="1"))


def test_away_at_binding(redis: ServerProcess, open_store: Open) -> None:
    port = free_port()
    text = f"the Redis server {HOST}:{port} cannot be reached: Connection refused"
    assert refused(lambda: open_store(port)) == text
    provider = open_store(redis.port)
    assert add(provider) == 1
    assert refused(lambda: bound(provider, URL=f"redis://{HOST}:{port}")) == text
    assert add(provider) == 2, "the former binding stays"
    assert "Name or service not known" in refused(lambda: open_store(URL="redis://nowhere.invalid/"))


def test_passwords(tmp_path: Path, open_store: Open) -> None:
    with redis_server(tmp_path, "--requirepass", "sëcret/@1", "--user", "ann", "on", ">other", "~*", "+@all") as server:
        place = f"the Redis server {HOST}:{server.port}"
        encoded = "s%C3%ABcret%2F%401"
        assert add(open_store(URL=f"redis://:{encoded}@{HOST}:{server.port}/2")) == 1
        assert add(open_store(server.port, PASSWORD="sëcret/@1")) == 1
        assert add(open_store(URL=f"redis://ann@{HOST}:{server.port}", PASSWORD="other")) == 2
        assert refused(lambda: open_store(server.port)) == f"{place} wants a user name or password"
        for wrong in (f"redis://:wrong1@{HOST}:{server.port}", f"redis://bob:wrong1@{HOST}:{server.port}"):
            assert refused(lambda wrong=wrong: open_store(URL=wrong)) == f"{place} refused the user name or password"
        shown = refused(lambda: open_store(URL=f"redis://:{encoded}@{HOST}:{server.port}/99999"))
        assert shown == f"{place} refused: the connection"


@pytest.mark.parametrize(
    "url",
    [
        "http://:hidden@host/",
        "redis://:hidden/@host:1/",
        "redis://:hid#den@host",
        "redis://:hidden@host:99999",
        "redis://:hidden@host/x",
        "redis://:hidden@host/0?ssl_cert_reqs=none",
        "redis://:hidden@[host",
        "unix://",
        "unix:///hid%00den",
        "hidden",
        "",
    ],
)
def test_urls_that_are_none_are_not_repeated(url: str, open_store: Open) -> None:
    text = refused(lambda: open_store(URL=url))
    assert text.startswith("URL must be redis://host:port/database")
    assert "hid" not in text


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"TIMEOUT": "0"}, "TIMEOUT must be an integer from 1 to 3600, not '0'"),
        ({"CONNECT_TIMEOUT": "61"}, "CONNECT_TIMEOUT must be an integer from 1 to 60, not '61'"),
        ({"MAX_CONNECTIONS": "x"}, "MAX_CONNECTIONS must be an integer from 1 to 1000, not 'x'"),
        ({"TLS_CA": "ca.pem"}, "TLS_CA: only for a URL that begins with rediss://"),
        ({"URL": "rediss://h", "TLS_CA": "no\n.pem"}, r"TLS_CA: no\n.pem is no file"),
        ({"URL": "rediss://h", "TLS_CA": "x" * 5000}, f"TLS_CA: {'x' * 4096}… (5000 characters): File name too long"),
        ({"URL": "rediss://h", "TLS_KEY": "k"}, "TLS_KEY needs TLS_CERTIFICATE"),
    ],
)
def test_values_that_are_refused(values: dict[str, str], reason: str, open_store: Open) -> None:
    assert refused(lambda: open_store(**values)) == reason


def test_tls(redis: ServerProcess, open_store: Open, tmp_path: Path) -> None:
    authority, ca_file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    identity = authority.issue_cert("client@example.com")
    files = {"TLS_CERTIFICATE": str(tmp_path / "c.pem"), "TLS_KEY": str(tmp_path / "k.pem")}
    identity.cert_chain_pems[0].write_to_path(files["TLS_CERTIFICATE"])
    identity.private_key_pem.write_to_path(files["TLS_KEY"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with Proxy(redis.port, context) as proxy:
        url = f"rediss://localhost:{proxy.port}"
        assert add(open_store(URL=url, TLS_CA=str(ca_file), **files)) == 1
        assert "CERTIFICATE_VERIFY_FAILED" in refused(lambda: open_store(URL=url, **files))
        by_address = url.replace("localhost", HOST)
        assert "IP address mismatch" in refused(lambda: open_store(URL=by_address, TLS_CA=str(ca_file), **files))
        assert "cannot be reached: " in refused(lambda: open_store(URL=url, TLS_CA=str(ca_file))), "no certificate"
        not_pem = {**files, "TLS_KEY": str(ca_file)}
        assert refused(lambda: open_store(URL=url, **not_pem)).startswith(f"TLS_CERTIFICATE: {tmp_path}")


def test_a_socket_in_the_file_system(tmp_path: Path, open_store: Open) -> None:
    with redis_server(tmp_path, "--unixsocket", str(tmp_path / "redis.sock")):
        assert add(open_store(URL=f"unix://{tmp_path}/redis.sock")) == 1
    assert "redis.sock cannot be reached: " in refused(lambda: open_store(URL=f"unix://{tmp_path}/redis.sock"))


def test_what_others_have_put_there(redis: ServerProcess, redis_client: Any, open_store: Open) -> None:
    provider = open_store(redis.port)
    redis_client.hset("hash", "f", "v")
    redis_client.xadd("stream", {"f": "v"})
    redis_client.zadd("zset", {"m": 1})
    redis_client.set("bytes", b"\xff\xfe")
    redis_client.rpush("list", "a", b"\xff")
    redis_client.sadd("set", b"\xff")
    for operation, request, reason in (
        ("Get", KeyRequest("hash"), "key 'hash' holds a hash, not a string"),
        ("Add", AddRequest("stream", 1), "key 'stream' holds a stream, not a string"),
        ("Push", ItemRequest("zset", "x"), "key 'zset' holds a sorted set, not a list"),
        ("SetUnion", KeysRequest(("none", "hash")), "key 'hash' holds a hash, not a set"),
        ("SetIntersection", KeysRequest(("set", "stream")), "key 'stream' holds a stream, not a set"),
        ("Get", KeyRequest("bytes"), "key 'bytes' holds bytes that are no UTF-8 text"),
        ("Add", AddRequest("bytes", 1), "key 'bytes' holds a string that is not an integer"),
        ("Range", RangeRequest("list", 0, -1), "key 'list' holds bytes that are no UTF-8 text"),
        ("SetQuery", KeyRequest("set"), "key 'set' holds bytes that are no UTF-8 text"),
    ):
        assert refused(lambda operation=operation, request=request: ask_of(provider, operation, request)) == reason
    assert ask_of(provider, "Range", RangeRequest("list", 0, 0)).values == ("a",)
    for key in ("hash", "stream", "bytes"):
        assert ask_of(provider, "KeyExists", KeyRequest(key)).exists
        ask_of(provider, "Set", SetRequest(key, "1", 0))
        assert add(provider, key) == 2
    for text, reason in (
        ("9223372036854775807", "leave the range"),
        ("-0", "not an integer"),
        (" 1", "not an integer"),
    ):
        redis_client.set("number", text)
        assert reason in refused(lambda: add(provider, "number"))
    redis_client.set("number", 2**31)
    assert add(provider, "number", -1) == 2**31 - 1


def test_answers_of_any_size(redis: ServerProcess, redis_client: Any, open_store: Open) -> None:
    provider = open_store(redis.port, TIMEOUT="60")
    items = [f"item {number}" for number in range(10_000)]
    redis_client.rpush("list", *items)
    redis_client.sadd("set", *items)
    redis_client.sadd("half", *items[::2])
    assert ask_of(provider, "Range", RangeRequest("list", 0, -1)).values == tuple(items)
    assert ask_of(provider, "Range", RangeRequest("list", -130, -2)).values == tuple(items[-130:-1])
    assert ask_of(provider, "SetQuery", KeyRequest("set")).values == tuple(sorted(items))
    assert ask_of(provider, "SetUnion", KeysRequest(("half", "set"))).values == tuple(sorted(items))
    assert ask_of(provider, "SetIntersection", KeysRequest(("set", "half"))).values == tuple(sorted(items[::2]))
    redis_client.setrange("huge", 100 * 2**20, "x")
    for _ in range(70):
        redis_client.rpush("much", "x" * 2**20)
    for operation, request in (("Get", KeyRequest("huge")), ("Range", RangeRequest("much", 0, -1))):
        text = refused(lambda operation=operation, request=request: ask_of(provider, operation, request))
        assert text == "the values are over the limit of 67108864 bytes or 1000000 values for an answer"


def test_answers_of_too_many_values(redis: ServerProcess, redis_client: Any, open_store: Open) -> None:
    provider = open_store(redis.port, TIMEOUT="60")
    for _ in range(100):
        redis_client.rpush("list", *["x"] * 10_000)
    assert len(ask_of(provider, "Range", RangeRequest("list", 0, -1)).values) == 1_000_000
    redis_client.rpush("list", "x")
    text = refused(lambda: ask_of(provider, "Range", RangeRequest("list", 0, -1)))
    assert text == "the values are over the limit of 67108864 bytes or 1000000 values for an answer"
    provider.stop()


def test_as_many_sets_as_may_be(redis: ServerProcess, open_store: Open) -> None:
    provider = open_store(redis.port, TIMEOUT="60")
    keys = tuple(str(number) for number in range(100_000))
    for key in (keys[0], keys[-1]):
        ask_of(provider, "SetAdd", ItemRequest(key, f"of {key}"))
    assert ask_of(provider, "SetUnion", KeysRequest(keys)).values == ("of 0", "of 99999")
    assert ask_of(provider, "SetIntersection", KeysRequest(keys)).values == ()
    ask_of(provider, "Set", SetRequest(keys[-1], "text", 0))
    text = refused(lambda: ask_of(provider, "SetIntersection", KeysRequest(keys)))
    assert text == "key '99999' holds a string, not a set"


def test_a_full_server(own_server: ServerProcess, open_store: Open) -> None:
    provider = open_store(own_server.port)
    add(provider)
    with client_of(own_server) as client:
        client.config_set("maxmemory", 1)
        assert "is full: " in refused(lambda: add(provider))
        client.config_set("maxmemory", 0)
    assert add(provider) == 2


def test_connections_are_bounded_and_closed(redis: ServerProcess, redis_client: Any, open_store: Open) -> None:
    provider = open_store(redis.port, MAX_CONNECTIONS="3")

    def connections() -> int:
        return len(redis_client.client_list()) - 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: add(provider), range(400)))
    assert add(provider, amount=0) == 400
    assert 1 <= connections() <= 3
    bound(provider, URL=url_of(redis, 5))
    assert eventually(lambda: connections() == 1), "those of the former binding are closed"
    provider.handle_call("system", "RemoveActor", encode(CapabilityConfiguration("MACTOR")))
    assert eventually(lambda: connections() == 0)
    bound(provider, URL=url_of(redis))
    assert add(provider) == 401


def test_all_connections_in_use(proxy: Proxy, open_store: Open) -> None:
    provider = open_store(proxy.port, MAX_CONNECTIONS="1", TIMEOUT="1")
    proxy.mode = SWALLOW_REPLIES
    with ThreadPoolExecutor(4) as pool:
        texts = set(pool.map(lambda _: refused(lambda: add(provider)), range(4)))
    assert "all 1 connections (MAX_CONNECTIONS) are in use" in texts


def test_removal_lets_calls_finish(own_server: ServerProcess, open_store: Open) -> None:
    provider = open_store(own_server.port)
    with client_of(own_server) as client:
        client.client_pause(500)
        thread, outcome = in_thread(lambda: add(provider))
        time.sleep(0.1)
        provider.stop()
        thread.join(20)
    assert outcome == [1]


def test_without_the_extra() -> None:
    program = (
        "import sys; sys.modules['redis'] = None\n"
        "from host.plugins import find_provider\nfind_provider('keyvalue_memory')\nfind_provider('keyvalue_redis')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "this needs an extra: pip install 'wascc[redis]'" in done.stderr.splitlines()[-1]


def test_an_actor_in_a_host(host: Host, identities: Identities, redis: ServerProcess, redis_client: Any) -> None:
    actor = identities.actor("wascc:keyvalue")
    host.add_actor(actor)
    host.add_capability(RedisKeyValueProvider())
    host.set_binding(actor.public_key, "wascc:keyvalue", values={"URL": url_of(redis)})
    call = call_script(("default", "wascc:keyvalue", "Add", encode(AddRequest(":counter1", 5))))
    for expected in (5, 10):
        reply = host.call_actor(actor.public_key, "host", call)
        assert decode(AddResponse, reply) == AddResponse(expected)
    assert redis_client.get(":counter1") == b"10"
    host.remove_binding(actor.public_key, "wascc:keyvalue")
    assert eventually(lambda: len(redis_client.client_list()) == 1)

"""The life of the HTTP servers: ports, binding again, stopping, and the limits of each."""

import logging
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from host_support import eventually
from provider_support import bind, remove
from servers import free_port

from host.codec import decode, encode
from host.codec.core import CapabilityConfiguration
from host.codec.http import Request, Response, ok
from host.providers.base import ProviderError
from host.providers.http_server import HttpServerProvider

ROOT = Path(__file__).parents[2]
NEVER_RETURNING_PROGRAM = """
import threading
import httpx
from host.codec import encode
from host.codec.core import CapabilityConfiguration
from host.providers.http_server import HttpServerProvider

class Stuck:
    def dispatch(self, actor, operation, payload):
        threading.Event().wait()

provider = HttpServerProvider()
provider.configure_dispatch(Stuck())
values = {"PORT": "0", "SHUTDOWN_TIMEOUT": "0"}
provider.handle_call("system", "BindActor", encode(CapabilityConfiguration("MA", values)))
url = "http://%s:%d/" % provider.address("MA")
try:
    httpx.get(url, timeout=0.3)
except httpx.TimeoutException:
    provider.stop()
    print("stopped")
"""


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Given to clients, so that each does not load the certificates that none of them needs."""


class Actors:
    """Answers with the actor's name and the path, after `gate` opened, which it is until a test closes it."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.answer: Callable[[Request], Response] | None = None

    def dispatch(self, actor: str, operation: str, payload: bytes) -> bytes:
        request = decode(Request, payload)
        self.entered.release()
        if not self.gate.wait(20):
            raise TimeoutError
        return encode(self.answer(request) if self.answer else ok(f"{actor} {request.path}".encode()))


@pytest.fixture
def actors() -> Actors:
    return Actors()


@pytest.fixture
def provider(actors: Actors) -> Iterator[HttpServerProvider]:
    provider = HttpServerProvider()
    provider.configure_dispatch(actors)
    yield provider
    actors.gate.set()
    provider.stop()


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


def serve(provider: HttpServerProvider, actor: str = "MA", **values: str) -> str:
    """Bind at any free port unless told; the URL."""
    bind(provider, actor, **{"PORT": "0", **values})
    return url_of(provider.address(actor))


def url_of(address: tuple[str, int]) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"http://{host}:{address[1]}"


def get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=20, verify=NO_TLS)


def connect(provider: HttpServerProvider, actor: str = "MA") -> socket.socket:
    return socket.create_connection(provider.address(actor), timeout=10)


def test_one_server_for_each_actor(provider: HttpServerProvider) -> None:
    first, second = serve(provider, "MA"), serve(provider, "MB")
    assert get(f"{first}/x").text == "MA /x"
    assert get(f"{second}/x").text == "MB /x"
    remove(provider, "MA")
    assert get(f"{second}/y").text == "MB /y"
    with pytest.raises(httpx.ConnectError):
        get(first)
    with pytest.raises(ProviderError, match="MA has no HTTP server"):
        provider.address("MA")


def test_defaults_listen_on_this_machine_only(provider: HttpServerProvider) -> None:
    try:
        provider.handle_call("system", "BindActor", encode(CapabilityConfiguration("MA")))
    except ProviderError as error:
        # Somebody else has the port on the machine that runs the tests.
        assert str(error) == "cannot listen on 127.0.0.1:8080: Address already in use"  # noqa: PT017
    else:
        assert provider.address("MA") == ("127.0.0.1", 8080)


def test_other_interfaces(provider: HttpServerProvider) -> None:
    serve(provider, HOST="0.0.0.0")  # noqa: S104
    _, port = provider.address("MA")
    assert get(f"http://127.0.0.1:{port}/").status_code == 200
    if socket.has_ipv6:
        assert get(serve(provider, "MB", HOST="::1")).text == "MB /"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"PORT": "http"}, "PORT must be an integer from 0 to 65535, not 'http'"),
        ({"PORT": ""}, "not ''"),
        ({"PORT": "-1"}, "not '-1'"),
        ({"PORT": "65536"}, "not '65536'"),
        ({"PORT": " 80"}, "not ' 80'"),
        ({"PORT": "8\n0"}, r"not '8\\n0'"),
        ({"PORT": "٣"}, "not '٣'"),
        ({"HOST": ""}, "HOST must not be empty"),
        ({"HOST": "192.0.2.1"}, "cannot listen on 192.0.2.1:0: Cannot assign requested address"),
        ({"HOST": "no.such.host.invalid"}, "cannot listen on no.such.host.invalid:0: "),
        ({"HOST": "a\0b"}, r"cannot listen on a\\x00b:0: "),
        ({"HOST": "x" * 300}, "cannot listen on x*:0: "),
        ({"MAX_BODY_BYTES": "1e6"}, "MAX_BODY_BYTES must be an integer from 0 to 66060288"),
        ({"MAX_BODY_BYTES": "66060289"}, "MAX_BODY_BYTES must be"),
        ({"MAX_CONNECTIONS": "0"}, "MAX_CONNECTIONS must be an integer from 1 to"),
        ({"MAX_WAITING": "x"}, "MAX_WAITING must be"),
        ({"REQUEST_TIMEOUT": "0"}, "REQUEST_TIMEOUT must be an integer from 1 to 3600"),
        ({"RESPONSE_TIMEOUT": "0"}, "RESPONSE_TIMEOUT must be an integer from 1 to 3600"),
        ({"SHUTDOWN_TIMEOUT": "0.5"}, "SHUTDOWN_TIMEOUT must be"),
        ({"WORKERS": "0"}, "WORKERS must be an integer from 1 to 256"),
    ],
)
def test_refused_at_binding(provider: HttpServerProvider, values: dict[str, str], reason: str) -> None:
    before = threading.active_count()
    with pytest.raises(ProviderError, match=reason) as caught:
        serve(provider, **values)
    assert "\n" not in str(caught.value)
    assert threading.active_count() == before
    with pytest.raises(ProviderError, match="has no HTTP server"):
        provider.address("MA")


def test_a_port_in_use(provider: HttpServerProvider) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        with pytest.raises(ProviderError, match=f"^cannot listen on 127.0.0.1:{port}: Address already in use$"):
            serve(provider, PORT=port)
    url = serve(provider, PORT=port)
    with pytest.raises(ProviderError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
        serve(provider, "MB", PORT=port)
    assert get(url).text == "MA /"


def test_a_provider_without_a_dispatcher_starts_nothing() -> None:
    with pytest.raises(ProviderError, match="not been given a dispatcher"):
        serve(HttpServerProvider())


def test_the_same_port_again_at_once(provider: HttpServerProvider) -> None:
    port = str(free_port())
    for _ in range(3):
        url = serve(provider, PORT=port)
        # A connection that the server closes first keeps the port in TIME_WAIT.
        with httpx.Client(verify=NO_TLS) as client:
            assert client.get(url).text == "MA /"
            remove(provider)


def test_binding_again_with_the_same_values_changes_nothing(provider: HttpServerProvider) -> None:
    with httpx.Client(base_url=serve(provider), verify=NO_TLS) as client:
        client.get("/")
        threads = set(threading.enumerate())
        serve(provider)
        assert set(threading.enumerate()) == threads
        assert client.get("/").status_code == 200


def test_binding_again_at_the_same_address(
    provider: HttpServerProvider, actors: Actors, background: ThreadPoolExecutor
) -> None:
    url = serve(provider, MAX_BODY_BYTES="10")
    assert httpx.post(url, content=b"x" * 11).status_code == 413
    actors.gate.clear()
    running = background.submit(get, f"{url}/before")
    assert actors.entered.acquire(timeout=10)
    rebinding = background.submit(serve, provider, MAX_BODY_BYTES="20")
    # The new server takes connections while the old one still finishes its request.
    later = background.submit(httpx.post, f"{url}/after", content=b"x" * 11, timeout=20)
    actors.gate.set()
    assert running.result(20).text == "MA /before"
    assert rebinding.result(20) == url
    assert later.result(20).status_code in (200, 413), "whichever server accepted it"
    assert httpx.post(url, content=b"x" * 20).status_code == 200
    assert httpx.post(url, content=b"x" * 21).status_code == 413


def test_binding_again_at_another_address(provider: HttpServerProvider) -> None:
    first_port, second_port = str(free_port()), str(free_port())
    first = serve(provider, PORT=first_port)
    second = serve(provider, PORT=second_port)
    assert get(second).text == "MA /"
    with pytest.raises(httpx.ConnectError):
        get(first)
    serve(provider, "MB", PORT=first_port)
    with pytest.raises(ProviderError, match="Address already in use"):
        serve(provider, PORT=first_port)
    assert get(second).text == "MA /", "the former server stays where the new one cannot start"


def test_running_requests_are_finished(
    provider: HttpServerProvider, actors: Actors, background: ThreadPoolExecutor
) -> None:
    url = serve(provider)
    actors.gate.clear()
    running = [background.submit(get, f"{url}/{number}") for number in range(3)]
    for _ in running:
        assert actors.entered.acquire(timeout=10)
    removal = background.submit(remove, provider)
    assert eventually(lambda: refuses(url))
    assert not removal.done()
    actors.gate.set()
    assert [request.result(20).text for request in running] == ["MA /0", "MA /1", "MA /2"]
    removal.result(20)


def refuses(url: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0), timeout=5):
            return False
    except ConnectionRefusedError:
        return True


def test_the_shutdown_timeout(
    provider: HttpServerProvider, actors: Actors, background: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    url = serve(provider, SHUTDOWN_TIMEOUT="0")
    actors.gate.clear()
    stuck = background.submit(get, url)
    assert actors.entered.acquire(timeout=10)
    with connect(provider) as idle, connect(provider) as half:
        half.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        remove(provider)
        assert stuck.result(20).status_code == 503
        assert idle.recv(10) == b""
        assert half.recv(100).startswith(b"HTTP/1.1 503 ")
    assert all("\n" not in message for message in caplog.messages)
    assert all(record.exc_info is None for record in caplog.records)


def test_stop_releases_everything(actors: Actors) -> None:
    before = set(threading.enumerate())
    provider = HttpServerProvider()
    provider.configure_dispatch(actors)
    urls = [serve(provider, actor) for actor in ("MA", "MB")]
    for url in urls:
        get(url)
    provider.stop()
    provider.stop()
    for url in urls:
        with pytest.raises(httpx.ConnectError):
            get(url)
    assert eventually(lambda: set(threading.enumerate()) <= before)


def test_signals_are_left_alone(provider: HttpServerProvider) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    get(serve(provider))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_an_actor_that_never_returns_does_not_keep_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NEVER_RETURNING_PROGRAM],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "stopped\n"
    assert "Traceback" not in done.stderr


def test_many_clients(provider: HttpServerProvider, background: ThreadPoolExecutor) -> None:
    url = serve(provider)

    def talk(number: int) -> list[str]:
        with httpx.Client(base_url=url, timeout=20, verify=NO_TLS) as client:
            return [client.get(f"/{number}/{again}").text for again in range(10)]

    answers = list(background.map(talk, range(32)))
    assert answers == [[f"MA /{number}/{again}" for again in range(10)] for number in range(32)]


def test_requests_wait_for_a_worker_and_more_are_refused(
    provider: HttpServerProvider, actors: Actors, background: ThreadPoolExecutor
) -> None:
    url = serve(provider, WORKERS="2", MAX_WAITING="3")
    actors.gate.clear()
    waiting: list[Future[httpx.Response]] = []
    refused = []
    for number in range(12):
        waiting.append(background.submit(get, f"{url}/{number}"))
    assert eventually(lambda: sum(each.done() for each in waiting) == 7)
    refused = [each.result() for each in waiting if each.done()]
    assert {(each.status_code, each.text, each.headers["retry-after"]) for each in refused} == {
        (503, "Service Unavailable", "1")
    }
    assert actors.entered.acquire(timeout=10)
    assert actors.entered.acquire(timeout=10)
    assert not actors.entered.acquire(blocking=False), "only two run at a time"
    actors.gate.set()
    assert sorted(each.result(20).status_code for each in waiting) == [200] * 5 + [503] * 7
    assert get(url).status_code == 200


def test_connections_over_the_limit_are_closed(provider: HttpServerProvider) -> None:
    url = serve(provider, MAX_CONNECTIONS="2")
    with connect(provider) as first, connect(provider), connect(provider) as third:
        with pytest.raises((ConnectionError, EOFError)):  # noqa: PT012
            if third.recv(10) == b"":
                raise EOFError
        first.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert first.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert eventually(lambda: answers(url))


def answers(url: str) -> bool:
    try:
        return get(url).status_code == 200
    except httpx.TransportError:
        return False


def test_clients_that_do_not_finish_their_request(
    provider: HttpServerProvider, caplog: pytest.LogCaptureFixture, background: ThreadPoolExecutor
) -> None:
    serve(provider, REQUEST_TIMEOUT="1", MAX_BODY_BYTES="10")
    post = b"POST / HTTP/1.1\r\nHost: x\r\n"
    cases = {
        b"": b"",
        b"GET / HTTP/1.1\r\nHost:": b"",
        post + b"Content-Length: 5\r\n\r\nab": b"HTTP/1.1 408 Request Timeout\r\n",
        post + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n": b"HTTP/1.1 408 Request Timeout\r\n",
    }

    def talk(sent: bytes) -> bytes:
        received = b""
        with connect(provider) as connection:
            connection.sendall(sent)
            with suppress(ConnectionResetError):
                while chunk := connection.recv(1000):
                    received += chunk
        return received

    for received, expected in zip(background.map(talk, cases), cases.values(), strict=True):
        assert received[: received.find(b"\r\n") + 2] == expected
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_refused_body_that_never_ends(provider: HttpServerProvider) -> None:
    serve(provider, REQUEST_TIMEOUT="1", MAX_BODY_BYTES="10")
    with connect(provider) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")

        def cut_off() -> bool:
            try:
                connection.sendall(b"x")
            except ConnectionError:
                return True
            return False

        assert eventually(cut_off)


def test_nonsense_after_the_answer(provider: HttpServerProvider, caplog: pytest.LogCaptureFixture) -> None:
    url = serve(provider, MAX_BODY_BYTES="1")
    with connect(provider) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        answer = b""
        while not answer.endswith(b"Request Entity Too Large"):
            answer += connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 413 ")
        connection.sendall(b"this is no chunk\r\n")
        with suppress(ConnectionResetError):
            assert connection.recv(1000) == b""
    assert get(url).status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_stopping_cuts_off_clients_that_do_not_take_their_response(
    provider: HttpServerProvider, actors: Actors
) -> None:
    serve(provider, SHUTDOWN_TIMEOUT="0")
    size = 30_000_000
    actors.answer = lambda request: ok(bytes(size))
    with connect(provider) as lazy:
        lazy.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert lazy.recv(15) == b"HTTP/1.1 200 OK"
        remove(provider)
        taken = 0
        with suppress(ConnectionResetError):
            while chunk := lazy.recv(2**20):
                taken += len(chunk)
    assert taken < size


def test_clients_that_do_not_take_their_response(provider: HttpServerProvider, actors: Actors) -> None:
    url = serve(provider, REQUEST_TIMEOUT="1", MAX_CONNECTIONS="1")
    actors.answer = lambda request: ok(bytes(30_000_000))
    with connect(provider) as lazy:
        lazy.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert actors.entered.acquire(timeout=10)
        actors.answer = None
        # There is room for one connection: it is free once the server has given up on the lazy client.
        assert eventually(lambda: answers(url))


def test_clients_that_go_away(provider: HttpServerProvider, actors: Actors, caplog: pytest.LogCaptureFixture) -> None:
    url = serve(provider)
    actors.gate.clear()
    with connect(provider) as while_it_runs:
        while_it_runs.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert actors.entered.acquire(timeout=10)
    with connect(provider) as in_its_body:
        in_its_body.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    with connect(provider) as resetting:
        resetting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        resetting.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert actors.entered.acquire(timeout=10)
    actors.gate.set()
    assert get(url).status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]

"""Fixtures of the host's tests: keys, and hosts that are shut down at the end of the test.

What is in `support` can be imported by the tests.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from host import Actor, Host, HostBuilder
from host.logs import sparing
from host.providers.messaging import NatsMessagingProvider
from interp.engine import ENGINES

sys.path.insert(0, str(Path(__file__).parent / "support"))

from host_support import FAST_ENGINE, TEST_CAPABILITY, Identities, loaded_engine
from messaging_support import Actors
from postgres_server import PostgresServer
from redis_support import client_of
from servers import ServerProcess, nats_server, redis_server


@pytest.fixture(autouse=True)
def room_in_the_log() -> None:
    """What one test makes the host log must not leave another's lines out."""
    sparing._written = sparing._left_out = 0


@pytest.fixture(scope="session")
def identities() -> Identities:
    return Identities()


@pytest.fixture(scope="session")
def redis_of_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    # Nothing of it has to last, and tests wait for the disk otherwise with each command.
    with redis_server(tmp_path_factory.mktemp("redis"), "--appendfsync", "no") as server:
        yield server


@pytest.fixture
def redis_client(redis_of_session: ServerProcess) -> Iterator[Any]:
    """A client of the Redis server that all tests share, which is emptied before each."""
    with client_of(redis_of_session) as client:
        client.flushall()
        yield client


@pytest.fixture
def redis(redis_of_session: ServerProcess, redis_client: Any) -> ServerProcess:
    """The Redis server that all tests share. Tests that stop it start one of their own."""
    return redis_of_session


@pytest.fixture
def make_host() -> Iterator[Callable[..., Host]]:
    """Hosts on a named engine; `configure` gets the builder. They are shut down at the end."""
    hosts: list[Host] = []

    def make(engine: str = FAST_ENGINE, configure: Callable[[HostBuilder], object] = lambda builder: None) -> Host:
        builder = HostBuilder().with_engine(loaded_engine(engine))
        configure(builder)
        hosts.append(builder.build())
        return hosts[-1]

    yield make
    for host in hosts:
        host.shutdown()


@pytest.fixture
def host(make_host: Callable[..., Host]) -> Host:
    """A host on the fastest engine."""
    return make_host()


@pytest.fixture(params=sorted(ENGINES))
def host_on_engine(request: pytest.FixtureRequest, make_host: Callable[..., Host]) -> Host:
    """A host on each engine in turn."""
    return make_host(request.param)


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Threads take turns so often that they meet in the middle of everything."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture
def actor(host: Host, identities: Identities) -> Actor:
    """An actor in the host that may use the test provider."""
    added = identities.actor(TEST_CAPABILITY, "wascc:logging", name="Tester", tags=("x", "y"))
    host.add_actor(added)
    return added


@pytest.fixture
def actors() -> Actors:
    """Where a provider of messaging delivers."""
    return Actors()


@pytest.fixture
def nats_provider(actors: Actors) -> Iterator[NatsMessagingProvider]:
    """A provider that delivers to `actors`."""
    made = NatsMessagingProvider()
    made.configure_dispatch(actors)
    yield made
    made.stop()


@pytest.fixture
def serve_nats(tmp_path: Path) -> Iterator[Callable[[str], ServerProcess]]:
    """Starts a server with a configuration file of this text."""
    running: list[ServerProcess] = []

    def start(configuration: str) -> ServerProcess:
        file = tmp_path / "nats.conf"
        file.write_text(configuration)
        running.append(nats_server(tmp_path, "-c", str(file)).start())
        return running[-1]

    yield start
    for each in running:
        each.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL server for all tests of this process; each test makes databases of its own there."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def new_database(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Makes databases on the server; their URLs."""
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return lambda: server.make_database(f"d{secrets.token_hex(6)}")

"""Many threads that do at random what a host allows, against a model: nothing acknowledged is lost or done twice,
nobody waits for ever, and after the shutdown nothing is left."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
from host_support import TEST_CAPABILITY, Identities, ScriptedProvider, call_script, eventually

from host import ActorSettings, Host, HostError

MakeHost = Callable[..., Host]
ACTORS, THREADS, SECONDS = 4, 8, 3.0
BINDINGS = ("default", "second")


class Ledger(ScriptedProvider):
    """Counts what it has done by the number that the caller gave it."""

    def __init__(self) -> None:
        super().__init__(Count=Ledger.count)
        self.done: Counter[bytes] = Counter()
        self.lock = threading.Lock()
        self.is_stopped = False
        self.late = 0

    def count(self, actor: str, payload: bytes) -> bytes:
        with self.lock:
            self.done[payload] += 1
            self.late += self.is_stopped
        return payload

    def stop(self) -> None:
        with self.lock:
            self.is_stopped = True


class Program:
    """Threads with a seed each that call and change one host until its end."""

    def __init__(self, host: Host, identities: Identities, seed: int) -> None:
        self.host, self.seed = host, seed
        keys = [identities.key() for _ in range(ACTORS)]
        names = [key.public_key for key in keys]
        self.actors = [
            [identities.actor(TEST_CAPABILITY, *names, key=key, version=v, revision=int(v)) for v in ("1", "2")]
            for key in keys
        ]
        self.lock = threading.Lock()
        self.ledgers: list[Ledger] = []
        self.attempted: set[bytes] = set()
        self.acknowledged: list[bytes] = []
        self.unexpected: list[BaseException] = []
        self.refusals: Counter[str] = Counter()
        self.longest = 0.0

    def add_actor(self, chance: random.Random) -> None:
        actor = chance.choice(self.actors)[0]
        self.host.add_actor(actor, ActorSettings(instances=chance.randint(1, 3)))
        for binding in BINDINGS:
            self.host.set_binding(actor.public_key, TEST_CAPABILITY, binding)

    def remove_actor(self, chance: random.Random) -> None:
        self.host.remove_actor(chance.choice(self.actors)[0].public_key)

    def replace_actor(self, chance: random.Random) -> None:
        self.host.replace_actor(chance.choice(chance.choice(self.actors)), force=chance.random() < 0.5)

    def add_capability(self, chance: random.Random) -> None:
        ledger = Ledger()
        self.host.add_capability(ledger, chance.choice(BINDINGS))
        with self.lock:
            self.ledgers.append(ledger)

    def remove_capability(self, chance: random.Random) -> None:
        self.host.remove_capability(TEST_CAPABILITY, chance.choice(BINDINGS))

    def bind(self, chance: random.Random) -> None:
        self.host.set_binding(chance.choice(self.actors)[0].public_key, TEST_CAPABILITY, chance.choice(BINDINGS))

    def unbind(self, chance: random.Random) -> None:
        self.host.remove_binding(chance.choice(self.actors)[0].public_key, TEST_CAPABILITY, chance.choice(BINDINGS))

    def trap(self, chance: random.Random) -> None:
        self.host.call_actor(chance.choice(self.actors)[0].public_key, "trap", b"")

    def call(self, chance: random.Random) -> None:
        """A count through a chain of actors, which may meet itself."""
        number = b"%d" % chance.getrandbits(60)
        operation, payload = "host", call_script((chance.choice(BINDINGS), TEST_CAPABILITY, "Count", number))
        for _ in range(chance.randint(0, 3)):
            key = chance.choice(self.actors)[0].public_key
            operation, payload = "host", call_script(("default", key, operation, payload))
        with self.lock:
            self.attempted.add(number)
        self.host.call_actor(chance.choice(self.actors)[0].public_key, operation, payload)
        with self.lock:
            self.acknowledged.append(number)

    def look(self, chance: random.Random) -> None:
        for state in self.host.actor_states():
            assert len(state.instances) <= state.settings.instances * 4
            assert state.calls >= state.failures
            assert state.actor.public_key in {pair[0].public_key for pair in self.actors}
        self.host.bindings(), self.host.capabilities(), self.host.calls_under_way()

    def run(self, number: int, stop: threading.Event) -> None:
        chance = random.Random(self.seed * 1000 + number)  # noqa: S311
        steps = [self.call] * 20 + [self.look, self.trap, self.add_actor, self.bind, self.add_capability] * 2
        steps += [self.remove_actor, self.replace_actor, self.remove_capability, self.unbind]
        while not stop.is_set():
            step = chance.choice(steps)
            begin = time.monotonic()
            try:
                step(chance)
            except HostError as error:
                with self.lock:
                    self.refusals[f"{step.__name__}: {type(error).__name__}"] += 1
            except BaseException as error:
                with self.lock:
                    self.unexpected.append(error)
            self.longest = max(self.longest, time.monotonic() - begin)


@pytest.mark.usefixtures("eager_switching")
@pytest.mark.parametrize("seed", range(3))
def test_random_programs_of_threads(make_host: MakeHost, identities: Identities, seed: int) -> None:
    before = threading.active_count()
    host = make_host(configure=lambda builder: builder.with_shutdown_timeout(20.0))
    program = Program(host, identities, seed)
    setup = random.Random(seed)  # noqa: S311
    for _ in range(20):
        for step in (program.add_capability, program.add_actor):
            with suppress(HostError):
                step(setup)
    stop = threading.Event()
    threads = [threading.Thread(target=program.run, args=(number, stop), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS)
    begin = time.monotonic()
    host.shutdown()
    assert time.monotonic() - begin < 15
    # They find the host down for a moment.
    time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert program.unexpected == []
    assert program.longest < 15
    done: Counter[bytes] = Counter()
    for ledger in program.ledgers:
        done.update(ledger.done)
        assert ledger.is_stopped
        assert ledger.late == 0
    assert len(program.acknowledged) > 50, program.refusals
    assert max(done.values()) == 1
    assert set(program.acknowledged) <= set(done) <= program.attempted
    assert not host.actor_states()
    assert not host.bindings()
    assert not host.capabilities()
    assert not host.calls_under_way()
    assert eventually(lambda: threading.active_count() <= before)

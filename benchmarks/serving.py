"""Requests over HTTP to the counter actor in a real host, `wascc up`, and to a server that only answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks.actor import PATH, body, counter_wasm
from benchmarks.errors import BenchmarkError, check_output
from benchmarks.load_generator import HOST, Outcome, Task
from benchmarks.operation.plain_counter import VARIABLE as PLAIN_STORE
from benchmarks.processes import Generator, Server, host_command, uninterrupted
from benchmarks.results import HttpCase, HttpResult, Window
from benchmarks.stores import MEMORY, SQLITE, Store, store_called
from benchmarks.timing import MIN_ROUNDS, Effort, Progress, interleaved
from benchmarks.trivial_server import BODY
from host import Actor
from host.codec.http import CAPABILITY_SERVER
from host.codec.keyvalue import CAPABILITY as KEY_VALUE

CONNECTIONS = (1, 32)
MIN_WINDOW_SECONDS = 0.5
"""Shorter windows say little; fewer rounds are made instead, down to MIN_ROUNDS."""

SHORTEST_WINDOW_SECONDS = 0.1

TRIVIAL = "uvicorn alone"
PLAIN = "plain ASGI"
STORES = (MEMORY, SQLITE)
"""The key-value stores behind the actor that need no server of their own."""

EXPECTED = r'\{"counter":[1-9][0-9]*\}'
"""What every body matches. That no request was lost or counted twice, the last counter tells."""

REQUEST_SECONDS = 30.0


@dataclass(slots=True)
class Target:
    """A server under load; `sent` counts the requests that were answered. `store` is empty for the trivial one."""

    name: str
    engine: str
    store: str
    server: Server
    sent: int = 0

    def check(self) -> None:
        """Send one request and check that every earlier one was counted. Raises BenchmarkError."""
        url = f"http://{HOST}:{self.server.port}{PATH}"
        try:
            answer = httpx.get(url, timeout=REQUEST_SECONDS, trust_env=False)
        except httpx.HTTPError as error:
            raise BenchmarkError(f"{self.name} does not answer: {error}; {self.server.last_error()}") from error
        self.sent += 1
        check_output(self.name, (answer.status_code, answer.content), (200, body(self.sent) if self.store else BODY))


def measure_http(
    engines: Iterable[str],
    effort: Effort,
    progress: Progress = lambda _: None,
    *,
    wasm: bytes | None = None,
    connections: Sequence[int] = CONNECTIONS,
    stores: Sequence[str] = STORES,
    plain: bool = False,
) -> HttpResult:
    """Answers per second and latencies of every server at every number of connections.

    `wasm` is the counter actor (default: the one of the examples). With `plain`, each store is also measured behind an
    application that counts without a host. Raises BenchmarkError.
    """
    module = counter_wasm() if wasm is None else wasm
    with TemporaryDirectory(prefix="wascc-bench-") as name, ExitStack() as running:
        with uninterrupted():
            generator = running.enter_context(Generator(Path(name)))
            targets = [_start_trivial(Path(name), running)]
        for store in stores:
            targets += _start_with(Path(name), running, store, (PLAIN,) * plain + tuple(engines), module)
        for target in targets:
            # Called before any of them is waited for, so that all end at the same time.
            running.callback(target.server.terminate)
        for target in targets:
            target.server.wait()
            target.check()
        cases = {(target.name, count): target for target in targets for count in connections}
        rounds = effort_for(effort, len(cases))
        window_seconds = max(SHORTEST_WINDOW_SECONDS, rounds.sample_seconds(len(cases)))
        samplers: dict[tuple[str, int], Callable[[], Window]] = {
            key: partial(_window, generator, target, key[1], window_seconds) for key, target in cases.items()
        }
        windows = interleaved(samplers, rounds, progress)
        for target in targets:
            target.check()
    return HttpResult(
        tuple(
            HttpCase(target.name, target.engine, target.store, count, windows[target.name, count])
            for (_, count), target in cases.items()
        )
    )


def _start_with(
    folder: Path, running: ExitStack, store_name: str, engines: Iterable[str], wasm: bytes
) -> Iterator[Target]:
    """A server for each engine, or PLAIN, on a store of its own of that name; they end when `running` does."""
    for engine in engines:
        place = folder / f"{engine}-{store_name}"
        place.mkdir()
        store = running.enter_context(store_called(store_name, place))
        with uninterrupted():
            yield (_start_plain if engine == PLAIN else partial(_start_host, engine, wasm))(store, place, running)


def effort_for(effort: Effort, cases: int) -> Effort:
    """The same time, in so few rounds that a window is not too short; no less than MIN_ROUNDS of them."""
    fitting = int(effort.seconds / (cases * MIN_WINDOW_SECONDS))
    return Effort(min(effort.rounds, max(MIN_ROUNDS, fitting)), effort.seconds)


def _window(generator: Generator, target: Target, connections: int, seconds: float) -> Window:
    task = Task(target.server.port, PATH, EXPECTED, connections, seconds)
    outcome: Outcome = generator.run(task)
    target.sent += outcome.answers
    if not outcome.latencies:
        raise BenchmarkError(f"{target.name} answered nothing within {seconds:.1f} seconds")
    return Window(outcome.seconds, tuple(outcome.latencies), outcome.generator_seconds)


def _start_trivial(folder: Path, running: ExitStack) -> Target:
    server = Server(partial(_uvicorn, "benchmarks.trivial_server"), folder)
    return Target(TRIVIAL, "", "", running.enter_context(server))


def _uvicorn(module: str, port: int) -> list[str]:
    """The command of an ASGI server for the application in a module."""
    options = {"host": HOST, "port": str(port), "http": "h11", "ws": "none", "lifespan": "off", "log-level": "error"}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return [sys.executable, "-m", "uvicorn", f"{module}:application", *words, "--no-access-log"]


def _start_plain(store: Store, folder: Path, running: ExitStack) -> Target:
    place = {MEMORY: MEMORY, SQLITE: str(folder / "plain.db")}.get(store.name) or store.values["URL"]
    server = Server(partial(_uvicorn, "benchmarks.operation.plain_counter"), folder, {PLAIN_STORE: place})
    return Target(f"{PLAIN}, {store.name}", "", store.name, running.enter_context(server))


def _start_host(engine: str, wasm: bytes, store: Store, folder: Path, running: ExitStack) -> Target:
    module = folder / "counter.wasm"
    module.write_bytes(wasm)
    actor = Actor.from_bytes(wasm).public_key
    name = f"{engine}, {store.name}"

    def command(port: int) -> list[str]:
        manifest = folder / "manifest.json"
        manifest.write_text(json.dumps(_manifest(module, actor, store, port)))
        return host_command(manifest, engine)

    return Target(name, engine, store.name, running.enter_context(Server(command, folder)))


def _manifest(module: Path, actor: str, store: Store, port: int) -> dict[str, object]:
    return {
        "actors": [str(module)],
        "capabilities": [{"path": CAPABILITY_SERVER}, {"path": store.provider}],
        "bindings": [
            {"actor": actor, "capability": KEY_VALUE, "values": store.values},
            {"actor": actor, "capability": CAPABILITY_SERVER, "values": {"HOST": HOST, "PORT": str(port)}},
        ],
    }

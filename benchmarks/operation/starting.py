"""How soon a host with many actors serves: `wascc up` with signed copies of the counter.

The time is from its start to the first answer of the actor that is bound last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import httpx

from benchmarks.actor import PATH, counter_wasm
from benchmarks.errors import BenchmarkError
from benchmarks.load_generator import HOST
from benchmarks.processes import Server, host_command
from benchmarks.stores import MEMORY, store_called
from benchmarks.timing import Progress
from host import Actor
from host.codec.http import CAPABILITY_SERVER
from host.codec.keyvalue import CAPABILITY as KEY_VALUE
from wascap import Claims, KeyPair, KeyType, sign

LIMIT_SECONDS = 3.0
"""So soon a host has to serve, with a warm cache of code."""


@dataclass(frozen=True, slots=True)
class StartResult:
    """Seconds from the start of the command until the last of so many `actors` answered, each time; the first start of
    all found no code in the cache."""

    engine: str
    actors: int
    cold_seconds: float
    warm_seconds: tuple[float, ...]


def measure_start(engine: str, actors: int, starts: int, progress: Progress = lambda _: None) -> StartResult:
    """Start a host with so many actors once with an empty cache of code, then so often with what that has left.

    Raises BenchmarkError.
    """
    with TemporaryDirectory(prefix="wascc-bench-") as name:
        folder = Path(name)
        modules = sign_copies(folder, actors)
        seconds = []
        for number in range(starts + 1):
            seconds.append(_start(engine, modules, folder))
            progress((number + 1) / (starts + 1))
        return StartResult(engine, actors, seconds[0], tuple(seconds[1:]))


def sign_copies(folder: Path, count: int) -> Mapping[str, Path]:
    """The counter, signed for so many actors: the file of each by its public key."""
    wasm = counter_wasm()
    account = KeyPair.generate(KeyType.ACCOUNT)
    metadata = Actor.from_bytes(wasm).claims.metadata
    modules = {}
    for number in range(count):
        key = KeyPair.generate(KeyType.MODULE).public_key
        modules[key] = path = folder / f"{number}.wasm"
        path.write_bytes(sign(wasm, Claims(issuer=account.public_key, subject=key, metadata=metadata), account))
    return modules


def _start(engine: str, modules: Mapping[str, Path], folder: Path) -> float:
    store = store_called(MEMORY, folder)

    def command(port: int) -> list[str]:
        bindings: list[dict[str, object]] = [{"actor": key, "capability": KEY_VALUE} for key in modules]
        values = {"HOST": HOST, "PORT": str(port)}
        bindings.append({"actor": list(modules)[-1], "capability": CAPABILITY_SERVER, "values": values})
        manifest = {
            "actors": list(map(str, modules.values())),
            "capabilities": [{"path": CAPABILITY_SERVER}, {"path": store.provider}],
            "bindings": bindings,
        }
        path = folder / "manifest.json"
        path.write_text(json.dumps(manifest))
        return host_command(path, engine)

    begin = perf_counter()
    with Server(command, folder, {"XDG_CACHE_HOME": str(folder), "WASCC_CACHE": "on"}) as server:
        server.wait()
        try:
            answer = httpx.get(f"http://{HOST}:{server.port}{PATH}", timeout=30, trust_env=False)
        except httpx.HTTPError as error:
            raise BenchmarkError(f"the host does not answer: {error}; {server.last_error()}") from error
        if answer.status_code != httpx.codes.OK:
            raise BenchmarkError(f"the host answers with status {answer.status_code}; {server.last_error()}")
        return perf_counter() - begin

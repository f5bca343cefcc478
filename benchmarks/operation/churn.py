"""Trouble: requests while modules are exchanged, instances trap, and the store is restarted.

No acknowledged increment may be lost or doubled, no request may hang, and memory may not grow.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.errors import BenchmarkError
from benchmarks.load_generator import HOST
from benchmarks.operation.churn_load import HUNG, Outcome, Task
from benchmarks.operation.guests import churn_actor
from benchmarks.processes import Process, uninterrupted
from benchmarks.stores import REDIS, RedisStore, Store
from benchmarks.timing import Progress
from wascap import KeyPair, KeyType

INSTANCES = 8
REQUEST_SECONDS = 15.0
WARM_UP = 0.25
"""After this part of the requests memory is looked at for the first time."""

MAX_GROWTH = 1.1


@dataclass(frozen=True, slots=True)
class Trouble:
    """How much of it: `requests` to be acknowledged over so many `connections`, live `updates` meanwhile, a trap every
    `trap_seconds`, and so many `restarts` of the store, by SIGKILL."""

    requests: int = 10_000
    connections: int = 64
    updates: int = 20
    trap_seconds: float = 1.0
    restarts: int = 1


@dataclass(frozen=True, slots=True)
class ChurnResult:
    """What came of it on one engine and store. `lost` acknowledged increments are not in the store, `doubled` ones were
    acknowledged twice; `unexplained` ones are in the store without any request that could have made them. `others` are
    the answers that acknowledged nothing, `restarts` how often the store was restarted. Sizes in bytes, None where the
    system does not tell."""

    engine: str
    store: str
    trouble: Trouble
    acknowledged: int
    lost: int
    doubled: int
    unexplained: int
    hung: int
    others: Mapping[str, int]
    traps: int
    replaced: int
    restarts: int
    seconds: float
    p50: float
    p99: float
    resident_warm: int | None
    resident_end: int | None

    @property
    def growth(self) -> float:
        """The memory at the end by that after warming up."""
        return (self.resident_end or 1) / (self.resident_warm or 1)

    @property
    def faults(self) -> tuple[str, ...]:
        """What went wrong, empty if nothing did."""
        found = {
            "lost": self.lost,
            "doubled": self.doubled,
            "unexplained": self.unexplained,
            "hung": self.hung,
            "not acknowledged in time": self.trouble.requests - self.acknowledged,
        }
        texts = [f"{count} {what}" for what, count in found.items() if count > 0]
        if self.growth > MAX_GROWTH:
            texts.append(f"memory grew by {self.growth - 1:.0%}")
        return tuple(texts)


class ChurnHost(Process):
    """The host in a process of its own."""

    def __init__(self, engine: str, store: Store, module: Path, folder: Path) -> None:
        words = [engine, store.provider, json.dumps(store.values), str(INSTANCES), str(module)]
        super().__init__([sys.executable, "-m", "benchmarks.operation.churn_host", *words], folder)
        self.port: int = self._answer()["port"]

    def ask(self, command: str) -> dict[str, Any]:
        """Have it carry out a command. Raises BenchmarkError."""
        if self.popen.stdin is None:
            raise BenchmarkError("the host has no pipes")
        try:
            self.popen.stdin.write(f"{command}\n")
            self.popen.stdin.flush()
        except OSError as error:
            raise BenchmarkError(f"the host has ended: {self.last_error()}") from error
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self.popen.stdout.readline() if self.popen.stdout is not None else ""
        if not line:
            raise BenchmarkError(f"the host has ended: {self.last_error()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchmarkError(f"the host: {answer['error']}")
        return answer


def measure_churn(engine: str, store: Store, trouble: Trouble, progress: Progress = lambda _: None) -> ChurnResult:
    """Make trouble for a host on this engine and store, which is open. Raises BenchmarkError."""
    account, module = KeyPair.generate(KeyType.ACCOUNT), KeyPair.generate(KeyType.MODULE)
    with TemporaryDirectory(prefix="wascc-bench-") as name, ExitStack() as running:
        folder = Path(name)
        versions = []
        for revision in range(trouble.updates + 1):
            path = folder / f"{revision}.wasm"
            path.write_bytes(churn_actor(account, module, revision).wasm)
            versions.append(path)
        with uninterrupted():
            host = running.enter_context(ChurnHost(engine, store, versions[0], folder))
        events = _events(host, store, versions[1:], trouble)
        states: list[dict[str, Any]] = []
        events.append((round(trouble.requests * WARM_UP), lambda: states.append(host.ask("state"))))
        with uninterrupted():
            command = [sys.executable, "-m", "benchmarks.operation.churn_load"]
            load = running.enter_context(Process(command, folder))
        task = Task(host.port, trouble.requests, trouble.connections, trouble.trap_seconds, REQUEST_SECONDS, 600.0)
        outcome = _run(load, task, sorted(events, key=lambda event: event[0]), progress)
        states.append(host.ask("state"))
        return _result(engine, store, trouble, outcome, states, _total(host.port))


def _events(
    host: ChurnHost, store: Store, versions: list[Path], trouble: Trouble
) -> list[tuple[int, Callable[[], object]]]:
    """What is to happen after how many acknowledged requests."""
    events: list[tuple[int, Callable[[], object]]] = []
    for number, path in enumerate(versions, 1):
        at = round(trouble.requests * number / (len(versions) + 1))
        events.append((at, lambda path=path: host.ask(f"update {path}")))  # type: ignore[misc]
    if isinstance(store, RedisStore):
        for number in range(1, trouble.restarts + 1):
            events.append((round(trouble.requests * number / (trouble.restarts + 1)), store.restart))
    return events


def _run(load: Process, task: Task, events: list[tuple[int, Callable[[], object]]], progress: Progress) -> Outcome:
    """Have the clients work, and make each event happen when it is due."""
    if load.popen.stdin is None or load.popen.stdout is None:
        raise BenchmarkError("the clients have no pipes")
    load.popen.stdin.write(json.dumps(asdict(task)) + "\n")
    load.popen.stdin.flush()
    while line := load.popen.stdout.readline():
        if line.startswith("{"):
            return Outcome(**json.loads(line))
        acknowledged = int(line)
        progress(acknowledged / task.requests)
        while events and events[0][0] <= acknowledged:
            events.pop(0)[1]()
    raise BenchmarkError(f"the clients have ended: {load.last_error()}")


def _total(port: int) -> int:
    """How much has been counted, found by counting once more. Raises BenchmarkError."""
    try:
        answer = httpx.get(f"http://{HOST}:{port}/count", timeout=REQUEST_SECONDS, trust_env=False)
        return int(answer.json()["counter"]) - 1
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise BenchmarkError(f"the host does not answer at the end: {error}") from error


def _result(
    engine: str, store: Store, trouble: Trouble, outcome: Outcome, states: list[dict[str, Any]], total: int
) -> ChurnResult:
    distinct = set(outcome.counters)
    # Whatever was not acknowledged may have been counted: a request without an answer, and each late trap.
    possible = len(outcome.counters) + sum(outcome.others.values()) + outcome.traps
    latencies = sorted(outcome.latencies) or [0.0]
    return ChurnResult(
        engine=engine,
        store=store.name,
        trouble=trouble,
        acknowledged=len(outcome.counters),
        lost=sum(counter > total for counter in distinct),
        doubled=len(outcome.counters) - len(distinct),
        unexplained=max(0, total - possible),
        hung=outcome.others.get(HUNG, 0),
        others=outcome.others,
        traps=outcome.traps,
        replaced=states[-1]["replaced"],
        restarts=trouble.restarts if store.name == REDIS else 0,
        seconds=outcome.seconds,
        p50=latencies[len(latencies) // 2],
        p99=latencies[len(latencies) * 99 // 100],
        resident_warm=states[0]["resident"],
        resident_end=states[-1]["resident"],
    )

"""Calls of a guest that answers with what it gets: `WapcHost.call`, beside the Python SDK of Extism.

Extism calls plugins on the same JIT. Both guests are some hundred bytes of WebAssembly. They are called in a process of
their own, which has loaded nothing else: Extism's calls take longer in one that has.

    python -m benchmarks.operation.calls ENGINES ROUNDS SECONDS

measures there and prints a `Comparison` as JSON; engines have commas between them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import TypeAdapter

from benchmarks.errors import BenchmarkError, check_output
from benchmarks.operation.guests import guest
from benchmarks.processes import Process
from benchmarks.results import Comparison, series
from benchmarks.timing import Effort, Progress, time_all
from wapc import WapcHost

EXTISM = "Extism"
PAYLOAD = bytes(range(64))
OPERATION = "echo"
LIMIT = 2.0
"""At most so many times a call of Extism."""


def measure_echo_apart(engines: Sequence[str], effort: Effort) -> Comparison:
    """What `measure_echo` measures in a new process. Raises BenchmarkError."""
    words = [",".join(engines), str(effort.rounds), str(effort.seconds)]
    command = [sys.executable, "-m", "benchmarks.operation.calls", *words]
    with TemporaryDirectory(prefix="wascc-bench-") as folder, Process(command, Path(folder)) as process:
        answer, _ = process.popen.communicate()
        if process.popen.returncode != 0:
            raise BenchmarkError(f"calls could not be measured: {process.last_error()}")
    return TypeAdapter(Comparison).validate_json(answer)


def measure_echo(engines: Sequence[str], effort: Effort, progress: Progress = lambda _: None) -> Comparison:
    """Seconds for a call of 64 bytes, on these engines and on Extism. Raises BenchmarkError."""
    hosts = {f"WapcHost, {engine}": WapcHost(engine, guest("echo")) for engine in engines}
    calls: dict[str, Callable[[], bytes]] = {
        name: partial(host.call, OPERATION, PAYLOAD) for name, host in hosts.items()
    }
    calls[EXTISM] = _extism()
    try:
        for name, call in calls.items():
            check_output(name, bytes(call()), PAYLOAD)
        timed = time_all(calls, effort, progress)
    finally:
        for host in hosts.values():
            host.close()
    return Comparison("echo of 64 bytes", tuple(series(name, timed[name]) for name in calls))


def _extism() -> Callable[[], bytes]:
    try:
        import extism  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise BenchmarkError("Extism comes with an extra: pip install 'wascc[bench]'") from error
    plugin = extism.Plugin(guest("echo_extism"))
    return partial(plugin.call, OPERATION, PAYLOAD)


def main() -> None:
    """Measure in this process."""
    engines, rounds, seconds = sys.argv[1:4]
    echo = measure_echo(engines.split(","), Effort(int(rounds), float(seconds)))
    print(TypeAdapter(Comparison).dump_json(echo).decode())


if __name__ == "__main__":
    main()

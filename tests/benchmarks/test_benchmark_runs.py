"""Every benchmark, run for real with as few and as short rounds as there can be."""

from __future__ import annotations

import itertools
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from benchmarks.actor import COUNTER, Counters
from benchmarks.bus import AUTHORIZED, BUS, HANDLER, SIGNED, VERIFIED, measure_bus
from benchmarks.calls import measure_calls
from benchmarks.engines import load_engines
from benchmarks.errors import BenchmarkError, WrongOutputError
from benchmarks.load import measure_load
from benchmarks.load_generator import Task
from benchmarks.modules import counter_program, program_of
from benchmarks.processes import Generator, Server, free_port
from benchmarks.results import Phase
from benchmarks.serving import MEMORY, SQLITE, TRIVIAL, effort_for, measure_http
from benchmarks.timing import Effort
from interp.cli import CommandError
from interp.engine import ENGINES, Engine
from interp.errors import Malformed
from tests_support import parse

TINY = Effort(2, 0.02)

ADD_ONE = '(module (func (export "add_one") (param i64) (result i64) (i64.add (local.get 0) (i64.const 1))))'
COMMAND = """(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const {code}))))"""
FOREIGN = '(module (import "env" "launch" (func)))'
FIRST_CALL_DIFFERS = """(module (global $g (mut i32) (i32.const 0))
  (func (export "next") (result i32)
    (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))"""


@pytest.fixture(scope="module")
def engines() -> dict[str, Engine]:
    return load_engines(ENGINES)[0]


@pytest.fixture
def module(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "module.wasm"
        path.write_bytes(parse(text))
        return path

    return write


def test_the_engines_that_are_there_are_loaded_once() -> None:
    found, skipped = load_engines(["reference", "reference", "abacus"])
    assert list(found) == ["reference"]
    (left_out,) = skipped
    assert left_out.what == "engine abacus"
    assert "abacus" in left_out.reason


def test_phases_of_the_counter_actor(engines: dict[str, Engine]) -> None:
    result = measure_load(engines, counter_program(), TINY)
    assert result.size == COUNTER.stat().st_size
    assert result.call == "HandleRequest"
    phases = {load.engine: [series.subject for series in load.phases] for load in result.engines}
    later = ["compile", "instantiate", "first call", "steady call"]
    assert phases["reference"] == ["decode", "validate", *later]
    if "wasmtime" in engines:
        assert phases["wasmtime"] == ["validate", *later]
    for load in result.engines:
        assert all(len(calls) >= 2 for calls in load.calls)
        first, loaded = load.phase("first call"), result.loading().of(load.engine)
        assert first is not None
        assert loaded is not None
        assert first.samples == tuple(calls[0] for calls in load.calls)
        parts = [load.phase(phase.value) for phase in (Phase.COMPILE, Phase.INSTANTIATE)]
        assert loaded.samples == tuple(a + b for a, b in zip(*[part.samples for part in parts if part], strict=True))
        assert result.break_even(load.engine, "reference") is not None


def test_a_file_and_what_to_call_in_it(engines: dict[str, Engine], module: Callable[[str], Path]) -> None:
    program = program_of(module(ADD_ONE), "add_one 41", engines["reference"])
    with program.start(engines["reference"], engines["reference"].compile(program.wasm)) as running:
        assert running.call is not None
        assert running.call() == 42
    result = measure_load(engines, program, TINY)
    assert result.call == "add_one 41"
    assert len(result.comparison(Phase.STEADY_CALL).series) == len(engines)


def test_a_file_of_which_nothing_is_called(engines: dict[str, Engine], module: Callable[[str], Path]) -> None:
    result = measure_load(engines, program_of(module(ADD_ONE), None, engines["reference"]), TINY)
    assert result.call == "nothing"
    assert result.comparison(Phase.INSTANTIATE).series
    assert not result.comparison(Phase.FIRST_CALL).series
    assert result.break_even("wasmtime", "reference") is None


def test_a_file_that_cannot_be_instantiated_is_compiled(
    engines: dict[str, Engine], module: Callable[[str], Path]
) -> None:
    result = measure_load(engines, program_of(module(FOREIGN), None, engines["reference"]), TINY)
    assert result.call.startswith("nothing: ")
    assert "env.launch" in result.call
    assert result.comparison(Phase.COMPILE).series
    assert not result.comparison(Phase.INSTANTIATE).series
    with pytest.raises(CommandError, match=r"env\.launch"):
        program_of(module(FOREIGN), "launch", engines["reference"])


def test_a_wasi_command_runs_once_in_each_instance(engines: dict[str, Engine], module: Callable[[str], Path]) -> None:
    result = measure_load(engines, program_of(module(COMMAND.format(code=0)), "_start", engines["reference"]), TINY)
    assert all(len(calls) == 1 for load in result.engines for calls in load.calls)
    assert not result.comparison(Phase.STEADY_CALL).series
    failing = program_of(module(COMMAND.format(code=3)), "_start", engines["reference"])
    with pytest.raises(BenchmarkError, match="exited with code 3"):
        measure_load(engines, failing, TINY)


def test_another_guest_is_asked_for_its_health(engines: dict[str, Engine]) -> None:
    result = measure_load(engines, program_of(COUNTER, None, engines["reference"]), TINY)
    assert (result.module, result.call) == (str(COUNTER), "HealthRequest")


def test_files_that_are_no_modules_are_refused(tmp_path: Path, engines: dict[str, Engine]) -> None:
    reference = engines["reference"]
    with pytest.raises(FileNotFoundError):
        program_of(tmp_path / "missing.wasm", None, reference)
    (tmp_path / "text.wasm").write_text("hello")
    with pytest.raises(Malformed):
        program_of(tmp_path / "text.wasm", None, reference)
    with pytest.raises(BenchmarkError, match="words"):
        program_of(COUNTER, '"open', reference)


def test_engines_that_disagree_are_not_timed(engines: dict[str, Engine], module: Callable[[str], Path]) -> None:
    program = program_of(module(FIRST_CALL_DIFFERS), "next", engines["reference"])
    shared = program.start(engines["reference"], engines["reference"].compile(program.wasm))

    class OneInstance:
        name, wasm, call, startable = program.name, program.wasm, program.call, True

        def start(self, engine: Engine, module: object) -> object:
            return shared

    two = {"reference": engines["reference"], "again": engines["reference"]}
    with pytest.raises(WrongOutputError, match=r"on again: expected '1', got '[2-9]"):
        measure_load(two, OneInstance(), TINY)  # type: ignore[arg-type]


def test_calls_of_the_counter_actor(engines: dict[str, Engine]) -> None:
    result = measure_calls(engines, TINY)
    assert [operation.operation for operation in result.operations] == ["HandleRequest", "HealthRequest"]
    for operation in result.operations:
        assert [series.subject for series in operation.series] == list(engines)
        assert all(len(series.samples) == 2 and min(series.samples) > 0 for series in operation.series)


def test_an_actor_that_counts_wrong_is_not_timed() -> None:
    counters = Counters()
    counters("default", "wascc:keyvalue", "Add", b"\x82\xa3key\xa6:bench\xa5value\x02")
    answer = b"\x84\xaastatusCode\xcc\xc8\xa6status\xa2OK\xa6header\x80\xa4body\xc4\x0d" + b'{"counter":2}'
    with pytest.raises(WrongOutputError, match="counter"):
        counters.check(answer)
    with pytest.raises(BenchmarkError, match="Get on wascc:keyvalue"):
        counters("default", "wascc:keyvalue", "Get", b"")


def test_ways_to_a_provider() -> None:
    result = measure_bus(TINY)
    ways = [HANDLER, BUS, AUTHORIZED, SIGNED, VERIFIED]
    assert [series.subject for series in result.calls.series] == ways
    medians = {series.subject: series.estimate.median for series in result.calls.series}
    assert all(median > 0 for median in medians.values())


def test_requests_over_http(engines: dict[str, Engine]) -> None:
    fast = list(engines)[-1]
    result = measure_http([fast], Effort(1, 0.4), connections=(1, 3), stores=(MEMORY, SQLITE))
    servers = [TRIVIAL, f"{fast}, {MEMORY}", f"{fast}, {SQLITE}"]
    assert [(case.server, case.connections) for case in result.cases] == [(s, n) for s in servers for n in (1, 3)]
    for case in result.cases:
        (window,) = case.windows
        assert window.latencies
        assert case.rate().median == len(window.latencies) / window.seconds
        assert 0 < case.latency(0.5).median <= case.latency(0.99).median
        assert 0 <= case.generator_share().median <= 1.5


def test_windows_are_long_enough_or_there_are_fewer_of_them() -> None:
    assert effort_for(Effort(15, 45.0), 10) == Effort(9, 45.0)
    assert effort_for(Effort(15, 4.0), 10) == Effort(3, 4.0)
    assert effort_for(Effort(2, 400.0), 10) == Effort(2, 400.0)


@contextmanager
def serving(reply: Callable[[int], bytes]) -> Iterator[int]:
    """A server on a port of this machine that sends `reply(number of the request)`, empty to close the connection."""
    numbers = itertools.count(1)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                while self.rfile.readline():
                    while self.rfile.readline().strip():
                        pass
                    answer = reply(next(numbers))
                    if not answer:
                        return
                    # In pieces, as a network may bring it.
                    for start in range(0, len(answer), len(answer) // 3 + 1):
                        self.wfile.write(answer[start : start + len(answer) // 3 + 1])

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generator]:
    with Generator(tmp_path_factory.mktemp("generator")) as started:
        yield started


def answer(body: bytes, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body) if length is None else length, body)


def test_the_generator_counts_every_answer(generator: Generator) -> None:
    asked: list[int] = []

    def reply(number: int) -> bytes:
        asked.append(number)
        return answer(b"%d" % number)

    with serving(reply) as port:
        outcome = generator.run(Task(port, "/", "[0-9]+", 2, 0.1))
    assert outcome.answers == len(asked)
    assert 0 < len(outcome.latencies) < outcome.answers
    assert all(latency > 0 for latency in outcome.latencies)
    assert 0.1 <= outcome.seconds < 5


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer(b"{}"), "answered b'{}'"),
        (answer(b"1", status=b"500 Oops"), "500 Oops"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "200 OK"),
        (b"x" * 70000, "longer than 65536 bytes"),
        (b"", "closed a connection"),
    ],
    ids=["body", "status", "no length", "endless", "closed"],
)
def test_the_generator_refuses_other_answers(generator: Generator, reply: bytes, error: str) -> None:
    with serving(lambda number: reply) as port, pytest.raises(BenchmarkError, match=re.escape(error)):
        generator.run(Task(port, "/", "1", 1, 0.05))


def test_the_generator_says_that_nobody_listens(generator: Generator) -> None:
    with pytest.raises(BenchmarkError, match="no load on port"):
        generator.run(Task(free_port(), "/", "1", 1, 0.05))


def test_a_server_that_ends_is_started_anew_and_given_up(tmp_path: Path) -> None:
    def command(port: int) -> list[str]:
        return ["sh", "-c", f"echo {port} >> ports; echo no luck >&2; exit 3"]

    with Server(command, tmp_path) as server, pytest.raises(BenchmarkError, match="no luck"):
        server.wait()
    assert len((tmp_path / "ports").read_text().split()) == 3
    with pytest.raises(BenchmarkError, match="cannot start"):
        Server(lambda port: ["/no/such/program"], tmp_path)

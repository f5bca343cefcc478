"""What a worker answers: a subject loads programs, runs them and says how long that took.

Every request is an object with `do`, the name of a method here. Wherever the subject fails, the answer has its reason
as `error`.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from time import perf_counter
from typing import Any

from benchmarks.errors import BenchmarkError, check_output
from benchmarks.resident import forget_peak, peak_bytes, resident_bytes
from benchmarks.subjects.base import Subject
from benchmarks.subjects.program import Program, answer_text
from benchmarks.timing import loops_for, time_once


def answer_requests(factory: str, import_seconds: float, failure: Exception | None) -> None:
    """Answer requests from stdin until there are none; with a `failure`, each with that. The first one creates the
    subject, with its `options`."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a subject prints is no answer
    worker: Worker | None = None
    for line in sys.stdin:
        try:
            if failure is not None:
                raise failure
            request = json.loads(line)
            options = request.pop("options")
            if worker is None:
                worker = Worker(factory, options, import_seconds)
            answer = worker.answer(request.pop("do"), request)
        except Exception as error:  # it is told to who asked
            answer = {"error": _reason(error)}
        print(json.dumps(answer), file=answers, flush=True)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, BenchmarkError) else ": ".join(filter(None, [type(error).__name__, text]))


class Worker:
    """A subject, the program that is prepared for it, and those that it has open."""

    def __init__(self, factory: str, options: dict[str, Any], import_seconds: float) -> None:
        module, _, name = factory.partition(":")
        create = getattr(import_module(module), name)
        begin = perf_counter()
        self._subject: Subject = create(**options)
        self._import_seconds = import_seconds + perf_counter() - begin
        self._program: Program | None = None
        self._open: dict[str, Callable[[], object]] = {}
        requests = (self.ready, self.prepare, self.open, self.calibrate, self.time, self.collect, self.start)
        self._requests: dict[str, Callable[..., dict[str, Any]]] = {each.__name__: each for each in requests}

    def answer(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request. Raises BenchmarkError, and whatever the subject raises."""
        return self._requests[name](**arguments)

    def ready(self) -> dict[str, Any]:
        """How many `seconds` it took until the subject was imported and ready for a module."""
        return {"seconds": self._import_seconds}

    def prepare(self, program: dict[str, Any]) -> dict[str, Any]:
        """Take a program in, without doing anything with it."""
        self._program = Program.from_json(program)
        if self._program.guest is not None:
            import_module("benchmarks.subjects.guest")
        return self.collect()

    def open(self, name: str) -> dict[str, Any]:
        """Load the program, call it once, check the answer, and keep it under a name. `seconds` are of the call."""
        program = self._prepared()
        call = self._instance(program, self._subject.compile(program))
        if call is None:
            raise BenchmarkError("nothing is called in this program")
        begin = perf_counter()
        value = call()
        seconds = perf_counter() - begin
        _check(program, [value])
        self._open[name] = call
        return {"seconds": seconds}

    def calibrate(self, name: str, seconds: float) -> dict[str, Any]:
        """How many `loops` of calls take about so long."""
        return {"loops": loops_for(self._open[name], seconds)}

    def time(self, name: str, loops: int) -> dict[str, Any]:
        """The `seconds` of one call, the mean of so many."""
        return {"seconds": time_once(self._open[name], loops)}

    def collect(self) -> dict[str, Any]:
        """Collect garbage, which nobody is timed for."""
        gc.collect()
        return {}

    def start(self, calls: int) -> dict[str, Any]:
        """Load the program and call it for the first times: at most so many, and no longer than is worth it."""
        program = self._prepared()
        most = calls if program.most_calls is None else min(calls, program.most_calls)
        values: list[object] = []
        times: list[float] = []
        forget_peak()
        resident = resident_bytes()
        begin = perf_counter()
        module = self._subject.compile(program)
        compiled = perf_counter()
        call = self._instance(program, module)
        instantiated = last = perf_counter()
        while call is not None and len(values) < most and (not values or last - instantiated < program.patience):
            values.append(call())
            now = perf_counter()
            times.append(now - last)
            last = now
        peak = peak_bytes()
        _check(program, values)
        return {
            "compile_seconds": compiled - begin,
            "instantiate_seconds": instantiated - compiled,
            "call_seconds": times,
            "resident_bytes": resident,
            "peak_bytes": peak,
        }

    def _prepared(self) -> Program:
        if self._program is None:
            raise BenchmarkError("no program was prepared")
        return self._program

    def _instance(self, program: Program, module: object) -> Callable[[], object] | None:
        """What calls a new instance, None if nothing is called in it."""
        if program.guest is not None:
            # Not at the top: it brings waPC in, which only guests need.
            from benchmarks.subjects.guest import ReplayedHost  # noqa: PLC0415

            host = ReplayedHost(program.guest)
            return host.attach(self._subject.instantiate(module, host.functions))
        loaded = self._subject.instantiate(module, {})
        return partial(loaded.function(program.export), *program.args) if program.export else None


def _check(program: Program, values: list[object]) -> None:
    """Raises WrongOutputError where a call did not give what it must."""
    for index, value in enumerate(values):
        expected = program.answer(index)
        if expected is not None:
            check_output(f"call {index + 1} of {program.name}", answer_text(value), expected)

"""The same results whatever the code counts and relies on: with limits and without, where there are no views of memory
(as on a big-endian host), under `python -O`, and in several threads. By the kernels, whose results are known.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from compiled_support import engine_of, store_of

from benchmarks.kernels import KERNELS, Kernel
from interp.compiled import any_address
from interp.compiled.machine import CompiledMachine
from interp.compiled.python_code import Options
from interp.engine import Limits
from tests_support import parse

ROOT = Path(__file__).parents[2]
OPTIONS = tuple(asdict(Options()))
LIMITS = Limits(fuel=10**9, deadline_seconds=1000, max_call_depth=500)


def module_of(kernel: Kernel) -> Any:
    """The module of a kernel, new each time, so that it is translated anew."""
    return engine_of("compiled").compile(kernel.wasm())


def run(kernel: Kernel, limits: Limits, **options: bool) -> Any:
    """What a kernel gives."""
    store = store_of("compiled", limits, **options)
    func: Any = store.instantiate(module_of(kernel), []).exports["run"]
    return func(kernel.short_argument)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_kernels(kernel: Kernel) -> None:
    wanted = kernel.expected(kernel.short_argument)
    assert run(kernel, Limits()) == wanted
    assert run(kernel, LIMITS) == wanted
    assert run(kernel, Limits(), views=False, whole=True) == wanted
    assert run(kernel, LIMITS, views=False) == wanted


def test_options_follow_from_limits() -> None:
    machines = [
        store_of("compiled", limits).runner
        for limits in (Limits(), Limits(fuel=1), Limits(deadline_seconds=1.0), Limits(max_call_depth=10))
    ]
    found = [machine.options for machine in machines if isinstance(machine, CompiledMachine)]
    assert [(o.fuel, o.time, o.depth) for o in found] == [
        (False, False, False),
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_views_are_used_where_there_are_such() -> None:
    store = store_of("compiled")
    exports: Any = store.instantiate(module_of(KERNELS[-1]), []).exports
    assert isinstance(store.runner, CompiledMachine)
    options = store.runner.options_of(exports["run"].inst.module)
    expected = sys.byteorder == "little" and sys.implementation.name == "cpython"
    assert options.views == any_address.available() == expected


def test_each_choice_of_options_has_a_key_of_its_own() -> None:
    keys = [
        Options(**dict.fromkeys(names, True)).key
        for n in range(len(OPTIONS) + 1)
        for names in combinations(OPTIONS, n)
        if "views" in names
    ]
    keys += [Options(views=False).key]
    assert len(keys) == len(set(keys)) == 2 ** (len(OPTIONS) - 1) + 1


def test_one_module_in_stores_with_different_limits() -> None:
    """Code is shared by instances, but not by those that count different things."""
    kernel = KERNELS[0]
    module, wanted = module_of(kernel), kernel.expected(kernel.short_argument)
    exports: list[Any] = []
    for limits in (Limits(), LIMITS, Limits(fuel=10**6), Limits(), Limits(max_call_depth=100)):
        exports.append(store_of("compiled", limits).instantiate(module, []).exports)
        for each in exports:
            assert each["run"](kernel.short_argument) == wanted


def test_one_module_in_several_threads() -> None:
    kernel, found = KERNELS[0], []
    module, wanted = module_of(kernel), kernel.expected(kernel.argument)

    def work(limits: Limits) -> None:
        func: Any = store_of("compiled", limits).instantiate(module, []).exports["run"]
        found.extend([func(kernel.argument) for _ in range(3)])

    threads = [Thread(target=work, args=(limits,)) for limits in (Limits(), Limits(), LIMITS, LIMITS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 12
    assert sys.getrecursionlimit() < 10_000


SCRIPT = """
import sys
from benchmarks.kernels import KERNELS
from interp.engine import Limits
from interp.engines.compiled import create
from interp.errors import WasmError
from interp.syntax.types import I32, FuncType

def show(function, *args):
    try:
        print(function(*args))
    except (WasmError, TypeError, ValueError) as error:
        print(type(error).__name__, error)

engine = create(cache=False)
for kernel in KERNELS:
    for limits in (Limits(), Limits(fuel=10**9, max_call_depth=500)):
        instance = engine.store(limits).instantiate(engine.compile(kernel.wasm()), [])
        show(instance.exports["run"], kernel.short_argument)

store = engine.store(Limits(fuel=1000, max_call_depth=20))
host = store.func_alloc(FuncType((I32,), (I32,)), lambda n: "no number" if n else 0)
with open(sys.argv[1], "rb") as file:
    exports = store.instantiate(engine.compile(file.read()), [host]).exports
for name, function in exports.items():
    for n in (0, 1, 2, 3, -1, 70000, 1 << 40, None):
        show(function, n)
head = bytes.fromhex("0061736d01000000")
for wasm in ("", "01ff", "0105016000017f030201000a040102000b"):
    show(lambda: type(engine.compile(head + bytes.fromhex(wasm))).__name__)
print(sys.flags.optimize, file=sys.stderr)
"""

TRAPPING = """(module (import "h" "f" (func $h (param i32) (result i32)))
  (type $p (func (param i32) (result i32))) (memory 1) (table funcref (elem $v $div)) (tag $e (param i32))
  (type $s (struct (field i32)))
  (func $v (export "nothing") (param i32))
  (func $div (export "div") (type $p) (i32.div_s (i32.const 0x80000000) (local.get 0)))
  (func (export "load") (type $p) (i32.load (local.get 0)))
  (func (export "store") (type $p) (i64.store (local.get 0) (i64.const 1)) (i32.const 1))
  (func (export "indirect") (type $p) (call_indirect (type $p) (i32.const 5) (local.get 0)))
  (func (export "trunc") (type $p) (i32.trunc_f64_u (f64.mul (f64.convert_i32_s (local.get 0)) (f64.const 1e8))))
  (func (export "null") (type $p) (struct.get $s 0 (select (result (ref null $s)) (ref.null $s)
    (struct.new $s (i32.const 4)) (local.get 0))))
  (func (export "throw") (type $p) (throw $e (local.get 0)))
  (func $deep (export "deep") (type $p) (if (result i32) (local.get 0) (then
    (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
  (func (export "loop") (type $p) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0))
  (func (export "host") (type $p) (call $h (local.get 0)))
  (func (export "fill") (type $p) (memory.fill (local.get 0) (i32.const 1) (local.get 0)) (i32.const 0))
  (func (export "unreachable") (type $p) unreachable))"""


SHOWN = (
    "integer overflow", "integer divide by zero", "undefined element", "indirect call type mismatch", "null structure",
    "call stack", "fuel", "unhandled exception", "unreachable", "out of bounds", "TypeError", "Malformed", "Invalid",
)  # fmt: skip


def test_without_assertions(tmp_path: Path) -> None:
    path = tmp_path / "trapping.wasm"
    path.write_bytes(parse(TRAPPING))
    shown = {}
    for flags in ((), ("-O",), ("-OO",)):
        done = subprocess.run(
            [sys.executable, *flags, "-", str(path)],
            input=SCRIPT,
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
            timeout=100,
        )
        assert done.stderr.split() == [str(len("".join(flags)) - 1 if flags else 0)], done.stderr
        shown[flags] = done.stdout
    assert len(set(shown.values())) == 1
    assert shown[()].splitlines()[::2][: len(KERNELS)] == [str(k.expected(k.short_argument)) for k in KERNELS]
    for text in SHOWN:
        assert text in shown[()], text

"""The kernels: right on every engine, as long as they should be, what their sources give, and still to the point."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.engines import load_engines
from benchmarks.errors import BenchmarkError
from benchmarks.execution import load_kernel
from benchmarks.interpreters import MACHINE
from benchmarks.kernels import FOLDER, KERNELS, PROGRAMS, RUN, Kernel
from benchmarks.kernels import build as building
from benchmarks.machine import count_instructions
from interp.binary.modules import decode
from interp.engine import ENGINES, load_engine
from interp.errors import Trap
from interp.syntax.row import Expr

MODULES = (*KERNELS, *PROGRAMS)
each_module = pytest.mark.parametrize("kernel", MODULES, ids=lambda kernel: kernel.name)
each_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="the extra 'examples' is not installed"
)


@each_module
def test_kernels_need_no_more_than_they_say_and_give_what_python_gives(kernel: Kernel) -> None:
    names = [MACHINE, *(["wasmtime"] if "wasmtime" in load_engines(ENGINES)[0] else [])]
    wasm = kernel.wasm()
    functions = {name: load_kernel(load_engine(name, kernel.needs), wasm) for name in names}
    # The last are less than those before: what an instance has done must not matter to what it does next.
    for argument in (1, 2, 3, 10, kernel.argument, kernel.long_argument, 4, kernel.short_argument):
        for name, function in functions.items():
            if name != MACHINE or argument not in {kernel.argument, kernel.long_argument}:
                assert function(argument) == kernel.expected(argument), (name, argument)


@each_kernel
def test_kernels_are_about_as_long_as_they_should_be(kernel: Kernel) -> None:
    wasm = kernel.wasm()
    assert 5_000 <= count_instructions(wasm, kernel.short_argument) <= 20_000
    assert 70_000 <= count_instructions(wasm, kernel.argument) <= 120_000
    assert kernel.long_argument > kernel.argument


@each_module
def test_kernels_import_nothing_and_export_their_function_and_memory(kernel: Kernel) -> None:
    module = load_engine(MACHINE, kernel.needs).compile(kernel.wasm())
    assert module.imports == ()
    assert {export.name for export in module.exports} == {RUN, "memory"}


@pytest.mark.parametrize("name", ["sieve", "sha512", "dot"])
def test_a_kernel_traps_when_its_memory_does_not_suffice(name: str) -> None:
    (kernel,) = (kernel for kernel in KERNELS if kernel.name == name)
    with pytest.raises(Trap, match="unreachable"):
        load_kernel(load_engine(MACHINE), kernel.wasm())(2**21)


def test_each_kernel_has_a_name_a_source_and_a_module_of_its_own() -> None:
    assert set(Counter(kernel.name for kernel in MODULES).values()) == {1}
    assert sorted(FOLDER.iterdir()) == sorted(kernel.path for kernel in MODULES)
    written = {file for kernel in MODULES for file in building.sources(kernel.name)}
    assert written == set(building.SOURCE.rglob("*.c"))


def test_most_kernels_are_of_version_1() -> None:
    assert [kernel.name for kernel in KERNELS if kernel.needs == "bulk-memory"] == ["bulk"]
    assert [kernel.name for kernel in KERNELS if kernel.needs == "simd"] == ["dot", "count", "julia"]
    assert sum(kernel.needs == "1.0" for kernel in KERNELS) >= 14


STRESSED = {
    "fib": {"call"},
    "tak": {"call"},
    "dispatch": {"call_indirect", "i32.popcnt", "i32.clz", "i32.rotl", "select"},
    "interpreter": {"br_table", "i32.rem_u", "i32.load8_u"},
    "collatz": {"i64.mul", "i64.shr_u"},
    "xorshift": {"i64.xor", "i64.shl", "i64.mul"},
    "gcd": {"i64.rem_u"},
    "crc32": {"i32.load8_u", "i32.shr_u", "i32.xor"},
    "murmur": {"i32.rotl", "i32.mul", "i32.load"},
    "sha256": {"i32.rotl", "i32.load", "i32.xor"},
    "sha512": {"i64.rotl", "i64.load", "i64.xor"},
    "sieve": {"i32.load8_u", "i32.store8"},
    "copy": {"i32.load8_u", "i32.store8"},
    "bulk": {"memory.copy", "memory.fill"},
    "quicksort": {"call", "i32.load", "i32.store", "i32.lt_s"},
    "hashtable": {"i32.load", "i32.store", "i32.mul"},
    "trees": {"call", "memory.grow", "global.get"},
    "levenshtein": {"i32.load16_u", "i32.store16", "i32.load8_u", "select"},
    "matrix": {"f32.mul", "f32.add", "f32.load", "f64.promote_f32"},
    "nbody": {"f64.sqrt", "f64.div", "f64.load", "f64.store"},
    "mandelbrot": {"f64.mul", "f64.gt"},
    "dot": {"v128.load", "i32x4.dot_i16x8_s", "i32x4.add"},
    "count": {"v128.load", "i8x16.ne", "i8x16.bitmask"},
    "julia": {"f32x4.mul", "f32x4.le", "v128.any_true"},
    "deflate": {"call", "memory.grow", "br_table", "i32.load16_u", "i32.store8"},
}


def mnemonics(expr: Expr) -> set[str]:
    found = {instr.op.mnemonic for instr in expr}
    return found.union(*(mnemonics(body) for instr in expr for body in instr.bodies))


@each_module
def test_the_compiler_leaves_in_a_kernel_what_it_is_there_for(kernel: Kernel) -> None:
    found = set().union(*(mnemonics(func.body) for func in decode(kernel.wasm()).funcs))
    assert STRESSED[kernel.name] <= found


def test_a_kernel_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"the kernel nothing cannot be read: .*nothing\.wasm"):
        Kernel("nothing", 1, 1, lambda n: n).wasm()


@needs_compiler
@each_module
def test_modules_are_what_their_sources_give(kernel: Kernel) -> None:
    building.check(kernel)


@needs_compiler
def test_a_module_that_is_not_what_its_source_gives_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fib, *_ = KERNELS
    monkeypatch.setattr("benchmarks.kernels.FOLDER", tmp_path)
    monkeypatch.setattr("sys.argv", ["build.py", "--check"])
    assert building.main() == 1
    with pytest.raises(building.BuildError, match=r"fib\.wasm: there is no such file"):
        building.check(fib)
    fib.path.write_bytes(b"\0asm")
    with pytest.raises(building.BuildError, match=r"fib\.wasm is not what its source gives"):
        building.check(fib)


@needs_compiler
def test_a_source_that_is_wrong_is_reported(tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text("int run(int n) { return m; }")
    with pytest.raises(building.BuildError, match=r"bad\.c:1:25: error: use of undeclared identifier 'm'"):
        building.link("bad.wasm", [tmp_path / "bad.c"], ["-O2"])


def test_a_missing_compiler_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(building.BuildError, match=r"pip install 'wascc\[examples\]'"):
        building.build(KERNELS[0])

"""Code kept on disk: it is found again, gives the same, and whatever happens to the files, nothing else than that."""

from __future__ import annotations

import gc
import json
import linecache
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.kernels import KERNELS, Kernel
from interp.compiled import cache, units, version
from interp.compiled.cache import PENDING, Cache, ModuleShelf
from interp.compiled.cache_folder import FOLDER_VARIABLE, NAME
from interp.compiled.machine import UNITS
from interp.engine import Limits
from interp.engines import compiled
from interp.engines.compiled import CACHE_VARIABLE, LAZY_VARIABLE, CompiledEngine
from interp.engines.embedding import PureModule
from interp.errors import Exhaustion, Malformed, Rejected, Trap, TrapKind
from interp.syntax.features import VERSION_2, VERSION_3
from tests_support import parse

ROOT = Path(__file__).parents[2]

FACTORIAL = """
(module
  (memory 1)
  (func $times (param i32 i32) (result i32) (i32.mul (local.get 0) (local.get 1)))
  (func $factorial (export "factorial") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (call $times (local.get 0) (call $factorial (i32.sub (local.get 0) (i32.const 1)))))
      (else (i32.const 1))))
  (func (export "other") (param i32) (result i32) (i32.add (local.get 0) (i32.const 3)))
  (func (export "load") (param i32) (result i32)
    (i32.load (i32.add (local.get 0) (i32.const 1)))))
"""
FUNCTIONS = 2
"""How many are translated when `factorial` is called."""


@pytest.fixture(autouse=True)
def _fixed_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may edit the sources while tests run; and what other tests left does not wait here."""
    PENDING.shelves.clear()
    monkeypatch.setattr(cache, "engine_version", lambda: b"of tests")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache's folder, which does not exist yet."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.delenv(LAZY_VARIABLE, raising=False)
    return tmp_path / NAME


def load(engine: CompiledEngine, wasm: bytes, limits: Limits | None = None) -> tuple[PureModule, Any]:
    """A module and the exports of its instance."""
    module = engine.compile(wasm)
    return module, engine.store(limits or Limits()).instantiate(module, []).exports


def shelf_of(module: PureModule) -> ModuleShelf:
    """What the cache has of a module."""
    shelf = module.valid.prepared[UNITS].shelf
    assert isinstance(shelf, ModuleShelf)
    return shelf


def run(limits: Limits | None = None) -> tuple[int, int, bool]:
    """The factorial of 5 by a new engine, how many functions the cache had, and whether it knew the module as valid."""
    engine = compiled.create()
    module = engine.compile(parse(FACTORIAL))
    known = shelf_of(module).valid and not shelf_of(module)._validated
    result = engine.store(limits or Limits()).instantiate(module, []).exports["factorial"](5)
    PENDING.write()
    return result, shelf_of(module).hits, known


def files(folder: Path) -> list[Path]:
    """The files of modules."""
    return sorted(folder.glob("*.code"))


# ---- What is found again.


def test_the_second_engine_finds_what_the_first_one_made(folder: Path) -> None:
    assert run() == (120, 0, False)
    assert run() == (120, FUNCTIONS, True)
    assert len(files(folder)) == 1
    assert sorted(path.name for path in folder.iterdir()) == sorted([files(folder)[0].name, "key"])


def test_code_that_is_found_needs_neither_translation_nor_a_body(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run()

    def fail(*_: object) -> None:
        raise AssertionError("translated again")

    monkeypatch.setattr(units, "source_of", fail)
    module, exports = load(compiled.create(), parse(FACTORIAL))
    assert exports["factorial"](5) == 120
    assert all(func._body is func.code for func in module.valid.module.funcs)


def test_what_is_not_found_is_translated_and_added(folder: Path) -> None:
    run()
    _, exports = load(compiled.create(), parse(FACTORIAL))
    assert exports["other"](4) == 7
    PENDING.write()
    module, exports = load(compiled.create(), parse(FACTORIAL))
    assert (exports["factorial"](5), exports["other"](4)) == (120, 7)
    assert shelf_of(module).hits == FUNCTIONS + 1
    assert len(files(folder)) == 1


def test_two_engines_that_write_after_each_other_keep_what_both_made(folder: Path) -> None:
    loaded = [load(compiled.create(), parse(FACTORIAL)) for _ in range(2)]
    PENDING.write()
    assert loaded[0][1]["factorial"](5) == 120
    PENDING.write()
    assert loaded[1][1]["other"](4) == 7
    PENDING.write()
    module, exports = load(compiled.create(), parse(FACTORIAL))
    assert (exports["factorial"](5), exports["other"](4)) == (120, 7)
    assert shelf_of(module).hits == FUNCTIONS + 1


def test_code_that_counts_fuel_is_other_code(folder: Path) -> None:
    run()
    assert run(Limits(fuel=1000)) == (120, 0, True)
    assert run(Limits(fuel=1000)) == (120, FUNCTIONS, True)
    assert run() == (120, FUNCTIONS, True)
    with pytest.raises(Exhaustion):
        run(Limits(fuel=3))


def test_other_features_have_other_files(folder: Path) -> None:
    wasm = parse(FACTORIAL)
    for features in (VERSION_3, VERSION_2):
        module, exports = load(compiled.create(features), wasm)
        assert exports["factorial"](5) == 120
        assert shelf_of(module).hits == 0
        PENDING.write()
    assert len(files(folder)) == 2


def test_another_version_of_the_engine_has_other_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    monkeypatch.setattr(cache, "engine_version", lambda: b"of an engine to come")
    assert run() == (120, 0, False)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_kernels_give_the_same_without_a_cache_and_with_one(folder: Path, kernel: Kernel) -> None:
    results = []
    for engine in (compiled.create(cache=False), compiled.create(), compiled.create()):
        module, exports = load(engine, kernel.wasm())
        results.append(exports["run"](kernel.short_argument))
        PENDING.write()
    assert results == [kernel.expected(kernel.short_argument)] * 3
    assert shelf_of(module).hits > 0


def test_a_trap_in_code_that_was_found_says_where_and_shows_the_source(folder: Path) -> None:
    traps = []
    for _ in range(2):
        module, exports = load(compiled.create(), parse(FACTORIAL))
        with pytest.raises(Trap) as caught:
            exports["load"](1 << 20)
        cause = caught.value.__cause__  # an IndexError, which stands for the trap
        frames = traceback.extract_tb(cause.__traceback__ if cause is not None else None)
        shown = next(frame for frame in frames if frame.filename.startswith("<wasm "))
        traps.append((caught.value.kind, caught.value.backtrace, shown.filename, shown.lineno, shown.line))
        PENDING.write()
    assert shelf_of(module).hits == 1
    assert traps[0] == traps[1]
    assert traps[0][0] is TrapKind.MEMORY_OUT_OF_BOUNDS
    assert "a0I" in str(traps[0][4]) or "m0I" in str(traps[0][4])


def test_source_is_shown_as_long_as_there_is_code_of_it(folder: Path) -> None:
    run()
    loaded = [load(compiled.create(), parse(FACTORIAL)) for _ in range(2)]
    for each in loaded:
        each[1]["factorial"](5)
    filename = shelf_filename(loaded[0][0])
    source = list(linecache.getlines(filename))
    assert source[0].startswith("def f1(")
    linecache.checkcache(filename)
    del loaded[0], each
    gc.collect()
    assert list(linecache.getlines(filename)) == source
    del loaded[0]
    gc.collect()
    assert linecache.getlines(filename) == []


def shelf_filename(module: PureModule) -> str:
    """What the code of function 1 says its file is."""
    units_: units.Units = module.valid.prepared[UNITS]
    return next(unit.code.co_filename for (funcidx, _), unit in units_._units.items() if funcidx == 1)


def test_a_call_that_fails_is_written_too(folder: Path) -> None:
    PENDING._due = 0.0
    _, exports = load(compiled.create(), parse(FACTORIAL))
    with pytest.raises(Trap):
        exports["load"](-9)
    assert len(files(folder)) == 1


def test_writing_happens_after_the_first_call_and_not_again_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(cache, "monotonic", lambda: clock[0])
    PENDING._due = 0.0
    _, exports = load(compiled.create(), parse(FACTORIAL))
    assert not files(folder)
    exports["factorial"](5)
    first = files(folder)[0].read_bytes()
    exports["other"](4)
    assert files(folder)[0].read_bytes() == first
    clock[0] += cache.SECONDS
    exports["factorial"](5)
    assert files(folder)[0].read_bytes() != first
    assert not PENDING.shelves


def test_modules_that_are_never_called_do_not_pile_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MANY", 3)
    PENDING._due = 0.0
    engine = compiled.create()
    for number in range(3):
        assert not files(folder)
        engine.compile(parse(f"(module (memory {number}))"))
    assert len(files(folder)) == 3
    assert not PENDING.shelves


def test_without_a_home_there_is_no_cache(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, cache.log.name)
    monkeypatch.setenv("HOME", "nowhere")
    assert Cache.open(VERSION_3, {}) is None
    assert "no home" in caplog.text


def test_an_error_while_writing_is_none_of_the_call(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RecursionError

    PENDING._due = 0.0
    monkeypatch.setattr(cache, "pack", fail)
    _, exports = load(compiled.create(), parse(FACTORIAL))
    assert exports["factorial"](5) == 120
    assert not files(folder)


# ---- Switches.


def test_off_writes_nothing_and_reads_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "off")
    for engine in (compiled.create(), compiled.create(cache=False)):
        module, exports = load(engine, parse(FACTORIAL))
        assert exports["factorial"](5) == 120
        assert module.valid.prepared[UNITS].shelf is None
    PENDING.write()
    assert not folder.exists()


@pytest.mark.parametrize("word", ["0", "no", "OFF", "disabled"])
def test_a_word_that_is_not_on_is_off(folder: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, word)
    monkeypatch.setenv(LAZY_VARIABLE, word)
    engine = compiled.create()
    assert (engine.cache, engine.lazy) == (None, False)


@pytest.mark.parametrize("word", ["on", "1", "Yes"])
def test_on_is_on(folder: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, word)
    monkeypatch.setenv(LAZY_VARIABLE, word)
    engine = compiled.create()
    assert (type(engine.cache), engine.lazy) == (Cache, True)


# ---- What is not valid.

INVALID_BODY = """
(module
  (global $ran (export "ran") (mut i32) (i32.const 0))
  (func (export "good") (result i32) (i32.const 7))
  (func $bad (export "bad") (result i32) (global.set $ran (i32.const 1)) (i64.const 7))
  (func (export "through") (result i32) (call $bad)))
"""


def malformed_body() -> bytes:
    """The same with a byte in the body of $bad that is no instruction."""
    wasm = parse(INVALID_BODY)
    at = wasm.index(bytes.fromhex("41012400"))  # i32.const 1, global.set 0
    return wasm[:at] + b"\xff" + wasm[at + 1 :]


BAD: dict[str, Callable[[], bytes]] = {"invalid": lambda: parse(INVALID_BODY), "malformed": malformed_body}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_rejected_is_rejected_again(folder: Path, kind: str) -> None:
    for _ in range(3):
        with pytest.raises(Rejected):
            compiled.create().compile(BAD[kind]())
        PENDING.write()
    assert not files(folder)


@pytest.mark.parametrize("kind", BAD)
def test_lazy_validation_rejects_a_body_before_it_runs_each_time(folder: Path, kind: str) -> None:
    for _ in range(2):
        module, exports = load(compiled.create(lazy=True), BAD[kind]())
        assert exports["good"]() == 7
        for name in ("bad", "through", "bad"):
            with pytest.raises(Rejected):
                exports[name]()
        assert exports["ran"].value == 0
        PENDING.write()
        with pytest.raises(Rejected):
            compiled.create().compile(BAD[kind]())
    assert shelf_of(module).hits == 2, "good and through"


def test_lazy_validation_still_rejects_at_once_what_is_no_body(folder: Path) -> None:
    with pytest.raises(Malformed):
        compiled.create(lazy=True).compile(parse(INVALID_BODY)[:-3])
    with pytest.raises(Rejected):
        compiled.create(lazy=True).compile(parse('(module (func $f) (export "f" (func 7)))'))


def test_lazy_code_serves_a_strict_engine_which_validates_the_rest(folder: Path) -> None:
    _, exports = load(compiled.create(lazy=True), parse(FACTORIAL))
    assert exports["factorial"](5) == 120
    PENDING.write()
    assert run() == (120, FUNCTIONS, False)
    assert run() == (120, FUNCTIONS, True)


# ---- Processes.

SCRIPT = """
import json, sys
from interp.engine import Limits
from interp.engines import compiled

engine = compiled.create()
module = engine.compile(bytes.fromhex(sys.argv[1]))
shelf = module.valid.prepared["compiled"].shelf
known = shelf is not None and shelf.valid and not shelf._validated
exports = engine.store().instantiate(module, []).exports
print(json.dumps([exports[name](5) for name in sys.argv[2:]] + [None if shelf is None else shelf.hits, known]))
"""


def start(*names: str, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A process that calls exports with 5 and prints the results, how many functions the cache had, and whether it knew
    the module."""
    command = [sys.executable, *options, "-c", SCRIPT, parse(FACTORIAL).hex(), *names]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> list[Any]:
    """What the process printed, and nothing else."""
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    printed: list[Any] = json.loads(stdout)
    return printed


def test_another_process_finds_code_with_and_without_optimisation(folder: Path) -> None:
    assert result(start("factorial")) == [120, 0, False]
    assert result(start("factorial")) == [120, FUNCTIONS, True]
    assert result(start("factorial", "other", options=("-O",))) == [120, 8, FUNCTIONS, True]
    assert result(start("factorial", "other", options=("-OO",))) == [120, 8, FUNCTIONS + 1, True]


def test_processes_that_write_at_once_do_not_disturb_each_other(folder: Path) -> None:
    for process in [start("factorial") for _ in range(4)]:
        assert result(process)[0] == 120
    assert result(start("factorial")) == [120, FUNCTIONS, True]
    assert sorted(path.suffix for path in folder.iterdir()) == ["", ".code"]


def test_a_process_without_a_cache_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "off")
    assert result(start("factorial")) == [120, None, False]
    assert not folder.exists()


# ---- Versions.


def test_the_version_is_another_when_a_source_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for chapter in version.CHAPTERS:
        (tmp_path / chapter).mkdir()
        (tmp_path / chapter / "a.py").write_text("a = 1\n")
    monkeypatch.setattr(version, "__file__", str(tmp_path / "compiled" / "version.py"))
    monkeypatch.setattr(version, "IMPORTED", version.IMPORTED + 3600)
    found = [version.engine_version.__wrapped__()]
    for chapter in version.CHAPTERS:
        (tmp_path / chapter / "a.py").write_text("a = 2\n")
        found.append(version.engine_version.__wrapped__())
    (tmp_path / "compiled" / "a.py").rename(tmp_path / "compiled" / "b.py")
    found.append(version.engine_version.__wrapped__())
    assert None not in found
    assert len(set(found)) == len(found)


def test_sources_that_changed_after_they_were_imported_have_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "compiled").mkdir()
    monkeypatch.setattr(version, "__file__", str(tmp_path / "compiled" / "version.py"))
    assert version.engine_version.__wrapped__() is None, "there are none"
    (tmp_path / "compiled" / "a.py").write_text("a = 1\n")
    assert version.engine_version.__wrapped__() is None, "younger than this process"

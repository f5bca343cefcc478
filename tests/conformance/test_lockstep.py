"""Lock step: engines agree on generated modules, planted faults are found, and lost processes end only their case."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import interp.engine
from conformance.lockstep import campaign as campaigns
from conformance.lockstep.campaign import Campaign, Worker, run
from conformance.lockstep.canonical import canonicalise, has_relaxed
from conformance.lockstep.cases import Source, make_case
from conformance.lockstep.cli import app
from conformance.lockstep.compare import LIMITS, Lockstep, Schedule, Subject, binaries_of
from conformance.lockstep.encode import encode
from conformance.lockstep.engines import DEFAULT_ENGINES, load
from conformance.lockstep.host import HostFailureError
from conformance.lockstep.pool import Pool, PoolError
from conformance.lockstep.rewriting import rewrite, with_code
from conformance.lockstep.run import Binary, Call, Outcome, Run
from conformance.lockstep.strategy import modules
from conformance.lockstep.suite import script_difference
from interp.binary.modules import decode
from interp.engine import Limits
from interp.engines.embedding import PureEngine, PureModule, PureStore
from interp.execution.values import fbits, inv_fbits
from interp.reference.machine import Machine
from interp.syntax import modules as m
from interp.syntax.instructions import BY_MNEMONIC, Instr
from interp.validation.modules import validate
from tests_support import parse

SEED = 2026
MODULES = 300
ENGINES = DEFAULT_ENGINES


class Faulty(PureEngine):
    """The reference machine with instructions taken for others: mnemonic -> the one that is done instead."""

    def __init__(self, swapped: dict[str, str], more_fuel: int = 0) -> None:
        super().__init__("faulty", Machine)
        self._swapped = {BY_MNEMONIC[wrong]: BY_MNEMONIC[done] for wrong, done in swapped.items()}
        self._more_fuel = more_fuel

    def compile(self, wasm: bytes) -> PureModule:
        def change(_: Instr, new: Instr) -> tuple[Instr]:
            return (Instr(self._swapped.get(new.op, new.op), new.immediates, new.offset),)

        module = decode(wasm)
        funcs = tuple(with_code(func, rewrite(func.body, change)) for func in module.funcs)
        return super().compile(encode(replace(module, funcs=funcs)))

    def store(self, limits: Limits = LIMITS) -> PureStore:
        return super().store(replace(limits, fuel=None if limits.fuel is None else limits.fuel + self._more_fuel))


@cache
def loaded() -> list[Any]:
    """All engines."""
    return [load(name) for name in ENGINES]


def against(engine: Any) -> Lockstep:
    return Lockstep([load("reference"), engine])


def differences(lockstep: Lockstep, tmp_path: Path, cases: int) -> list[str]:
    found = [lockstep.difference(make_case(Source.BOTH, SEED, index, tmp_path)) for index in range(cases)]
    return [str(difference) for difference in found if difference is not None]


def test_all_engines_agree_on_generated_modules(tmp_path: Path) -> None:
    lockstep = Lockstep(loaded())
    for index in range(MODULES):
        difference = lockstep.difference(make_case(Source.BOTH, SEED, index, tmp_path))
        assert difference is None, Campaign(ENGINES, Source.BOTH, SEED).command(index)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(modules(), st.integers(0, 9))
def test_all_engines_agree_on_drawn_modules(module: m.Module, number: int) -> None:
    assert Lockstep(loaded()).difference(Subject(encode(module), f"drawn-{number}")) is None


@pytest.mark.parametrize(
    "swapped",
    [
        {"i32.shr_s": "i32.shr_u"}, {"i64.sub": "i64.add"}, {"i32.load8_s": "i32.load8_u"}, {"i32.eqz": "i32.ctz"},
        {"f64.mul": "f64.div"}, {"br_if": "drop"}, {"memory.grow": "drop"},
    ],
    ids="".join,
)  # fmt: skip
def test_a_planted_fault_is_found(swapped: dict[str, str], tmp_path: Path) -> None:
    engine: PureEngine = Dropping(*swapped) if "drop" in swapped.values() else Faulty(swapped)
    lockstep = against(engine)
    subjects = (make_case(Source.GENERATED, SEED, index, tmp_path) for index in range(400))
    found = (str(lockstep.difference(subject) or "") for subject in subjects)
    # Where a trap came from may differ because the changed code has another length: that does not count.
    assert any(text and " in function " not in text for text in found)


class Dropping(Faulty):
    """Branches that are never taken, memories that never grow."""

    def __init__(self, wrong: str) -> None:
        super().__init__({})
        self._wrong = wrong

    def compile(self, wasm: bytes) -> PureModule:
        minus = Instr(BY_MNEMONIC["i32.const"], (0xFFFFFFFF,), 0)

        def change(_: Instr, new: Instr) -> tuple[Instr, ...]:
            if new.op.mnemonic != self._wrong:
                return (new,)
            drop = Instr(BY_MNEMONIC["drop"], (), 0)
            return (drop,) if new.op.kind == "br_if" else (drop, minus)

        module = decode(wasm)
        if any(mem.type.addrtype.value == "i64" for mem in module.mems):
            return PureEngine.compile(self, wasm)
        funcs = tuple(with_code(func, rewrite(func.body, change)) for func in module.funcs)
        return PureEngine.compile(self, encode(replace(module, funcs=funcs)))


def test_fuel_that_is_counted_otherwise_is_found(tmp_path: Path) -> None:
    for more in (1, -1):
        found = differences(against(Faulty({}, more_fuel=more)), tmp_path, 20)
        assert len(found) > 12
        assert any("fuel exhausted" in text for text in found)


def test_an_engine_that_fails_in_another_way_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Faulty({})
    monkeypatch.setattr(Machine, "invoke", lambda *_: {}["nothing"])
    (found, *_) = differences(against(engine), tmp_path, 3)
    assert "error: KeyError" in found, "though both fail alike"


def case(wat: str, *names: str) -> tuple[bytes, Schedule]:
    return encode(decode(parse(wat))), Schedule(tuple(Call(name, f"test:{k}") for k, name in enumerate(names)))


def compared(lockstep: Lockstep, wat: str, *names: str) -> str:
    wasm, schedule = case(wat, *names)
    found = lockstep.compare(binaries_of(validate(decode(wasm)), wasm, lockstep.engines), schedule)
    return str(found or "")


STATES = """(module
  (memory (export "m") 1 3) (global (export "g") (mut i32) (i32.const 0)) (table (export "t") 1 9 funcref)
  (func $f (export "f") {})
  (elem declare func $f))"""


@pytest.mark.parametrize(
    ("body", "swapped", "what"),
    [
        ("(i32.store8 (i32.const 7) (i32.const 0x0101))", {"i32.store8": "i32.store16"}, "memory 'm' at 0x8"),
        ("(global.set 0 (i32.div_s (i32.const -9) (i32.const 2)))", {"i32.div_s": "i32.div_u"}, "'g'[0]"),
        ("(drop (memory.grow (i32.clz (i32.const 0x7fffffff))))", {"i32.clz": "i32.ctz"}, "size of memory 'm'"),
        ("(drop (table.grow (ref.func 0) (i32.clz (i32.const 0x7fffffff))))", {"i32.clz": "i32.ctz"}, "'t'[0]"),
        ("(if (i32.lt_s (i32.const -1) (i32.const 0)) (then unreachable))", {"i32.lt_s": "i32.lt_u"}, "outcome"),
    ],
)
def test_each_part_of_the_state_is_compared(body: str, swapped: dict[str, str], what: str) -> None:
    found = compared(against(Faulty(swapped)), STATES.format(body), "f", "f")
    assert found.startswith(f"call 0 of 'f': {what}: reference ")
    assert compared(against(Faulty({})), STATES.format(body), "f", "f") == ""


HOSTED = """(module
  (import "host" "{}" (func $h (param i32) (result i32))) (memory (export "m0") 1 2)
  (func (export "f0") (result i32)
    (i32.add (memory.size) (call $h (i32.shr_s (i32.const -9) (i32.const 2))))))"""


@pytest.mark.parametrize("name", ["mix", "grow", "reenter", "fail"])
def test_calls_of_the_host_are_compared(name: str) -> None:
    found = compared(against(Faulty({"i32.shr_s": "i32.shr_u"})), HOSTED.format(name), "f0")
    assert "reference" in found
    for other in ENGINES[1:]:
        assert compared(against(load(other)), HOSTED.format(name), "f0", "f0") == ""


def test_exceptions_of_the_host_come_out_of_every_engine() -> None:
    wasm, _ = case(HOSTED.format("fail").replace("-9", "31"))
    for name in ENGINES:
        run_ = Run(load(name), Binary.of(validate(decode(wasm)), wasm), LIMITS)
        assert run_.instantiate() == Outcome("values")
        assert run_.call(Call("f0", "x")) == Outcome("host exception", "7")
    assert issubclass(HostFailureError, Exception)


NAN = """(module (memory (export "m") 1)
  (func (export "f") (param f32 f64)
    (f32.store (i32.const 0) (f32.sqrt (f32.neg (f32.const nan:0x200001))))
    (f64.store (i32.const 8) (f64.promote_f32 (f32.const -nan:0x200001)))
    (v128.store (i32.const 16) (f32x4.div (v128.const f32x4 0 nan:0x200001 -0 1) (v128.const f32x4 0 0 0 0)))
    (f64.store (i32.const 32) (f64.neg (f64.const nan:0x4000000000001)))))"""


def test_nans_that_engines_may_choose_are_the_same_after_all() -> None:
    wasm, _ = case(NAN)
    valid = validate(decode(wasm))
    changed = encode(canonicalise(valid))
    assert changed != wasm
    memories = []
    for name, binary in (("reference", wasm), ("reference", changed), ("wasmtime", changed)):
        run_ = Run(load(name), Binary.of(valid, binary), replace(LIMITS, fuel=None))
        run_.instantiate()
        assert run_.call(Call("f", "x")).kind == "values"
        memories.append(run_.state().memories["m"])
    assert memories[0] == memories[1] == memories[2]
    assert fbits(64, inv_fbits(64, int.from_bytes(memories[0][32:40], "little"))) == 0xFFF4000000000001
    assert compared(against(load("wasmtime")), NAN, "f") == ""


RELAXED = """(module (func (export "f") (result v128)
  (i8x16.relaxed_swizzle (v128.const i64x2 1 2) (v128.const i64x2 99 3))))"""


def test_modules_that_may_behave_in_more_than_one_way_run_on_pure_engines_only() -> None:
    wasm, _ = case(RELAXED)
    valid = validate(decode(wasm))
    assert has_relaxed(valid.module)
    engines = {name: load(name) for name in ("reference", "wasmtime")}
    assert {name: binary.wasm for name, binary in binaries_of(valid, wasm, engines).items()} == {"reference": wasm}
    assert against(load("wasmtime")).difference(Subject(wasm, "x")) is None


# --- processes


SMALL = Campaign(("reference", "wasmtime"), Source.GENERATED, SEED, modules=12, jobs=2)


def signalling(sign: signal.Signals, pool: Pool[int, Any], after: int) -> list[Any]:
    """Run twelve cases; once `after` are done, send a signal to the process that is about to get the next one."""
    results = []
    for done in pool.run(range(SMALL.modules)):
        results.append(done)
        if len(results) == after:
            os.kill(pool._processes[0].process.pid or 0, sign)
    return results


@pytest.mark.parametrize(
    ("sign", "why"), [(signal.SIGKILL, "the process ended with exit code -9"), (signal.SIGSTOP, "not done after 2 s")]
)
def test_a_lost_process_ends_only_its_case(sign: signal.Signals, why: str) -> None:
    pool: Pool[int, Any] = Pool(partial(Worker, SMALL), 1, 2.0, SMALL.memory)
    results = signalling(sign, pool, 2)
    assert sorted(done.item for done in results) == list(range(SMALL.modules))
    assert [done.lost for done in results if done.lost] == [why]
    assert all(done.result is None for done in results)


def test_a_process_that_cannot_begin_ends_the_run() -> None:
    with pytest.raises(PoolError, match="no engine is called 'none'"):
        run(replace(SMALL, engines=("reference", "none")))


def test_a_lost_case_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    done = SimpleNamespace(item=3, result=None, lost="gone")
    monkeypatch.setattr(campaigns, "Pool", lambda *_: SimpleNamespace(run=lambda _: [done]))
    (finding,) = run(SMALL).findings
    assert finding.summary == f"generated-{SEED}-3: gone"
    assert finding.wasm == make_case(Source.GENERATED, SEED, 3, Path()).wasm
    assert finding.to_json()["lost"] == "gone"


def test_an_interrupt_keeps_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Any) -> Any:
        yield SimpleNamespace(item=0, result=None, lost="gone")
        raise KeyboardInterrupt

    monkeypatch.setattr(campaigns, "Pool", lambda *_: SimpleNamespace(run=interrupted))
    report = run(SMALL)
    assert (report.cases, len(report.findings), report.interrupted, report.ok) == (1, 1, True, False)


# --- the command


def command(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(map(str, arguments)), env={"WASM_TESTSUITE": ""})
    return done.exit_code, done.output


def test_the_command_runs_modules(tmp_path: Path) -> None:
    code, output = command(
        "--modules", 20, "--jobs", 2, "--engines", "reference,wasmtime", "--json", "--output", tmp_path
    )
    assert code == 0, output
    data = json.loads(output)
    assert (data["modules"], data["findings"], data["engines"]) == (20, [], ["reference", "wasmtime"])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine by the name `faulty`."""
    monkeypatch.setitem(interp.engine.ENGINES, "faulty", "")
    create = SimpleNamespace(create=lambda _: Faulty({"i32.shr_s": "i32.shr_u"}))
    imported = interp.engine.import_module
    monkeypatch.setattr(
        interp.engine, "import_module", lambda name: create if name == "interp.engines.faulty" else imported(name)
    )


@pytest.mark.usefixtures("faulty")
def test_the_command_shows_and_saves_a_finding_that_can_be_run_again(tmp_path: Path) -> None:
    subjects = [make_case(Source.GENERATED, SEED, index, tmp_path) for index in range(60)]
    lockstep = against(Faulty({"i32.shr_s": "i32.shr_u"}))
    index = next(k for k, subject in enumerate(subjects) if lockstep.difference(subject) is not None)
    options = ("--source", "generated", "--seed", SEED, "--engines", "reference,faulty")
    code, output = command(*options, "--case", index, "--output", tmp_path / "found")
    assert code == 1
    assert f"--source generated --seed {SEED} --case {index} --engines reference,faulty" in output
    assert "i32.shr_s" in output
    name = f"generated-{SEED}-{index}"
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == [
        f"{name}.json",
        f"{name}.txt",
        f"{name}.wasm",
    ]
    report = (tmp_path / "found" / f"{name}.txt").read_text()
    assert "the first instruction whose effect differs" in report
    assert "(module" in report
    code, output = command(tmp_path / "found" / f"{name}.json")
    assert code == 1
    assert "reference" in output
    code, output = command(*options[:-1], "reference,wasmtime", "--case", index)
    assert (code, output) == (0, f"case {index}: no difference\n")


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    for arguments, text in (
        (("--engines", "reference"), "needs two engines"),
        (("--engines", "reference,none"), "no engine is called 'none'"),
        (("--source", "suite"), "no scripts"),
        ((tmp_path / "none.json",), "none.json"),
    ):
        code, output = command(*arguments)
        assert code == 2
        assert text in output
    (tmp_path / "bad.json").write_text('{"calls": 3}')
    code, output = command(tmp_path / "bad.json")
    assert code == 2
    assert "does not say what to run again" in output


# --- the suite


SCRIPT = """(module (func (export "f") (param i32) (result i32) (i32.shr_s (local.get 0) (i32.const 1))))
(assert_return (invoke "f" (i32.const 8)) (i32.const 4))
(assert_return (invoke "f" (i32.const -8)) (i32.const -4))
(module binary "\\00asm" "\\01\\00\\00\\00")
(assert_malformed (module binary "\\00as") "unexpected end")
(assert_invalid (module (func (result i32))) "type mismatch")"""


def test_scripts_run_in_lock_step(tmp_path: Path) -> None:
    script = tmp_path / "shift.wast"
    script.write_text(SCRIPT)
    engines = loaded()
    assert script_difference(engines, script, tmp_path) is None
    found = script_difference([engines[0], Faulty({"i32.shr_s": "i32.shr_u"})], script, tmp_path)
    assert found is not None
    assert str(found) == "line 3: assert_return: reference i32 0xfffffffc; faulty i32 0x7ffffffc"
    code, output = command("--source", "suite", "--suite", tmp_path, "--engines", "reference,wasmtime", "--jobs", 1)
    assert code == 0, output
    assert "1 scripts (suite) on reference, wasmtime" in output

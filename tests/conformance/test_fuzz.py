"""The fuzzer: its cases can be repeated, its checks find what they are for, and a small campaign finds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from conformance.fuzz import properties
from conformance.fuzz.campaign import Campaign, Runner, _Worker, summary
from conformance.fuzz.cases import CaseKind, make_case, random_of
from conformance.fuzz.cli import app
from conformance.fuzz.corpus import Corpus, CorpusError, load_corpus
from conformance.fuzz.determinism import FORGOTTEN, is_deterministic, without_forgotten
from conformance.fuzz.differences import WASMTIME_REFUSES, WE_REFUSE, known
from conformance.fuzz.findings import MEANINGS, Finding, Symptom
from conformance.fuzz.framing import (
    CODE_SECTION,
    PREAMBLE,
    Section,
    join,
    join_bodies,
    read_uleb,
    split,
    split_bodies,
    uleb,
)
from conformance.fuzz.mutation import BYTE_MUTATIONS, SECTION_MUTATIONS, mutate
from conformance.fuzz.properties import MEGABYTE, Bounds, Checker
from tests_support import parse

SEED = 2026
CASES = 2000
GENEROUS = Bounds(seconds=30.0, bytes=400 * MEGABYTE)
"""The time here says only that a case ends: the machine may be busy with other tests."""


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus(None)


def test_a_small_campaign_finds_nothing(corpus: Corpus) -> None:
    report = Runner(Campaign(SEED, CASES, corpus, jobs=2, bounds=GENEROUS)).run()
    assert not report.findings, "\n".join(
        f"{finding}\n    python -m conformance.fuzz --seed {SEED} --case N, without a suite; bytes {finding.wasm.hex()}"
        for finding in report.findings
    )
    assert report.cases == CASES
    assert set(report.kinds) == {kind.name.lower() for kind in CaseKind}


def test_workers_of_a_large_process_run_many_cases(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peak of the parent's memory is not theirs."""
    large = bytearray(2 * GENEROUS.bytes)
    large[::4096] = b"x" * len(large[::4096])
    started = []
    start = _Worker.start

    def counted(campaign: Campaign) -> _Worker:
        started.append(campaign)
        return start(campaign)

    monkeypatch.setattr(_Worker, "start", counted)
    report = Runner(Campaign(SEED, 30, corpus, jobs=1, bounds=GENEROUS)).run()
    assert report.cases == 30
    assert len(started) == 1
    assert large


def test_cases_follow_from_seed_and_number(corpus: Corpus, tmp_path: Path) -> None:
    cases = [make_case(SEED, index, corpus, tmp_path) for index in range(60)]
    assert cases == [make_case(SEED, index, corpus, tmp_path) for index in range(60)]
    assert {case.kind for case in cases} == set(CaseKind)
    assert cases != [make_case(SEED + 1, index, corpus, tmp_path) for index in range(60)]


def test_most_mutations_change_something_and_keep_some_modules_valid(corpus: Corpus) -> None:
    mutated = [mutate(random_of(SEED, index), corpus) for index in range(500)]
    assert sum(wasm not in corpus.valid for wasm in mutated) > 400
    verdicts = [properties.accept(wasm) for wasm in mutated]
    assert 20 < sum(verdict is None for verdict in verdicts) < 480
    assert len({type(verdict) for verdict in verdicts}) == 3, "valid, malformed and invalid ones"


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=40), st.integers())
def test_a_mutation_of_any_bytes_gives_bytes(data: bytes, other: bytes, seed: int) -> None:
    for mutation in BYTE_MUTATIONS:
        assert isinstance(mutation(random_of(seed, 0), data, other), bytes)
    for change in SECTION_MUTATIONS:
        assert isinstance(change(random_of(seed, 0), [Section(1, data)], split(PREAMBLE + other)), bytes)


@given(st.integers(0, 2**64), st.integers(1, 12))
def test_numbers_are_read_as_they_are_written(value: int, size: int) -> None:
    written = uleb(value, size)
    assert len(written) >= size
    assert read_uleb(b"x" + written + b"y", 1) == (value, 1 + len(written))


def test_modules_are_put_together_as_they_were(corpus: Corpus) -> None:
    for wasm in corpus.valid:
        sections = split(wasm)
        assert join(sections) == wasm
        for section in sections:
            if section.id == CODE_SECTION:
                assert join_bodies(split_bodies(section.contents)) == section.contents


NOTHING = parse("(module)")
LONG_NAME = join(
    [
        Section(1, b"\1\x60\0\0"),
        Section(3, b"\1\0"),
        Section(7, b"\1" + uleb(100_001) + b"n" * 100_001 + b"\0\0"),
        Section(10, b"\1\2\0\x0b"),
    ]
)
"""A name that is longer than Wasmtime allows."""

MANY_LOCALS = join(
    [
        Section(1, b"\1\x60\0\0"),
        Section(3, uleb(101) + bytes(101)),
        Section(10, join_bodies([b"\1\xd0\x86\x03\x7f\x0b"] * 101)),
    ]
)
"""More locals than are allowed here."""

OPEN_NAN = parse(
    '(module (func (export "f") (result f64) '
    "(f64x2.extract_lane 0 (f64x2.promote_low_f32x4 (v128.const i32x4 -1 0 0 0)))))"
)


def test_promotions_are_replaced_where_nans_are_canonical() -> None:
    assert not is_deterministic(OPEN_NAN)
    replaced = without_forgotten(OPEN_NAN)
    assert is_deterministic(replaced)
    assert properties.accept(replaced) is None
    assert without_forgotten(replaced) == replaced
    assert without_forgotten(b"\0asm") == b"\0asm"
    assert {op.mnemonic.partition(".")[2].partition("_")[0] for op in FORGOTTEN} == {"promote", "demote"}


def symptoms(checker: Checker, wasm: bytes) -> set[Symptom]:
    return {finding.symptom for finding in checker.check("test", wasm)}


def test_what_is_fine_is_no_finding() -> None:
    checker = Checker(GENEROUS)
    for wasm in (NOTHING, OPEN_NAN, LONG_NAME, MANY_LOCALS, b"", PREAMBLE + b"\xff"):
        assert symptoms(checker, wasm) == set()


def test_each_symptom_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert symptoms(Checker(Bounds(seconds=1e-9)), NOTHING) == {Symptom.SLOW}
    checker = Checker(GENEROUS)
    with monkeypatch.context() as patch:
        patch.setattr(properties, "WASMTIME_REFUSES", ())
        assert symptoms(checker, LONG_NAME) == {Symptom.ACCEPTED}
    with monkeypatch.context() as patch:
        patch.setattr(properties, "WE_REFUSE", ())
        assert symptoms(checker, MANY_LOCALS) == {Symptom.REFUSED}
    with monkeypatch.context() as patch:
        patch.setattr(properties, "is_deterministic", lambda _: True)
        assert symptoms(checker, OPEN_NAN) == {Symptom.DIFFERENT}
    with monkeypatch.context() as patch:
        patch.setattr(properties, "decode", lambda _: 1 // 0)
        assert symptoms(checker, NOTHING) == {Symptom.EXCEPTION}
    with monkeypatch.context() as patch:
        patch.setattr(properties, "HANG_SECONDS", 0.05)
        patch.setattr(properties, "validate", lambda _: [None for _ in iter(int, 1)])
        assert symptoms(checker, NOTHING) == {Symptom.SLOW}


def test_a_peak_of_memory_is_found_and_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    checker = Checker(Bounds(30.0, 50 * MEGABYTE))
    size = properties.peak_memory() - properties.memory_used()[1] + 60 * MEGABYTE
    monkeypatch.setattr(properties, "validate", lambda _: bytearray(b"x") * size)
    assert symptoms(checker, NOTHING) == {Symptom.MEMORY}
    assert checker.exhausted


def test_memory_beyond_all_bounds_is_an_error_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(properties, "validate", lambda _: bytearray(b"x") * (1 << 34))
    (finding,) = Checker(GENEROUS).check("test", NOTHING)
    assert finding.symptom is Symptom.EXCEPTION
    assert "MemoryError" in finding.detail


def test_a_process_that_ends_is_a_finding_and_the_rest_is_run(corpus: Corpus) -> None:
    def progress(done: int, found: int) -> None:
        if not found and runner._workers and runner._workers[0].index == 5:
            runner._workers[0].process.kill()

    runner = Runner(Campaign(SEED, 300, corpus, bounds=GENEROUS), progress)
    report = runner.run()
    (finding,) = report.findings
    assert finding.symptom is Symptom.CRASH
    assert "exit code -9" in finding.detail
    assert report.cases == 300
    assert summary(report.findings) == [(Symptom.CRASH, 1)]


def test_known_differences_are_only_those() -> None:
    assert known("memories count exceeds limit of 100 (at offset 0xb)", WASMTIME_REFUSES)
    assert known("too many locals (at byte 0x16)", WE_REFUSE)
    assert not known("type mismatch: expected i32, found i64", WASMTIME_REFUSES + WE_REFUSE)
    assert not known("unknown type 3", WASMTIME_REFUSES + WE_REFUSE)
    assert all(difference.reason for difference in WASMTIME_REFUSES + WE_REFUSE)


def test_findings_are_saved_with_what_they_mean(tmp_path: Path) -> None:
    assert set(MEANINGS) == set(Symptom)
    path = Finding(Symptom.SLOW, "noise-1-2", "3.00 s", b"\0asm").save(tmp_path / "new")
    assert path.read_bytes() == b"\0asm"
    assert path.name == "slow-noise-1-2.wasm"
    assert path.with_suffix(".txt").read_text() == "took too long\n3.00 s\n"


def run(tmp_path: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*arguments, "--findings", str(tmp_path)], env={"WASM_TESTSUITE": ""})
    return done.exit_code, done.output


def test_the_command_runs_a_campaign(tmp_path: Path) -> None:
    code, output = run(tmp_path, "--cases", "30", "--seed", "5", "--jobs", "1", "--seconds", "30")
    assert (code, list(tmp_path.iterdir())) == (0, []), output
    assert "30 cases" in output
    assert "nothing found" in output


def test_the_command_saves_findings_and_fails(tmp_path: Path) -> None:
    code, output = run(tmp_path, "--case", "7", "--seconds", "0.001", "--seed", "3")
    assert code in (0, 1)
    code, output = run(tmp_path, "--cases", "12", "--seed", "5", "--jobs", "1", "--seconds", "0.001")
    saved = list(tmp_path.glob("slow-*-5-*.wasm"))
    assert code == 1, output
    assert saved
    assert str(saved[0]) in output or "more in" in output


def test_the_command_runs_one_case_or_files(tmp_path: Path) -> None:
    code, output = run(tmp_path, "--case", "7", "--seconds", "30")
    assert (code, "case 7 (" in output) == (0, True)
    module = tmp_path / "module.wasm"
    module.write_bytes(OPEN_NAN)
    code, output = run(tmp_path, str(module), "--seconds", "30")
    assert (code, output.strip()) == (0, "1 files: nothing found")


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    code, output = run(tmp_path, str(tmp_path / "none.wasm"))
    assert code == 2
    assert "none.wasm" in output
    code, output = run(tmp_path, "--suite", str(tmp_path))
    assert code == 2
    assert "no modules in" in output
    with pytest.raises(CorpusError):
        load_corpus(tmp_path)


def test_a_suite_is_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.wast").write_text('(module (func)) (assert_invalid (module (func (drop))) "type mismatch") (module)')
    (tmp_path / "b.wast").write_text("(this is no script")
    assert load_corpus(tmp_path) == Corpus((parse("(module (func))"), NOTHING), (parse("(module (func (drop)))"),))

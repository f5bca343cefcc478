"""The big actor: its source is the same everywhere, and its module is big, valid, quick to call, and kept."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.execution import load_kernel
from benchmarks.kernels import big_actor as actor
from benchmarks.kernels.big_actor.__main__ import main
from benchmarks.kernels.big_actor.generator import FUNCTIONS, functions, sources
from benchmarks.kernels.big_actor.statements import Dice
from benchmarks.kernels.build import BuildError
from benchmarks.machine import count_instructions
from interp.binary.modules import decode
from interp.engine import load_engine

ROOT = Path(__file__).parents[2]
FEW = 60
needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="the extra 'examples' is not installed"
)


def digest(files: dict[str, str]) -> str:
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()


@given(st.integers(0, 2**64 - 1), st.integers(1, 2**32))
def test_dice_give_numbers_below_their_limit(seed: int, limit: int) -> None:
    dice = Dice(seed)
    numbers = [dice.below(limit) for _ in range(20)]
    assert all(0 <= number < limit for number in numbers)
    if limit > 2**20:
        assert len(set(numbers)) > 15
    assert dice.pick([seed]) == seed
    assert (dice.chance(0), dice.chance(100)) == (False, True)


def test_sources_are_the_same_in_every_process() -> None:
    code = (
        "import hashlib; from benchmarks.kernels.big_actor.generator import sources;"
        f"print(hashlib.sha256(repr(sorted(sources({FEW}).items())).encode()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(sources(FEW))


def test_functions_have_different_names_and_very_different_sizes() -> None:
    found = functions(FUNCTIONS)
    assert len({function.name for function in found}) == len(found) == FUNCTIONS
    sizes = sorted(function.statements for function in found)
    assert sizes[len(sizes) // 10] * 10 < sizes[-1]


@needs_compiler
def test_a_small_one_is_of_version_1_and_does_the_same_on_every_engine() -> None:
    wasm = actor.build(actor.all_sources(FEW))
    assert wasm == actor.build(actor.all_sources(FEW))
    runs = [load_kernel(load_engine(name, "1.0"), wasm) for name in ("reference", "wasmtime")]
    results = [[run(n) for n in (0, 1, 2, 3, 4, 2**31, 0)] for run in runs]
    assert results[0] == results[1]
    assert len(set(results[0])) == 6
    assert max(count_instructions(wasm, n) for n in range(6)) < 500_000


@needs_compiler
def test_it_is_big_and_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if not actor.kept_as().exists():
        pytest.skip("it takes long to build, and is not kept yet: python -m benchmarks.kernels.big_actor")
    wasm = actor.big_actor()
    assert 1_800_000 <= len(wasm) <= 2_200_000
    module = decode(wasm)
    assert FUNCTIONS <= len(module.funcs) <= FUNCTIONS + 20
    assert not module.imports
    run = load_kernel(load_engine("wasmtime", "1.0"), wasm)
    assert len({run(n) for n in range(200)}) > 150
    monkeypatch.setattr(actor, "build", lambda _: pytest.fail("it is built again"))
    assert main() == 0
    assert capsys.readouterr().out == f"{actor.kept_as()}: {len(wasm)} bytes\n"


@needs_compiler
def test_what_it_is_kept_as_follows_from_its_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(actor, "FUNCTIONS", 1)
    built: list[dict[str, str]] = []
    monkeypatch.setattr(actor, "build", lambda files: built.append(files) or b"module %d" % len(built))
    assert [actor.big_actor(), actor.big_actor()] == [b"module 1"] * 2
    monkeypatch.setattr(actor, "FLAGS", (*actor.FLAGS, "-DOTHER"))
    assert actor.big_actor() == b"module 2"
    assert sorted(path.read_bytes() for path in (tmp_path / "wascc").iterdir()) == [b"module 1", b"module 2"]


def test_it_is_not_built_without_a_compiler_or_a_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(actor, "FUNCTIONS", 1)
    monkeypatch.setattr(actor, "build", lambda _: b"module")
    (tmp_path / "file").write_text("")
    if importlib.util.find_spec("ziglang") is not None:
        with pytest.raises(BuildError, match="the big actor cannot be kept"):
            actor.big_actor()
    monkeypatch.setattr(actor, "COMPILER", "no-such-distribution")
    with pytest.raises(BuildError, match=r"pip install 'wascc\[examples\]'"):
        actor.big_actor()
    assert main() == 1
    assert "pip install 'wascc[examples]'" in capsys.readouterr().err

"""Which modules need more than a set of features."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.features import SUITE_FEATURES, FeatureFilter, enabled, needs_beyond, rejection
from conformance.script import ModuleCommand, Script, load_script
from interp.syntax.features import SETS, VERSIONS

TEXT = """
(module (func (export "f") (result i32 i32) (i32.const 1) (i32.const 2)))
(module (func (param v128)))
(module (table 1 (ref func) (ref.func 0)) (func))
(assert_invalid (module (func (result i32) (i64.const 0))) "type mismatch")
(assert_invalid (module (type (struct)) (func (result i32) (struct.new 0))) "type mismatch")
(module quote "(func)")
(assert_malformed (module quote "(func") "unexpected")
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Script:
    path = tmp_path_factory.mktemp("features") / "f.wast"
    path.write_text(TEXT)
    return load_script(path)


@pytest.mark.parametrize(
    ("features", "beyond"),
    [
        (None, []),
        ("3.0", []),
        ("2.0", [4, 6]),
        ("2.0-no-simd", [3, 4, 6]),
        ("1.0", [2, 3, 4, 6]),
        ("1.0,multi-value", [3, 4, 6]),
        ("2.0,gc", []),
        ("3.0,-simd", [3]),
    ],
)
def test_commands_beyond_a_set(script: Script, features: str | None, beyond: list[int]) -> None:
    needs = FeatureFilter(script, features)
    assert [c.line for c in script.commands if isinstance(c, ModuleCommand) and needs(c)] == beyond


@pytest.mark.parametrize("features", SETS)
def test_every_set_is_known_to_the_tool(features: str) -> None:
    empty = b"\0asm\1\0\0\0"
    assert rejection(empty, enabled(SETS[features])) == ""
    assert not needs_beyond(empty, features)
    assert needs_beyond(empty[:-1], features)
    assert not needs_beyond(empty[:-1], features, rejected=True)


def test_a_proposal_may_use_all_features(tmp_path: Path) -> None:
    folder = tmp_path / "proposals" / "threads"
    folder.mkdir(parents=True)
    path = folder / "a.wast"
    text = '(assert_invalid (module (memory 1 1 shared) (func (result i32) (i64.atomic.load (i32.const 0)))) "type")'
    path.write_text(text)
    script = load_script(path)
    (command,) = script.commands
    assert isinstance(command, ModuleCommand)
    assert FeatureFilter(script, "3.0")(command)


def test_the_tool_knows_each_feature_by_the_same_name() -> None:
    empty = b"\0asm\1\0\0\0"
    assert rejection(empty, SUITE_FEATURES) == ""
    assert "unknown feature" in rejection(empty, enabled(frozenset({"no-such-feature"})))
    assert set(SUITE_FEATURES.split(",")) == {"wasm1", *VERSIONS["3.0"]}

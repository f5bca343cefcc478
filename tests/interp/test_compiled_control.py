"""Control that Python cannot express as it stands: deep nesting, wide tables, long functions, branches out of handlers,
tail calls without end. What is too deep for Python's blocks becomes a state machine.
"""

from __future__ import annotations

import pytest
from compiled_support import assert_same, exports_of, outcome

from interp.binary.modules import decode
from interp.compiled.python_code import Options
from interp.compiled.units import source_of
from interp.engine import Limits
from interp.errors import ExhaustionKind
from interp.validation.modules import validate
from tests_support import parse

COUNT = "(local.set $n (i32.add (i32.mul (local.get $n) (i32.const 3)) (i32.const {})))"
FUNCTION = '(module (func (export "f") (param $x i32) (result i32) (local $n i32) (local $y i32) {} (local.get $n)))'


def python_of(text: str) -> str:
    """The source of the first function of a module."""
    return source_of(validate(decode(parse(text))), 0, Options()).text


def calls(*numbers: int) -> list[tuple[str, int]]:
    return [("f", x) for x in numbers]


# ---- Nesting.


def nested_blocks(n: int) -> str:
    """Blocks in blocks; the parameter says which one to leave, and something is done behind each end."""
    leaves = "".join([f"(br_if {k} (i32.eq (local.get $x) (i32.const {k})))" for k in range(n)])
    return FUNCTION.format("(block " * n + leaves + "".join([f") {COUNT.format(k)}" for k in range(n)]))


def nested_loops(n: int) -> str:
    """Loops in loops, each of which is begun anew twice from the innermost place, from the inside out."""
    again = "".join(
        [
            f"(local.set $y (i32.add (local.get $y) (i32.const 1))) {COUNT.format(k)}"
            f" (br_if {k} (i32.eq (i32.rem_u (local.get $y) (i32.const {k + 2})) (local.get $x)))"
            for k in range(n)
        ]
    )
    limit = "(if (i32.gt_u (local.get $y) (i32.const 400)) (then (return (local.get $n))))"
    return FUNCTION.format(f"(loop {COUNT.format(1)} " * n + limit + again + ")" * n)


def nested_ifs(n: int) -> str:
    """Conditions in conditions, each with two arms, the deeper one on either side."""
    code = COUNT.format(1)
    for k in range(n):
        test = f"(i32.gt_u (local.get $x) (i32.const {k}))"
        arms = (code, COUNT.format(k)) if k % 2 else (COUNT.format(k), code)
        code = f"(if {test} (then {arms[0]}) (else {arms[1]})) {COUNT.format(k + 7)}"
    return FUNCTION.format(code)


def nested_results(n: int) -> str:
    """Blocks with results in blocks with results, left with a value from the inside."""
    code = "(local.get $x)"
    for k in range(n):
        leave = f"(br_if {min(k % 3, n - 1 - k)} (i32.const {k}) (i32.eq (local.get $x) (i32.const {k})))"
        code = f"(block (result i32) (i32.add {leave} {code}))"
    return FUNCTION.format(f"(local.set $n {code})")


@pytest.mark.parametrize("n", [3, 17, 18, 19, 20, 21, 30, 90, 120, 300])
@pytest.mark.parametrize("make", [nested_blocks, nested_loops, nested_ifs, nested_results])
def test_nesting(make, n: int) -> None:  # type: ignore[no-untyped-def]
    text = make(n)
    numbers = sorted({0, 1, 2, 5, n // 2, n - 2, n - 1, n, n + 1})
    assert_same(text, calls(*numbers))
    assert_same(text, calls(0, 1, n // 2), Limits(fuel=1000))


def test_what_is_too_deep_is_a_state_machine() -> None:
    assert "pc" not in python_of(nested_loops(5))
    assert "pc = " in python_of(nested_loops(60))


# ---- Tables.


def wide_table(n: int, arms: int) -> str:
    """A table of n labels, of which so many are different."""
    labels = " ".join([str(k * 7 % arms) for k in range(n)])
    ends = "".join([f") {COUNT.format(k)} " + ("(return (local.get $n))" if k % 3 else "") for k in range(arms)])
    return FUNCTION.format("(block " * arms + f"(br_table {labels} {arms - 1} (local.get $x))" + ends)


@pytest.mark.parametrize(("n", "arms"), [(1, 1), (2, 2), (10, 10), (300, 300), (1000, 3), (2000, 600)])
def test_wide_tables(n: int, arms: int) -> None:
    assert_same(wide_table(n, arms), calls(0, 1, 2, arms // 2, arms - 1, n - 1, n, n + 1, -1, 2**31))


def interpreter(n: int) -> str:
    """A table in a loop, as interpreters have them: each arm goes on with another one."""
    targets = " ".join(map(str, range(n)))
    arms = ""
    for k in range(n - 1):
        then = f"(i32.rem_u (i32.add (i32.mul (local.get $x) (i32.const 5)) (i32.const {k + 1})) (i32.const {n}))"
        arms += f") {COUNT.format(k)} (local.set $x {then}) (br {n - 1 - k})"
    table = f"(br_table {targets} {n} (local.get $x))"
    stop = "(br_if $out (i32.gt_u (local.tee $y (i32.add (local.get $y) (i32.const 1))) (i32.const 300)))"
    return FUNCTION.format(f"(block $out (loop {stop} {'(block ' * n} {table} {arms} ) ))")


@pytest.mark.parametrize("n", [2, 8, 16, 18, 40, 200])
def test_tables_in_loops(n: int) -> None:
    text = interpreter(n)
    assert_same(text, calls(0, 1, n // 2, n - 1, n, -1))
    assert_same(text, calls(0, 1), Limits(fuel=200))


def tables_in_tables(depth: int, n: int) -> str:
    """In the middle arm of each table there is another one."""
    code = "nop"
    for level in range(depth):
        ends = ""
        for k in range(n - 1):
            ends += f") {COUNT.format(k + level)} (local.set $x (i32.shr_u (local.get $x) (i32.const 1)))"
            ends += f" {code if k == n // 2 else ''} (br {n - 2 - k})"
        code = f"{'(block ' * n} (br_table {' '.join(map(str, range(n)))} (local.get $x)) {ends})"
    return FUNCTION.format(code)


@pytest.mark.parametrize(("depth", "n"), [(2, 16), (6, 8), (12, 16), (10, 64), (40, 4)])
def test_tables_in_tables(depth: int, n: int) -> None:
    assert_same(tables_in_tables(depth, n), calls(0, 1, n // 2, n // 2 * 2, 500, -1))


# ---- Long and wide functions.


def test_a_very_long_function() -> None:
    parts = []
    for k in range(6000):
        parts.append(
            f"(local.set $n (i32.xor (i32.rotl (local.get $n) (i32.const 5)) (i32.add (local.get $x) (i32.const {k}))))"
        )
        if k % 50 == 0:
            parts.append(f"(if (i32.and (local.get $n) (i32.const 1)) (then {COUNT.format(k)}))")
    assert_same(FUNCTION.format(" ".join(parts)), calls(0, 12345))


def test_a_very_deep_expression() -> None:
    code = "(local.get $x)"
    for k in range(1500):
        code = f"(i32.{('add', 'xor', 'sub', 'mul')[k % 4]} {code} (i32.const {2 * k + 1}))"
    balanced = ["(local.get $x)"] * 512
    while len(balanced) > 1:
        balanced = [f"(i32.add {a} {b})" for a, b in zip(balanced[::2], balanced[1::2], strict=True)]
    assert_same(FUNCTION.format(f"(local.set $n (i32.add {code} {balanced[0]}))"), calls(0, 1, -1))


def test_many_pending_operands() -> None:
    pushes = " ".join([f"(i32.mul (local.get $x) (i32.const {k}))" for k in range(1000)])
    adds = "i32.add " * 999
    change = "(local.set $x (i32.const 5))"
    assert_same(FUNCTION.format(f"{pushes} {change} {adds} local.set $n"), calls(0, 3))


def test_many_locals_parameters_and_results() -> None:
    params = " ".join(["i32"] * 300)
    gets = " ".join([f"(local.get {k})" for k in range(300)])
    locals_ = " ".join([("i32", "i64", "f32", "f64", "v128", "externref")[k % 6] for k in range(1000)])
    uses = " ".join(
        [
            f"(local.set {300 + k} (i32.add (local.get {k % 300}) (local.get {294 + k if k else 0})))"
            for k in range(0, 1000, 6)
        ]
    )
    text = f"""(module
      (func $wide (param {params}) (result {params}) {gets})
      (func $locals (param {params}) (result i32) (local {locals_}) {uses} (i32.add (local.get 299) (local.get 1296)))
      (func (export "f") (param i32) (result i32)
        {" ".join([f"(i32.add (local.get 0) (i32.const {k}))" for k in range(300)])}
        (call $wide) {"i32.add " * 299}
        {" ".join([f"(i32.mul (local.get 0) (i32.const {k}))" for k in range(300)])}
        (call $locals) i32.add))"""
    assert_same(text, calls(0, 1, -7))
    assert_same(text, calls(0, 1), Limits(fuel=5, max_call_depth=20))


# ---- Handlers.


def nested_handlers(n: int) -> str:
    """Handlers around handlers, each of which catches a tag of its own, adds what was thrown, and goes on or throws to
    the next one."""
    tags = "".join([f"(tag $e{k} (param i32)) " for k in range(n)])
    throws = [f"(if (i32.eq (local.get $x) (i32.const {k})) (then (throw $e{k} (i32.const 3))))" for k in range(n)]
    code = "".join(throws)
    for k in range(n):
        again = (
            f"(if (i32.and (local.get $n) (i32.const 1)) (then (throw $e{k + 1} (i32.const 9))))" if k + 1 < n else ""
        )
        body = f"(block (result i32) (try_table (catch $e{k} 0) {code}) (br 1))"
        code = f"(block {body} (local.get $n) i32.add local.set $n {again}) {COUNT.format(k)}"
    return FUNCTION.replace("(module", f"(module {tags}").format(code)


def handlers_in_loops(n: int) -> str:
    """From the inside of handlers in loops, branches lead to each loop and behind each."""
    turn = "(i32.rem_u (local.get $y) (i32.const {}))"
    code = "(local.set $y (i32.add (local.get $y) (i32.const 1)))"
    code += "(if (i32.gt_u (local.get $y) (i32.const 60)) (then (return (local.get $n))))"
    code += "".join([f"(br_if $l{k} (i32.eq {turn.format(k + 3)} (local.get $x)))" for k in range(n)])
    code += "".join([f"(br_if $b{k} (i32.eq {turn.format(k + 5)} (i32.const 3)))" for k in range(n)])
    code += "(if (i32.and (local.get $y) (i32.const 1)) (then (throw $e))) (call $throw (local.get $y))"
    for k in range(n):
        code = f"(block $h{k} (try_table (catch $e $h{k}) {code}) (br $b{k})) {COUNT.format(k + 1)}"
        code = f"{COUNT.format(k)} {code} (br_if $l{k} (i32.eq (local.get $y) (i32.const {4 * k + 2})))"
        code = f"(block $b{k} (loop $l{k} {code}))"
    throw = f"(if (i32.eq {turn.format(7).replace('$y', '0')} (i32.const 2)) (then (throw $e)))"
    return f"{FUNCTION.format(code)[:-1]} (tag $e) (func $throw (param i32) {throw}))"


@pytest.mark.parametrize("n", [1, 2, 5, 8, 9, 10, 12, 22, 40])
@pytest.mark.parametrize("make", [nested_handlers, handlers_in_loops])
def test_handlers(make, n: int) -> None:  # type: ignore[no-untyped-def]
    text = make(n)
    assert_same(text, calls(0, 1, 2, n // 2, n - 1, n, n + 1))
    assert_same(text, calls(0, 1), Limits(fuel=50, max_call_depth=20))


# ---- Tail calls.

TAILS = """(module (type $t (func (param i32 i32) (result i32))) (type $two (func (param i32 i64) (result i64 i32)))
  (table funcref (elem $odd $indirect $even)) (elem declare func $ref) (tag $e (param i32))
  (func $even (export "even") (type $t)
    (if (result i32) (local.get 0) (then (return_call $odd (i32.sub (local.get 0) (i32.const 1))
      (i32.add (local.get 1) (i32.const 3)))) (else (local.get 1))))
  (func $odd (type $t)
    (if (result i32) (local.get 0) (then (return_call $even (i32.sub (local.get 0) (i32.const 1))
      (i32.xor (local.get 1) (i32.const 5)))) (else (i32.const -1))))
  (func $indirect (export "indirect") (type $t)
    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
    (return_call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 3))
      (i32.const 1)))
  (func $ref (export "ref") (type $t)
    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
    (return_call_ref $t (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 3)) (ref.func $ref)))
  (func $swap (export "two") (type $two)
    (if (i32.eqz (local.get 0)) (then (return (local.get 1) (local.get 0))))
    (return_call $swap (i32.sub (local.get 0) (i32.const 1)) (i64.add (local.get 1) (i64.const 3))))
  (func (export "loop") (param i32 i32) (result i32)
    (loop (if (i32.and (local.get 0) (i32.const 3)) (then
      (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br 1))))
    (return_call $even (i32.and (local.get 0) (i32.const -4)) (local.get 1)))
  (func (export "handler") (param i32 i32) (result i32)
    (block $h (return (try_table (result i32) (catch_all $h) (return_call $even (local.get 0) (local.get 1)))))
    (unreachable))
  (func $throw (param i32 i32) (result i32) (throw $e (local.get 1)))
  (func $leave (param i32 i32) (result i32)
    (block $h (return (try_table (result i32) (catch_all $h) (return_call $throw (local.get 0) (local.get 1)))))
    (unreachable))
  (func (export "throw") (param i32 i32) (result i32)
    (block $h (result i32) (try_table (result i32) (catch $e $h) (call $leave (local.get 0) (local.get 1)))))
  (func (export "via") (param i32 i32) (result i32)
    (i32.add (call $indirect (local.get 0) (local.get 1)) (call $even (local.get 0) (i32.const 0)))))"""


def last_of_even(n: int, x: int) -> int:
    """What `even` gives for an even number n."""
    for _ in range(n // 2):
        x = (x + 3 & 0xFFFFFFFF) ^ 5
    return x


MANY = 1_000_000


@pytest.mark.parametrize("name", ["even", "indirect", "ref", "two"])
def test_tail_calls_a_million_deep(name: str) -> None:
    exports = exports_of("compiled", TAILS, Limits(max_call_depth=4))
    wanted = {"even": (last_of_even(MANY, 7),), "two": (7 + 3 * MANY, 0)}.get(name, (7 + 3 * MANY,))
    assert outcome(exports[name], MANY, 7) == wanted


def test_tail_calls_a_million_deep_with_fuel() -> None:
    exports = exports_of("compiled", TAILS, Limits(fuel=MANY, deadline_seconds=100))
    assert outcome(exports["even"], MANY - 2, 7) == (last_of_even(MANY - 2, 7),)
    assert outcome(exports["even"], MANY, 7) is ExhaustionKind.FUEL


@pytest.mark.parametrize("limits", [Limits(), Limits(fuel=50), Limits(max_call_depth=2), Limits(max_call_depth=1)])
def test_tail_calls(limits: Limits) -> None:
    names = ("even", "indirect", "ref", "two", "loop", "handler", "throw", "via")
    assert_same(TAILS, [(name, n, 9) for name in names for n in (0, 1, 2, 7, 20, 24, 25, 48, 49, 50)], limits)


def test_tail_calls_of_functions_that_were_never_called() -> None:
    n = 400
    head, add = "(param i32) (result i32)", "(i32.add (local.get 0) (i32.const 1))"
    chain = "".join([f"(func $f{k} {head} (return_call $f{k + 1} {add}))" for k in range(n)])
    text = f'(module {chain} (func $f{n} {head} (local.get 0)) (export "f" (func $f0)))'
    assert_same(text, calls(0, 1), Limits(max_call_depth=5))


def test_a_loop_that_only_leaves_a_try_does_not_go_on_behind_itself() -> None:
    text = """(module (global $g (mut i64) (i64.const 0))
      (func (export "f") (param i32) (result i64)
        (global.set $g (i64.const 0))
        try_table
          i64.const 1
          local.get 0
          if
            loop
              (i32.wrap_i64 (i64.const 1))
              br_if 2
              br 0
            end
          end
          i64.const 4
          i64.xor
          global.set $g
        end
        global.get $g)
      (func (export "g") (param i32) (result i64) (local i32)
        (global.set $g (i64.const 0))
        try_table
          local.get 0
          if
            loop
              (local.set 1 (i32.add (local.get 1) (i32.const 1)))
              (br_if 2 (i32.gt_u (local.get 1) (local.get 0)))
              (br_if 0 (i32.lt_u (local.get 1) (i32.const 5)))
            end
            (global.set $g (i64.const 9))
          end
          (global.set $g (i64.add (global.get $g) (i64.const 1)))
        end
        global.get $g))"""
    reference, ours = (exports_of(name, text) for name in ("reference", "compiled"))
    for name in ("f", "g"):
        for n in (0, 1, 4, 5, 9):
            assert outcome(ours[name], n) == outcome(reference[name], n), (name, n)

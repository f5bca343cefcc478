"""Cases of reduction rules: for each a tiny module whose run applies the rule, and what the rule makes of it.

A case is read like this: the function `(func (export "f") BODY)` in a module with the given fields is called; `run` are
the rules that are applied, all of them in their order; where `rule` is applied for the first time, the machine says
`reduction`. The kinds of cases differ in how the run ends, so that only what is special about a case is written down.

Rules are named without the relation in front (`br_if-true` for `Step_pure/br_if-true`).
"""

from __future__ import annotations

from dataclasses import dataclass

ENTER = ("call_ref-func",)
"""How each run begins: the function is called through a reference."""

RETURN = ("label-vals", "frame-vals")
"""How a run ends that comes to the end of the function."""

TRAP = ("trap-label", "trap-frame")
"""How a run ends that traps with nothing else in the function's block."""


@dataclass(frozen=True)
class Case:
    """A rule, a module with a function `f` and its arguments, the run, and the reduction."""

    rule: str
    module: str
    run: tuple[str, ...]
    reduction: str
    args: tuple[int, ...] = ()


def module(body: str, fields: str) -> str:
    """The module with the function to call."""
    return f'(module {fields} (func (export "f") {body}))'


def runs(rule: str, body: str, reduction: str, run: str, fields: str = "") -> Case:
    """A case whose whole run is given."""
    return Case(rule, module(body, fields), tuple(run.split()), reduction)


def returns(
    rule: str, body: str, reduction: str, run: str | None = None, fields: str = "", args: tuple[int, ...] = ()
) -> Case:
    """A case whose function comes to its end; `run` is what it does until then, the rule alone if not given."""
    inner = tuple((rule if run is None else run).split())
    return Case(rule, module(body, fields), (*ENTER, *inner, *RETURN), reduction, args)


def traps(rule: str, body: str, reduction: str, run: str | None = None, fields: str = "") -> Case:
    """A case that traps; `run` is what it does until only the trap is left in the function's block."""
    inner = tuple((rule if run is None else run).split())
    return Case(rule, module(body, fields), (*ENTER, *inner, *TRAP), reduction)

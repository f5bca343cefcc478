"""Reduction of variable and reference instructions (specification 4.6.4, 4.6.7).

`c` is the configuration, `x` the index that the instruction names.
Spec: exec/instructions
"""

from __future__ import annotations

from typing import Any

from interp.reference.configuration import Config, rule


@rule("local.get", "Step_read/local.get")
def local_get(c: Config, x: int) -> str:
    """(local.get x) ~> f.locals[x]"""
    c.vals.append(c.frame.locals[x])
    return "Step_read/local.get"


@rule("local.set", "Step/local.set")
def local_set(c: Config, x: int) -> str:
    """val (local.set x) ~> eps, f.locals[x] = val"""
    c.frame.locals[x] = c.vals.pop()
    return "Step/local.set"


@rule("local.tee", "Step_pure/local.tee")
def local_tee(c: Config, x: int) -> str:
    """val (local.tee x) ~> val val (local.set x)"""
    if c.observed:
        c.vals.append(c.vals[-1])
        c.insert(((local_set, x, c.current()),))
    else:
        c.frame.locals[x] = c.vals[-1]
    return "Step_pure/local.tee"


@rule("global.get", "Step_read/global.get")
def global_get(c: Config, x: int) -> str:
    """(global.get x) ~> s.globals[f.module.globals[x]].value"""
    c.vals.append(c.frame.module.globals[x].value)
    return "Step_read/global.get"


@rule("global.set", "Step/global.set")
def global_set(c: Config, x: int) -> str:
    """val (global.set x) ~> eps, s.globals[f.module.globals[x]].value = val"""
    c.frame.module.globals[x].value = c.vals.pop()
    return "Step/global.set"


@rule("ref.null", "Step_read/ref.null")
def ref_null(c: Config, x: Any) -> str:
    """(ref.null ht) ~> (ref.null ht')"""
    c.vals.append(None)
    return "Step_read/ref.null"


@rule("ref.func", "Step_read/ref.func")
def ref_func(c: Config, x: int) -> str:
    """(ref.func x) ~> (ref.func f.module.funcs[x])"""
    c.vals.append(c.frame.module.funcs[x])
    return "Step_read/ref.func"


@rule("ref.is_null", "Step_pure/ref.is_null-true", "Step_pure/ref.is_null-false")
def ref_is_null(c: Config, x: None) -> str:
    """ref ref.is_null ~> (i32.const 1) if ref is null, else (i32.const 0)"""
    if c.vals[-1] is None:
        c.vals[-1] = 1
        return "Step_pure/ref.is_null-true"
    c.vals[-1] = 0
    return "Step_pure/ref.is_null-false"

"""Reduction of variable instructions (specification 4.6).

`c` is the configuration, `x` the index that the instruction names.
Spec: exec/instructions#variable-instructions
"""

from __future__ import annotations

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

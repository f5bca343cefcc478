"""Validation of functions (specification 3.5), all at once with their module or each before it is used.

Spec: valid/modules#functions
"""

from __future__ import annotations

from threading import Lock

from interp.errors import Invalid
from interp.syntax import modules as m
from interp.syntax.instructions import Expr, Instr
from interp.syntax.types import is_defaultable
from interp.validation.bodies import Cases
from interp.validation.context import Context
from interp.validation.instructions import expr_ok


class FuncValidator:
    """C |- func : deftype, for the functions of a module whose context is complete. Several threads may use it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._cases: Cases | None = None
        self._lock = Lock()

    def validate(self, func: m.Func, funcidx: int) -> None:
        """Raises Invalid; and Malformed, if the code has not been looked at so far."""
        try:
            with self._lock:
                self._func_ok(func)
        except Invalid as error:
            where = error.offset if error.offset is not None else func.offset
            raise Invalid(error.message, error.rule or "Func_ok", funcidx, where, error.feature) from None

    def _func_ok(self, func: m.Func) -> None:
        context = self._context
        ft = context.functype(func.typeidx)
        closed = {t: context.close_valtype(t) for t in dict.fromkeys(func.locals)}
        locals_ = ft.params + tuple([closed[t] for t in func.locals])
        if all(map(is_defaultable, closed.values())):
            unset: frozenset[int] = frozenset()
            if func.code is not None:
                if self._cases is None:
                    self._cases = Cases(context, func.code)
                if self._cases.body_ok(func.code, locals_, ft.results):
                    return
        else:
            unset = frozenset(x for x in range(len(ft.params), len(locals_)) if not is_defaultable(locals_[x]))
        expr_ok(context, func.body, ft.results, locals_, unset=unset)


class UncheckedCode:
    """The code of a function that is validated before it can be read, as `interp.syntax.modules.Code` asks for."""

    __slots__ = ("_func", "_funcidx", "_validator")

    def __init__(self, func: m.Func, funcidx: int, validator: FuncValidator) -> None:
        self._func, self._funcidx, self._validator = func, funcidx, validator

    def read(self) -> Expr:
        """The body.  Raises Malformed and Invalid."""
        self._validator.validate(self._func, self._funcidx)
        return self._func.body

    def tokens(self) -> list[bytes] | None:
        """The tokens of the body, if it is well-formed, which does not yet mean valid."""
        return None if self._func.code is None else self._func.code.tokens()

    def instr(self, token: bytes) -> Instr:
        """The instruction that a token stands for."""
        if self._func.code is None:
            raise ValueError("the function has no tokens")
        return self._func.code.instr(token)


def checked_at_use(func: m.Func, funcidx: int, validator: FuncValidator) -> m.Func:
    """The function with a body that is validated before it is seen for the first time."""
    return m.Func(func.typeidx, func.locals, UncheckedCode(func, funcidx, validator), func.offset, func.size)

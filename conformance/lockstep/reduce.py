"""Reduction: a smaller module in which something still holds, found by trying edits one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from conformance.lockstep.edits import (
    Edit,
    Effects,
    removals,
    simpler_immediates,
    simpler_values,
    unused,
    unwrapped,
)
from conformance.lockstep.encode import EncodeError, encode
from conformance.lockstep.grammar.plan import ins
from conformance.lockstep.indices import FIELDS, UsedError, size, without
from conformance.lockstep.rewriting import effects
from interp.binary.modules import decode
from interp.errors import Rejected
from interp.syntax import modules as m
from interp.syntax.instructions import Expr
from interp.syntax.types import FuncType, RecType, SubType
from interp.validation.modules import ValidModule, validate

UNREACHABLE: Expr = (ins("unreachable"),)
EMPTY_TYPE = RecType((SubType(True, (), FuncType((), ())),))


class Reducer:
    """Reduces a valid module, of which `holds` is true, for up to `seconds`. `wasm` is the smallest so far."""

    def __init__(self, wasm: bytes, holds: Callable[[bytes], bool], seconds: float) -> None:
        self.wasm = wasm
        self.tried = 0
        self._holds = holds
        self._deadline = time.monotonic() + seconds
        self._valid: ValidModule = validate(decode(wasm))

    @property
    def _module(self) -> m.Module:
        return self._valid.module

    def run(self) -> bytes:
        """The smallest module that was found."""
        passes = (self._stubs, self._code, self._items)
        progress = True
        while progress and time.monotonic() < self._deadline:
            before = self.wasm
            for each in passes:
                each()
            progress = self.wasm != before
        return self.wasm

    def _try(self, module: m.Module) -> bool:
        """Take a module if it is valid and what has to hold does."""
        if time.monotonic() > self._deadline:
            return False
        try:
            wasm = encode(module)
            valid = validate(decode(wasm))
        except (Rejected, EncodeError):
            return False
        self.tried += 1
        if wasm == self.wasm or not self._holds(wasm):
            return False
        self.wasm, self._valid = wasm, valid
        return True

    def _with_func(self, number: int, func: m.Func) -> m.Module:
        funcs = self._module.funcs
        return replace(self._module, funcs=(*funcs[:number], func, *funcs[number + 1 :]))

    def _stubs(self) -> None:
        """Functions that do nothing but trap, or nothing at all."""
        for number, func in enumerate(self._module.funcs):
            for code in ((), UNREACHABLE):
                if len(func.body) > len(code) and self._try(
                    self._with_func(number, m.Func(func.typeidx, (), code, 0, 0))
                ):
                    break

    def _code(self) -> None:
        """Edits of the functions' code, until none succeeds any more."""
        for number in range(len(self._module.funcs)):
            for edits in (removals, simpler_values, unused, unwrapped, simpler_immediates):
                self._edit(number, edits)
            self._locals(number)

    def _edit(self, number: int, edits: Callable[[Expr, Effects], Iterator[Edit]]) -> None:
        """Edits of one kind of one function; after a success they begin again at the place where that was."""
        skipped = 0
        while time.monotonic() < self._deadline:
            func = self._module.funcs[number]
            known = effects(self._valid.context, func)
            for tried, edit in enumerate(edits(func.body, known)):
                if tried < skipped:
                    continue
                code = edit.applied(func.body)
                if self._try(self._with_func(number, m.Func(func.typeidx, func.locals, code, 0, 0))):
                    skipped = max(0, tried - 1)
                    break
            else:
                return

    def _locals(self, number: int) -> None:
        """Fewer locals: the last ones, as long as they are not used, and types that are the simplest."""
        func = self._module.funcs[number]
        while func.locals and self._try(
            self._with_func(number, m.Func(func.typeidx, func.locals[:-1], func.body, 0, 0))
        ):
            func = self._module.funcs[number]

    def _items(self) -> None:
        """Without exports, segments, imports and everything else that is not needed."""
        module = self._module
        if module.start is not None:
            self._try(replace(module, start=None))
        for index in reversed(range(len(self._module.exports))):
            exports = self._module.exports
            self._try(replace(self._module, exports=exports[:index] + exports[index + 1 :]))
        for index, data in enumerate(self._module.datas):
            datas = self._module.datas
            if data.init:
                self._try(replace(self._module, datas=(*datas[:index], replace(data, init=b""), *datas[index + 1 :])))
        for space in FIELDS:
            for index in reversed(range(size(self._module, space))):
                try:
                    self._try(without(self._module, space, index))
                except UsedError:
                    continue
        for index, each in enumerate(self._module.types):
            if each.rectype != EMPTY_TYPE:
                types = self._module.types
                self._try(replace(self._module, types=(*types[:index], m.Type(EMPTY_TYPE, 0), *types[index + 1 :])))

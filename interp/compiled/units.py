"""The functions of one module as code of Python, made at their first call and shared by all instances.

Generated source is registered with `linecache`, so that tracebacks and debuggers show it.
"""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from types import CodeType
from typing import Protocol

from interp.binary.names import function_names
from interp.compiled.python_code import Options, Source, write
from interp.compiled.translate import MEMORY_END
from interp.compiled.translation import translate
from interp.errors import printable
from interp.validation.modules import ValidModule


@dataclass(frozen=True, slots=True)
class Unit:
    """A function ready to be linked: its code, the byte offset of each of its lines, and whether it ends in calls."""

    code: CodeType
    offsets: tuple[int, ...]
    tail_calls: bool
    source: str


class Shelf(Protocol):
    """Where units are kept longer than the process."""

    def load(self, funcidx: int, options: Options) -> Unit | None:
        """A unit that was kept, or None."""

    def save(self, funcidx: int, options: Options, unit: Unit) -> None:
        """Keep a unit."""


def source_of(valid: ValidModule, funcidx: int, options: Options) -> Source:
    """The Python source of a function that the module defines; `funcidx` counts imported ones too."""
    imported = len(valid.context.funcs) - len(valid.module.funcs)
    func = valid.module.funcs[funcidx - imported]
    function = translate(valid.context, func, 1 << 32 if options.whole else MEMORY_END)
    return write(valid.context, function, f"f{funcidx}", options)


class Units:
    """The units of a module, by function index and options."""

    def __init__(self, valid: ValidModule, label: str, shelf: Shelf | None = None) -> None:
        self.valid = valid
        self.label = label
        self.shelf = shelf
        self.names: dict[int, str] | None = None
        self._units: dict[tuple[int, str], Unit] = {}

    def unit(self, funcidx: int, options: Options) -> Unit:
        """A function; translated now, if it has not been before."""
        key = (funcidx, options.key)
        found = self._units.get(key)
        if found is None:
            found = self.shelf.load(funcidx, options) if self.shelf is not None else None
            if found is None:
                found = self.translate(funcidx, options)
                if self.shelf is not None:
                    self.shelf.save(funcidx, options, found)
            lines = found.source.splitlines(keepends=True)
            linecache.cache[found.code.co_filename] = (len(found.source), None, lines, found.code.co_filename)
            self._units[key] = found
        return found

    def translate(self, funcidx: int, options: Options) -> Unit:
        """A function as code of Python."""
        source = source_of(self.valid, funcidx, options)
        whole = compile(source.text, self.filename(funcidx, options), "exec", dont_inherit=True, optimize=0)
        code = next(const for const in whole.co_consts if isinstance(const, CodeType))
        return Unit(code, source.offsets, source.tail_calls, source.text)

    def filename(self, funcidx: int, options: Options) -> str:
        """What tracebacks call the source of a function."""
        if self.names is None:
            self.names = function_names(self.valid.module)
        name = self.names.get(funcidx)
        named = f" {printable(name)[:80]}" if name else ""
        return f"<wasm {self.label} function {funcidx}{named} {options.key}>"

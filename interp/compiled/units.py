"""The functions of one module as code of Python, made at their first call and shared by all instances.

Generated source is registered with `linecache`, so that tracebacks and debuggers show it.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from types import CodeType
from typing import Any, Protocol, overload
from weakref import ReferenceType, ref

from interp.binary.names import function_names
from interp.compiled.python_code import Options, Source, write
from interp.compiled.translate import MEMORY_END
from interp.compiled.translation import translate
from interp.errors import printable
from interp.validation.modules import ValidModule


@dataclass(frozen=True, slots=True)
class Details:
    """What only tracebacks need of a function: the byte offset for each line of its code, and its source."""

    offsets: tuple[int, ...]
    source: str


class Unit:
    """A function ready to be linked: its code, and whether it ends in calls. Its details are `made` when they are asked
    for."""

    __slots__ = ("__weakref__", "_details", "_made", "code", "tail_calls")

    def __init__(self, code: CodeType, tail_calls: bool, made: Callable[[], Details]) -> None:
        self.code = code
        self.tail_calls = tail_calls
        self._made = made
        self._details: Details | None = None

    @property
    def details(self) -> Details:
        """The details."""
        if self._details is None:
            self._details = self._made()
        return self._details

    @property
    def offsets(self) -> tuple[int, ...]:
        """The byte offset for each line of the code, -1 where it comes from no instruction."""
        return self.details.offsets


class SourceLines(Sequence[str]):
    """The source of the units with one file name, which is the same one, as `linecache` has it: split into lines when
    somebody looks at it, and forgotten with the last of them."""

    def __init__(self, filename: str) -> None:
        self._filename = filename
        self._units: set[ReferenceType[Unit]] = set()
        self._made: list[str] | None = None

    @classmethod
    def register(cls, unit: Unit) -> None:
        """Show the source of a unit in tracebacks."""
        filename = unit.code.co_filename
        entry: tuple[Any, ...] | None = linecache.cache.get(filename)
        lines = entry[2] if entry is not None and len(entry) > 2 else None
        if not isinstance(lines, SourceLines):
            lines = cls(filename)
            linecache.cache[filename] = (0, None, lines, filename)  # type: ignore[assignment]
        lines._units.add(ref(unit, lines._forget))

    def _forget(self, gone: ReferenceType[Unit], cache: dict[str, Any] = linecache.cache) -> None:
        self._units.discard(gone)
        if not self._units:
            cache.pop(self._filename, None)

    def _lines(self) -> list[str]:
        if self._made is None:
            units = [reference() for reference in self._units]
            source = next((unit.details.source for unit in units if unit is not None), "")
            self._made = source.splitlines(keepends=True)
        return self._made

    def __len__(self) -> int:
        return len(self._lines())

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._lines()[index]


class Shelf(Protocol):
    """Where units are kept longer than the process."""

    def load(self, funcidx: int, options: Options) -> tuple[CodeType, bool] | None:
        """The code of a unit that was kept, and whether it ends in calls; or None."""

    def details(self, funcidx: int, options: Options) -> Details | None:
        """The details of a unit that was kept, or None."""

    def save(self, funcidx: int, options: Options, unit: Unit) -> None:
        """Keep a unit."""


def source_of(valid: ValidModule, funcidx: int, options: Options) -> Source:
    """The Python source of a function that the module defines; `funcidx` counts imported ones too."""
    imported = len(valid.context.funcs) - len(valid.module.funcs)
    func = valid.module.funcs[funcidx - imported]
    function = translate(valid.context, func, 1 << 32 if options.whole else MEMORY_END)
    return write(valid.context, function, f"f{funcidx}", options)


class Units:
    """The units of a module, by function index and options. What `label` gives stands for the module in tracebacks."""

    def __init__(self, valid: ValidModule, label: Callable[[], str], shelf: Shelf | None = None) -> None:
        self.valid = valid
        self._label = label
        self.shelf = shelf
        self.names: dict[int, str] | None = None
        self._units: dict[tuple[int, str], Unit] = {}

    @cached_property
    def label(self) -> str:
        """What stands for the module in tracebacks."""
        return self._label()

    def unit(self, funcidx: int, options: Options) -> Unit:
        """A function; translated now, if it has not been before.  Raises Malformed and Invalid, of a function that
        nobody has looked at so far."""
        key = (funcidx, options.key)
        found = self._units.get(key)
        if found is None:
            kept = self.shelf.load(funcidx, options) if self.shelf is not None else None
            if kept is not None:
                found = Unit(*kept, partial(self.details, funcidx, options))
            else:
                found = self.translate(funcidx, options)
                if self.shelf is not None:
                    self.shelf.save(funcidx, options, found)
            self._units[key] = found
            SourceLines.register(found)
        return found

    def details(self, funcidx: int, options: Options) -> Details:
        """The details of a function whose code was kept; made again if they were not, or are damaged."""
        kept = self.shelf.details(funcidx, options) if self.shelf is not None else None
        if kept is None:
            source = source_of(self.valid, funcidx, options)
            kept = Details(source.offsets, source.text)
        return kept

    def translate(self, funcidx: int, options: Options) -> Unit:
        """A function as code of Python."""
        source = source_of(self.valid, funcidx, options)
        whole = compile(source.text, self.filename(funcidx, options), "exec", dont_inherit=True, optimize=0)
        code = next(const for const in whole.co_consts if isinstance(const, CodeType))
        details = Details(source.offsets, source.text)
        return Unit(code, source.tail_calls, lambda: details)

    def filename(self, funcidx: int, options: Options) -> str:
        """What tracebacks call the source of a function."""
        if self.names is None:
            self.names = function_names(self.valid.module)
        name = self.names.get(funcidx)
        named = f" {printable(name)[:80]}" if name else ""
        return f"<wasm {self.label} function {funcidx}{named} {options.key}>"

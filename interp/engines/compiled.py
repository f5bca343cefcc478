"""The engine `compiled`: functions translated to Python source at their first call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache as once
from hashlib import sha256

from interp.binary.modules import decode
from interp.compiled.cache import Cache, ModuleShelf
from interp.compiled.machine import UNITS, CompiledMachine
from interp.compiled.units import Units
from interp.engines.embedding import PureEngine, PureModule
from interp.syntax.features import VERSION_3
from interp.validation.modules import validate

CACHE_VARIABLE, LAZY_VARIABLE = "WASCC_CACHE", "WASCC_LAZY_VALIDATION"
ON = ("on", "1", "yes", "true")
LABEL = 12
"""Hexadecimal digits of the SHA-256 digest of a module that stand for it in tracebacks."""


class CompiledEngine(PureEngine):
    """Engine that keeps the code of modules in `cache`, if that is not None. If `lazy`, a body is validated when its
    function is called for the first time, or is asked for in any other way."""

    def __init__(self, features: frozenset[str], cache: Cache | None, lazy: bool) -> None:
        super().__init__("compiled", CompiledMachine, features)
        self.cache = cache
        self.lazy = lazy

    def compile(self, wasm: bytes) -> PureModule:
        """Raises Malformed | Invalid.  Spec: appendix/embedding#module-decode"""
        data = bytes(memoryview(wasm))
        # A large module's takes a while, and without a cache only tracebacks have a use for it.
        digest = once(lambda: sha256(data).digest())
        shelf = None if self.cache is None else ModuleShelf(self.cache, digest())
        known = shelf is not None and shelf.valid
        module = decode(data, self.features, lazy=known or self.lazy)
        valid = validate(module, self.features, lazy=known or self.lazy)
        if known:
            # Bodies as they were decoded need no validation when they are asked for.
            valid = replace(valid, module=module)
        elif shelf is not None and not self.lazy:
            shelf.validated()
        valid.prepared[UNITS] = Units(valid, lambda: digest().hex()[:LABEL], shelf)
        return PureModule(valid)


def switched_on(variable: str, default: bool, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment says `on`; unless it says nothing, all else is off."""
    value = environ.get(variable, "")
    return value.lower() in ON if value else default


def create(features: frozenset[str] = VERSION_3, cache: bool | None = None, lazy: bool | None = None) -> CompiledEngine:
    """The engine. With `cache`, code is kept in the user's cache folder; with `lazy`, bodies are validated at their
    first call. Where one is None, the environment variable WASCC_CACHE or WASCC_LAZY_VALIDATION says whether (`on` or
    `off`); if it does not, there is a cache, and modules are validated as a whole."""
    if cache is None:
        cache = switched_on(CACHE_VARIABLE, True)
    if lazy is None:
        lazy = switched_on(LAZY_VARIABLE, False)
    return CompiledEngine(features, Cache.open(features) if cache else None, lazy)

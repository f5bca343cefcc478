"""What attacks on any provider need: payloads from the schemas of its messages, broken ones too, and what must hold."""

from __future__ import annotations

import gc
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
from hypothesis import strategies as st

from host.codec import Message, encode, types
from host.codec import schema as wire
from host.codec.core import CapabilityConfiguration
from host.logs import MAX_LOGGED_CHARACTERS
from host.plugins import InstalledProviders
from host.providers.base import CapabilityProvider, Provider, ProviderError

NAMES = InstalledProviders().names()
"""The entry points of all providers."""

SECRET = "hunter2"

_TEXTS = ("", "a", "b", "a.b", "../../x", "/etc/passwd", "a\0b", "\x1b[1m\r\nINFO forged", "ä€\U0001f600", "x" * 300)
_INTEGERS = (0, 1, 2, 3, 7, 16, 200, -1, 2**22 + 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1, -(2**31))
_FLOATS = (0.0, -1.5, float("nan"), float("inf"), 5e-324)


@dataclass
class Place:
    """How a provider is bound, and texts that lead deep into its operations."""

    values: dict[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ()


def made(name: str, dispatcher: Any) -> CapabilityProvider:
    """The provider of an entry point, as a host has it."""
    provider = InstalledProviders().load(name)()
    provider.configure_dispatch(dispatcher)
    return provider


def bind(provider: CapabilityProvider, actor: str, values: Mapping[str, str]) -> None:
    provider.handle_call("system", "BindActor", encode(CapabilityConfiguration(actor, values)))


def remove(provider: CapabilityProvider, actor: str) -> None:
    provider.handle_call("system", "RemoveActor", encode(CapabilityConfiguration(actor)))


class Guests:
    """The actors behind a provider: each answers with anything, or fails in its own way."""

    def __init__(self) -> None:
        self._random = random.Random(0)  # noqa: S311
        self._lock = threading.Lock()

    def dispatch(self, actor: str, operation: str, payload: bytes) -> bytes:
        with self._lock:
            choice, size = self._random.randrange(6), self._random.randrange(40)
            answer = self._random.randbytes(size)
        if choice == 0:
            raise ProviderError("no\r\n\x1b[31m")
        if choice == 1:
            raise ValueError(answer)
        return b"\xc0" if choice == 2 else b"" if choice == 3 else answer


def requests_of(provider: CapabilityProvider) -> dict[str, type[Message]]:
    """The messages of the operations that actors may ask for."""
    if not isinstance(provider, Provider):
        return {}
    return {operation: route.request for operation, route in provider._routes.items()}


def calls(provider: CapabilityProvider, texts: tuple[str, ...]) -> st.SearchStrategy[tuple[str, bytes]]:
    """Operations with payloads: right ones, right ones that were damaged, and any bytes."""
    known = requests_of(provider)
    whole: list[st.SearchStrategy[tuple[str, bytes]]] = [
        st.tuples(st.just(operation), _messages(request, texts)) for operation, request in known.items()
    ]
    names = st.sampled_from([*known, "", "BindActor", "RemoveActor", "GetCapabilityDescriptor", "\x1b[31m\n"])
    anything = st.tuples(names, st.binary(max_size=60))
    if not whole:
        return anything
    right = st.one_of(whole)
    return st.one_of(right, right, right, st.builds(_damaged, right, st.randoms(use_true_random=False)), anything)


def _damaged(call: tuple[str, bytes], chance: random.Random) -> tuple[str, bytes]:
    operation, payload = call
    data = bytearray(payload)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0 if data:
                data[at % len(data)] = chance.randrange(256)
            case 1:
                del data[at:]
            case 2:
                data[at:at] = chance.choice([b"\xdf", b"\xdd", b"\xc6", b"\xdb"]) + b"\xff" * 4
            case _:
                data[at:at] = data[: chance.randrange(8)]
    return operation, bytes(data)


def _messages(message: type[Message], texts: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    # Packed as it is: values out of range are for the provider to refuse.
    packed: Callable[[Any], bytes] = msgpack.packb
    return _plain(message, texts).map(packed)


def _plain(message: type[Message], texts: tuple[str, ...]) -> st.SearchStrategy[Any]:
    fields = wire.schema_of(message).fields
    keys = {each.key: _values(each.type, texts) for each in fields}
    required = {each.key: keys[each.key] for each in fields if not each.has_default}
    optional = {each.key: keys[each.key] for each in fields if each.has_default}
    return st.fixed_dictionaries(required, optional=optional)


def _values(kind: types.FieldType, texts: tuple[str, ...]) -> st.SearchStrategy[Any]:  # noqa: PLR0911
    text = st.one_of(st.sampled_from(texts or _TEXTS), st.sampled_from(_TEXTS), st.text(max_size=8))
    match kind:
        case types.Integer():
            fit = [each for each in _INTEGERS if kind.low <= each <= kind.high]
            return st.one_of(st.sampled_from(fit), st.sampled_from(fit), st.sampled_from(_INTEGERS))
        case types.TEXT:
            return text
        case types.BOOLEAN:
            return st.booleans()
        case types.FLOAT:
            return st.sampled_from(_FLOATS)
        case types.Binary():
            return st.one_of(st.sampled_from([b"", b"abc", b"\xff" * 7, bytes(70_000)]), st.binary(max_size=20))
        case types.NIL:
            return st.none()
        case types.TextMap():
            return st.dictionaries(text, text, max_size=3)
        case types.ListOf():
            return st.lists(_values(kind.item, texts), max_size=4)
        case types.Optional():
            return st.one_of(st.none(), _values(kind.item, texts))
        case types.Variant():
            return st.sampled_from([{index: None} for index in range(len(kind.variants))])
        case types.OneOf():
            kinds = enumerate(item for _, item in kind.types)
            return st.one_of([st.dictionaries(st.just(at), _values(item, texts), min_size=1) for at, item in kinds])
        case wire.Nested():
            return _plain(kind.message, texts)


class Findings(logging.Handler):
    """What went wrong in any thread: errors that are not what they should be, calls that took too long, log records
    that are more than a line."""

    def __init__(self, seconds: float) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []
        self._seconds = seconds

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info or (record.levelno >= logging.WARNING and not is_one_line(text)):
            self.found.append(f"logged by {record.name}: {text!r} {record.exc_info}")

    def call(self, what: str, work: Callable[[], object]) -> ProviderError | None:
        """Do something that may be refused, by one line and in time; the refusal."""
        start, refusal = time.monotonic(), None
        try:
            work()
        except ProviderError as error:
            refusal = error
            if not is_one_line(str(error)):
                self.found.append(f"{what}: {str(error)!r}")
        except BaseException as error:
            self.found.append(f"{what}: {error!r}")
        if time.monotonic() - start > self._seconds:
            self.found.append(f"{what}: took {time.monotonic() - start:.1f} s")
        return refusal

    def __enter__(self) -> Findings:
        logging.getLogger().addHandler(self)
        self._former_hook = threading.excepthook
        threading.excepthook = lambda args: self.found.append(f"thread {args.thread}: {args.exc_value!r}")
        return self

    def __exit__(self, *_: object) -> None:
        threading.excepthook = self._former_hook
        logging.getLogger().removeHandler(self)


def is_one_line(text: str) -> bool:
    """Whether a text is what a person can read and a terminal does not obey, and not endless."""
    return text.isprintable() and 0 < len(text) < 4 * MAX_LOGGED_CHARACTERS


def resources() -> dict[str, int]:
    """How many descriptors, threads and child processes this process has."""
    gc.collect()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "threads": threading.active_count(),
        "processes": len(children),
    }


def settled(before: Mapping[str, int], spare: int = 0, seconds: float = 15.0) -> Mapping[str, int]:
    """What there is more of than before, once nothing changes for the better any more."""
    end = time.monotonic() + seconds
    while True:
        now = resources()
        more = {name: count - before[name] for name, count in now.items() if count > before[name] + spare}
        if not more or time.monotonic() > end:
            return more
        time.sleep(0.1)


def resident_bytes() -> int:
    """The memory that the process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

"""What is run: a module, what is called in it, and what must come; in a form that goes to other processes as JSON."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class HostCall:
    """A call that a waPC guest makes to its host, and what it gets: an answer, or None and an error text."""

    binding: str
    namespace: str
    operation: str
    payload: bytes
    answer: bytes | None
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON data."""
        answer = None if self.answer is None else _text(self.answer)
        names = {"binding": self.binding, "namespace": self.namespace, "operation": self.operation}
        return {**names, "payload": _text(self.payload), "answer": answer, "error": self.error}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> HostCall:
        """The call that `to_json` made this data of."""
        answer = None if data["answer"] is None else b64decode(data["answer"])
        return cls(**{**data, "payload": b64decode(data["payload"]), "answer": answer})


@dataclass(frozen=True, slots=True)
class GuestCall:
    """The request that a waPC guest is called with, over and over; what it imports, as module and name; the exports
    that it wants called before; and all calls that it makes to its host meanwhile, in their order."""

    operation: bytes
    payload: bytes
    imports: tuple[tuple[str, str], ...]
    starters: tuple[str, ...]
    host_calls: tuple[HostCall, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON data."""
        host_calls = [call.to_json() for call in self.host_calls]
        request = {"operation": _text(self.operation), "payload": _text(self.payload)}
        return {**request, "imports": self.imports, "starters": self.starters, "host_calls": host_calls}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> GuestCall:
        """The call that `to_json` made this data of."""
        request = b64decode(data["operation"]), b64decode(data["payload"])
        imports = tuple((module, name) for module, name in data["imports"])
        return cls(*request, imports, tuple(data["starters"]), tuple(map(HostCall.from_json, data["host_calls"])))


@dataclass(frozen=True, slots=True)
class Program:
    """A module and what is called in it: an exported function with arguments, a waPC guest's operation, or nothing.

    `answers` are the texts (`answer_text`) of what the calls must give, one after the other; of a function the same
    each time, so that one is enough. With none, nobody checks. `kernel` is the name of the kernel, for those who need
    no module. `patience` is how many seconds of first calls are worth looking at: no further call is made then.
    """

    name: str
    wasm: bytes
    export: str = ""
    args: tuple[int | float, ...] = ()
    guest: GuestCall | None = None
    answers: tuple[str, ...] = ()
    kernel: str = ""
    patience: float = 0.05

    @property
    def title(self) -> str:
        """What it is called where its arguments do not matter."""
        return f"kernel {self.kernel}" if self.kernel else self.name

    @property
    def most_calls(self) -> int | None:
        """How many calls there are answers for; None if there is no end."""
        if self.guest is not None:
            return len(self.answers)
        return None if self.export else 0

    def answer(self, index: int) -> str | None:
        """The text of what call `index`, from 0, must give; None if that is not known."""
        return self.answers[min(index, len(self.answers) - 1)] if self.answers else None

    def to_json(self) -> dict[str, Any]:
        """As JSON data."""
        guest = None if self.guest is None else self.guest.to_json()
        call = {"export": self.export, "args": self.args, "guest": guest, "answers": self.answers}
        module = {"name": self.name, "wasm": _text(self.wasm), "kernel": self.kernel}
        return {**module, **call, "patience": self.patience}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Program:
        """The program that `to_json` made this data of."""
        guest = None if data["guest"] is None else GuestCall.from_json(data["guest"])
        wasm, args, answers = b64decode(data["wasm"]), tuple(data["args"]), tuple(data["answers"])
        rest = data["kernel"], data["patience"]
        return cls(data["name"], wasm, data["export"], args, guest, answers, *rest)


def answer_text(value: object) -> str:
    """A result as text: two of them are equal if and only if the values are, bit by bit but for the payload of NaN."""
    return value.hex() if isinstance(value, bytes) else repr(value)


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")

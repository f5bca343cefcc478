"""What the bus adds to a call of a provider: the host's own parts, without an actor, around a key-value store."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.actor import KEY
from benchmarks.errors import check_output
from benchmarks.results import BusResult, Comparison, series
from benchmarks.timing import Effort, Progress, time_all
from host import HostShutDown, InProcessBus, Invocation, InvocationResponse, WascapFailure
from host.authorization import AllowAll, authorized_target
from host.codec import decode, encode
from host.codec.core import OP_BIND_ACTOR, CapabilityConfiguration
from host.codec.keyvalue import CAPABILITY, OP_ADD, AddRequest, AddResponse
from host.core import SYSTEM, HostCore, Settings
from host.entities import DEFAULT_BINDING, ActorEntity, CapabilityEntity
from host.gate import Gate
from host.loaded_providers import LoadedProvider, Readiness
from host.providers.keyvalue import MemoryKeyValueProvider
from host.subjects import bound_subject
from host.turns import Patience, Turns
from interp.engine import DEFAULT_ENGINE, load_engine
from wapc import DEFAULT_LIMITS
from wascap import ActorMetadata, Claims, KeyPair, KeyType

HANDLER = "handler"
BUS = "bus"
AUTHORIZED = "bus, authorized"
SIGNED = "bus, signed"
VERIFIED = "bus, signed and verified"

REQUEST = encode(AddRequest(KEY, 1))


class SigningBus(InProcessBus):
    """Reads the token of every invocation, which signs it, as a bus that leaves the process does."""

    def request(self, subject: str, invocation: Invocation) -> InvocationResponse:
        """Run the subject's handler. Raises what InProcessBus raises, WascapFailure."""
        if not invocation.encoded_claims:
            raise WascapFailure("the invocation is not signed")
        return super().request(subject, invocation)


class Rig:
    """A host's core with one provider, to which an actor is bound that is only a key."""

    def __init__(self, *, signed: bool = False, verified: bool = False) -> None:
        self.calls = 0
        """How many calls were made before anything was timed."""
        key = KeyPair.generate(KeyType.SERVER)
        self.actor = KeyPair.generate(KeyType.MODULE).public_key
        patience = Patience()
        self.core = HostCore(
            key,
            key.public_key,
            SigningBus() if signed else InProcessBus(),
            AllowAll(),
            Settings(load_engine(DEFAULT_ENGINE), DEFAULT_LIMITS, patience, 1.0, verified),
            Gate(HostShutDown, "the benchmark is over"),
            Turns(patience),
        )
        self.provider = MemoryKeyValueProvider()
        self._loaded = LoadedProvider(self.core, self.provider, DEFAULT_BINDING)
        self._loaded.start(lambda actor: actor == self.actor)
        configuration = encode(CapabilityConfiguration(self.actor))
        self.core.call(self._loaded.subject, SYSTEM, self._loaded.entity, OP_BIND_ACTOR, configuration)
        readiness = Readiness()
        readiness.complete()
        self._loaded.serve_actor(self.actor, readiness)
        self._entity = ActorEntity(self.actor)
        self._subject = bound_subject(CAPABILITY, DEFAULT_BINDING, self.actor)
        self._target = CapabilityEntity(CAPABILITY, DEFAULT_BINDING)
        self._claims = Claims(
            issuer=key.public_key, subject=self.actor, metadata=ActorMetadata(capabilities=(CAPABILITY,))
        )

    def handler(self) -> bytes:
        """Call the provider itself."""
        return self.provider.handle_call(self.actor, OP_ADD, REQUEST)

    def bus(self) -> bytes:
        """Call it over the bus."""
        return self.core.call(self._subject, self._entity, self._target, OP_ADD, REQUEST)

    def authorized_bus(self) -> bytes:
        """Call it as the host does for an actor: check its claims first, and find out the subject."""
        target = authorized_target(self._claims, self.core.authorizer, DEFAULT_BINDING, CAPABILITY, OP_ADD)
        return self.core.call(
            bound_subject(CAPABILITY, DEFAULT_BINDING, self.actor), self._entity, target, OP_ADD, REQUEST
        )

    def close(self) -> None:
        """Stop the provider and the bus."""
        self._loaded.stop(0)
        self.core.bus.close()


def measure_bus(effort: Effort, progress: Progress = lambda _: None) -> BusResult:
    """Seconds for one Add of the key-value store in memory: its handler, and the ways over the bus to it.

    Raises BenchmarkError, HostError.
    """
    plain, signing, verifying = rigs = Rig(), Rig(signed=True), Rig(verified=True)
    try:
        ways: dict[str, tuple[Rig, Callable[[], bytes]]] = {
            HANDLER: (plain, plain.handler),
            BUS: (plain, plain.bus),
            AUTHORIZED: (plain, plain.authorized_bus),
            SIGNED: (signing, signing.bus),
            VERIFIED: (verifying, verifying.bus),
        }
        for name, (rig, call) in ways.items():
            rig.calls += 1
            check_output(f"Add by way of {name}", decode(AddResponse, call()), AddResponse(rig.calls))
        timed = time_all({name: call for name, (_, call) in ways.items()}, effort, progress)
    finally:
        for rig in rigs:
            rig.close()
    calls = Comparison(OP_ADD, tuple(series(name, timed[name]) for name in ways))
    return BusResult(f"{OP_ADD} of {CAPABILITY}, in memory", HANDLER, calls)

"""What every part of a host shares: its identity, the bus, the settings; and the two ends of a call on the bus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from host.authorization import Authorizer
from host.bus import Bus, Handler
from host.chains import Hop, current_chain
from host.codec.core import SYSTEM_ACTOR
from host.entities import ActorEntity, Entity
from host.errors import AntiforgeryFailure, InvocationFailure
from host.gate import Gate
from host.invocation import Invocation, InvocationResponse, check_antiforgery
from host.log_records import current_invocation
from host.logs import log, printable
from host.middleware.chain import Kind, MiddlewareChain
from host.policy import Policies
from host.turns import Patience, Turns, let_go
from interp.engine import Engine, Limits
from wascap import KeyPair

SYSTEM = ActorEntity(SYSTEM_ACTOR)
"""The origin of what the host itself asks for."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a host runs its actors: each call within `limits`, waiting for a turn with `patience`; `shutdown_seconds` is
    how long a call under way may delay the removal of what it runs on; `verify_invocations` has every invocation's
    token checked, also inside this process."""

    engine: Engine
    limits: Limits
    patience: Patience
    shutdown_seconds: float
    verify_invocations: bool


@dataclass(frozen=True, slots=True)
class HostCore:
    """The shared parts. `gate` is passed by everything that enters the host from outside, `turns` order changes, and
    `middleware` is around every call."""

    key: KeyPair = field(repr=False)
    host_id: str
    bus: Bus
    authorizer: Authorizer
    settings: Settings
    gate: Gate
    turns: Turns
    middleware: MiddlewareChain = field(default_factory=MiddlewareChain)
    policies: Policies = field(default_factory=Policies)

    def call(self, subject: str, origin: Entity, target: Entity, operation: str, payload: bytes) -> bytes:
        """Make a call and wait for its answer. Raises InvocationFailure (the target's error), NoSubscribers,
        HostShutDown, MiscHostError."""
        invocation = Invocation.create(self.key, self.host_id, origin, target, operation, payload)
        chain = current_chain()
        hops, held = chain.hops, len(chain.held)
        hops.append(Hop(target, operation))
        try:
            response = self.bus.request(subject, invocation)
        except Exception:
            raise
        except BaseException:
            # An interrupt may come at any place, also while a turn is left.
            let_go(chain, held)
            raise
        finally:
            hops.pop()
        if response.error is not None:
            raise InvocationFailure(response.error) from response.cause
        return response.payload

    def serve(self, subject: str, kind: Kind, perform: Callable[[Invocation], bytes]) -> None:
        """Serve a subject with `perform`; what that raises is answered as the error of an entity of this `kind`."""
        self.bus.serve(subject, self._handler(kind, perform))

    def _handler(self, kind: Kind, perform: Callable[[Invocation], bytes]) -> Handler:
        def handle(invocation: Invocation) -> InvocationResponse:
            try:
                return InvocationResponse(perform(invocation), None, invocation.id)
            except Exception as error:
                return InvocationResponse.failed(kind, invocation, error)

        guarded = self.middleware.around(kind, handle)
        return _logged(_verified(guarded) if self.settings.verify_invocations else guarded)


def _logged(handle: Handler) -> Handler:
    """What is logged while the handler runs is about its invocation."""

    def remember_and_handle(invocation: Invocation) -> InvocationResponse:
        around = current_invocation.set(invocation)
        try:
            return handle(invocation)
        finally:
            current_invocation.reset(around)

    return remember_and_handle


def _verified(handle: Handler) -> Handler:
    def check_and_handle(invocation: Invocation) -> InvocationResponse:
        try:
            check_antiforgery(invocation)
        except AntiforgeryFailure as failure:
            log.warning("Invocation Antiforgery check failure: %s", printable(failure.message))
            return InvocationResponse(b"", f"Antiforgery check failure: {failure.message}", invocation.id, failure)
        return handle(invocation)

    return check_and_handle

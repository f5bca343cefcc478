"""Running actors: the guest instance of each, its turn, and what its module may reach through the host."""

from __future__ import annotations

import threading

from host.actor import Actor
from host.authorization import authorized_target, check_loadable
from host.codec.core import OP_BIND_ACTOR, OP_PERFORM_LIVE_UPDATE, OP_REMOVE_ACTOR
from host.core import SYSTEM, HostCore
from host.entities import ActorEntity
from host.errors import (
    AuthorizationFailure,
    CallRefused,
    DuplicateActor,
    HostError,
    InvocationFailure,
    MiscHostError,
    NoSuchActor,
    WapcFailure,
)
from host.invocation import Invocation
from host.logs import log, printable
from host.subjects import actor_subject, bound_subject
from host.turns import Turn
from wapc import WapcHost

HOST_OPERATIONS = frozenset({OP_BIND_ACTOR, OP_REMOVE_ACTOR, OP_PERFORM_LIVE_UPDATE})
"""Operations that an actor accepts from nobody but the host."""


def no_such_actor() -> NoSuchActor:
    """The error of a public key that no running actor has."""
    return NoSuchActor("No such actor")


class RunningActor:
    """An actor with an instance of its module, which handles one call at a time, in the order of the callers.

    Creating it starts the instance. Raises WapcFailure.
    """

    def __init__(self, core: HostCore, actor: Actor) -> None:
        self.actor = actor
        self._core = core
        self._entity = ActorEntity(actor.public_key)
        self._turn = Turn(f"Actor {actor.public_key}", core.settings.patience)
        self._retired = False
        try:
            self._guest: WapcHost | None = WapcHost(
                core.settings.engine,
                actor.wasm,
                self._host_call,
                limits=core.settings.limits,
                console_log=self._console_log,
            )
        except Exception as error:
            raise WapcFailure(str(error)) from error

    def perform(self, invocation: Invocation) -> bytes:
        """Have the guest handle the call once its turn has come. Raises CallRefused, and what the guest failed with."""
        if invocation.operation in HOST_OPERATIONS and invocation.origin != SYSTEM:
            raise AuthorizationFailure(f"{invocation.operation} is an operation of the host alone")
        if invocation.operation == OP_PERFORM_LIVE_UPDATE:
            raise MiscHostError("An actor is replaced through its host, with a newly signed module")
        with self._turn:
            if self._guest is None:
                raise no_such_actor()
            try:
                return self._guest.call(invocation.operation, invocation.payload)
            finally:
                if self._retired:
                    self._close()

    def replace(self, actor: Actor) -> None:
        """Run a new module of the same actor from the next call on. Raises WapcFailure, the old one goes on then."""
        with self._turn:
            if self._guest is None:
                raise no_such_actor()
            previous, self.actor = self.actor, actor
            try:
                self._guest.replace_module(actor.wasm)
            except BaseException as error:
                self.actor = previous
                if not isinstance(error, Exception):
                    raise
                raise WapcFailure(f"Failed to perform hot swap: {error}") from error

    def retire(self, seconds: float) -> None:
        """End the instance when its calls are done; where that takes longer, the last of them ends it."""
        try:
            self._close_in_turn(seconds)
        except CallRefused as refusal:
            log.warning("%s; it ends with that call", refusal.message)
            self._retired = True
            try:
                self._close_in_turn(0)
            except CallRefused:
                log.debug("%s is closed by the call that it still runs", self._entity.public_key)

    def _close_in_turn(self, seconds: float) -> None:
        self._turn.enter(seconds)
        try:
            self._close()
        finally:
            self._turn.leave()

    def _close(self) -> None:
        guest, self._guest = self._guest, None
        if guest is not None:
            guest.close()

    def _host_call(self, binding: str, namespace: str, operation: str, payload: bytes) -> bytes:
        target = authorized_target(self.actor.claims, self._core.authorizer, binding, namespace, operation)
        if isinstance(target, ActorEntity):
            subject = actor_subject(target.public_key)
        else:
            subject = bound_subject(target.capability_id, target.binding, self._entity.public_key)
        try:
            return self._core.call(subject, self._entity, target, operation, payload)
        except InvocationFailure as failure:
            # The guest gets the text without the prefix that people outside see it with.
            raise HostError(failure.message) from failure

    def _console_log(self, guest_id: int, text: str) -> None:
        log.info("Actor %s: %s", self._entity.public_key, printable(text))


class RunningActors:
    """The running actors of one host, by public key. Changes to one actor are made by one caller at a time."""

    def __init__(self, core: HostCore) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._running: dict[str, RunningActor] = {}

    def get(self, public_key: str) -> RunningActor:
        """The actor with that key. Raises NoSuchActor."""
        running = self._running.get(public_key)
        if running is None:
            raise no_such_actor()
        return running

    def find(self, public_key: str) -> Actor | None:
        """What runs under that key, None if nothing does."""
        running = self._running.get(public_key)
        return running.actor if running else None

    def all(self) -> tuple[Actor, ...]:
        """Every actor that runs, in the order in which they were started."""
        with self._lock:
            return tuple(running.actor for running in self._running.values())

    def start(self, actor: Actor) -> None:
        """Check the actor, start it and serve its subject; after an error nothing of it is left.

        Raises DuplicateActor, AuthorizationFailure, WapcFailure, HostShutDown.
        """
        public_key = actor.public_key
        if public_key in self._running:
            raise DuplicateActor(
                f"Actor {public_key} is already in this host. "
                "Cannot host multiple instances of the same actor in the same host"
            )
        check_loadable(actor, self._core.authorizer)
        running = RunningActor(self._core, actor)
        try:
            self._core.serve(actor_subject(public_key), "actor", running.perform)
        except BaseException:
            running.retire(self._core.settings.shutdown_seconds)
            raise
        with self._lock:
            self._running[public_key] = running
        log.info("Actor %s up and running.", public_key)

    def stop(self, public_key: str, seconds: float) -> None:
        """Take the actor out: calls under way have so long to finish, new ones find nobody. Raises NoSuchActor."""
        running = self.get(public_key)
        log.info("Terminating actor %s", public_key)
        self._core.bus.remove(actor_subject(public_key))
        with self._lock:
            self._running.pop(public_key, None)
        running.retire(seconds)

    def replace(self, actor: Actor) -> None:
        """Check the actor's new token and swap the module under its key.

        Raises NoSuchActor, AuthorizationFailure, WapcFailure, CallRefused; the old module serves on then.
        """
        running = self.get(actor.public_key)
        check_loadable(actor, self._core.authorizer)
        running.replace(actor)
        log.info("Actor %s replaced", actor.public_key)

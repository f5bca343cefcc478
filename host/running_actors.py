"""Running actors: the turns and instances of each, and what its module may reach through the host."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from host.actor import Actor
from host.actor_settings import ActorSettings
from host.authorization import authorized_target, check_loadable
from host.chains import title
from host.codec.core import OP_BIND_ACTOR, OP_PERFORM_LIVE_UPDATE, OP_REMOVE_ACTOR
from host.core import SYSTEM, HostCore
from host.entities import ActorEntity
from host.errors import (
    AuthorizationFailure,
    DuplicateActor,
    HostError,
    InvocationFailure,
    MiscHostError,
    NoSuchActor,
    RevisionRefused,
    WapcFailure,
)
from host.gate import Gate
from host.instances import Instance, Instances, InstanceState, Supervision, no_such_actor
from host.invocation import Invocation
from host.logs import log, printable
from host.subjects import actor_subject, bound_subject
from host.turns import Turn
from interp.errors import Exhaustion, ExhaustionKind
from wapc import GuestCallFailure

HOST_OPERATIONS = frozenset({OP_BIND_ACTOR, OP_REMOVE_ACTOR, OP_PERFORM_LIVE_UPDATE})
"""Operations that an actor accepts from nobody but the host."""


@dataclass(frozen=True, slots=True)
class ActorState:
    """An actor as it runs now: what and with which settings, its instances, the calls that wait for one, how many calls
    there have been and how many of them failed, and what its instances have been through."""

    actor: Actor
    settings: ActorSettings
    instances: tuple[InstanceState, ...]
    waiting: int
    calls: int
    failures: int
    supervision: Supervision


class RunningActor:
    """An actor with instances of its module, each of which handles one call at a time, in the order of the callers.

    Creating it starts the first instance. Raises WapcFailure.
    """

    def __init__(self, core: HostCore, actor: Actor, settings: ActorSettings) -> None:
        self.settings = settings
        self._core = core
        self._entity = ActorEntity(actor.public_key)
        self._patience = settings.patience_within(core.settings.patience)
        self._limits = settings.limits_within(core.settings.limits)
        self._turn = Turn(f"Actor {actor.public_key}", self._patience, settings.instances)
        self._gate = Gate(NoSuchActor, no_such_actor().message)
        self._calls = 0
        self._failures = 0
        try:
            self._instances = Instances(core.settings.engine, self._limits, actor, self._host_call, self._console_log)
        except Exception as error:
            raise WapcFailure(str(error)) from error

    @property
    def actor(self) -> Actor | None:
        """What runs, None if it has been retired."""
        return self._instances.actor

    @property
    def state(self) -> ActorState | None:
        """What it is doing, None if it has been retired."""
        actor = self.actor
        if actor is None:
            return None
        return ActorState(
            actor,
            self.settings,
            self._instances.states,
            self._turn.waiting,
            self._calls,
            self._failures,
            self._instances.supervision,
        )

    def perform(self, invocation: Invocation) -> bytes:
        """Have an instance handle the call once its turn has come. Raises CallRefused, NoSuchActor, and what the guest
        failed with."""
        if invocation.origin != SYSTEM:
            check_for_others(invocation.operation)
        if invocation.operation == OP_PERFORM_LIVE_UPDATE:
            raise MiscHostError("An actor is replaced through its host, with a newly signed module")
        with self._gate, self._turn:
            self._calls += 1
            instance = self._instances.take(self._patience.seconds)
            failure: BaseException | None = None
            try:
                return instance.call(invocation.operation, invocation.payload)
            except GuestCallFailure as error:
                self._failures += 1
                failure = self._explained(error, invocation.operation, instance)
                raise failure from error.__cause__
            except BaseException as error:
                self._failures += 1
                failure = error
                raise
            finally:
                self._instances.give_back(instance, failure)

    def replace(self, actor: Actor) -> None:
        """Run a new module of the same actor from the next call on. Raises WapcFailure, the old one goes on then."""
        try:
            self._instances.replace(actor)
        except HostError:
            raise
        except Exception as error:
            raise WapcFailure(f"Failed to perform hot swap: {error!s}") from error

    def retire(self, seconds: float) -> None:
        """End the instances when their calls are done; where that takes longer, each ends with its call."""
        self._gate.close()
        self._instances.close()
        if not self._gate.drain(seconds):
            log.warning("%s is still busy; it ends with the calls that it runs", self._turn.label)

    def _explained(self, error: GuestCallFailure, operation: str, instance: Instance) -> GuestCallFailure:
        """The error; where it is about time, with how much there was, and what has taken most of it."""
        if not (isinstance(error.__cause__, Exhaustion) and error.__cause__.what is ExhaustionKind.DEADLINE):
            return error
        text = f"{error.text}: {printable(operation)} has {self._limits.deadline_seconds:g} s"
        if instance.slowest_call is not None:
            seconds, what, target = instance.slowest_call
            text = f"{text}, and {seconds:.3g} s of them went to {title(what, target)}"
        return GuestCallFailure(text, error.host_exception)

    def _host_call(self, instance: Instance, binding: str, namespace: str, operation: str, payload: bytes) -> bytes:
        target = authorized_target(instance.actor.claims, self._core.authorizer, binding, namespace, operation)
        if isinstance(target, ActorEntity):
            subject = actor_subject(target.public_key)
        else:
            subject = bound_subject(target.capability_id, target.binding, self._entity.public_key)
        begin = time.monotonic()
        try:
            return self._core.call(subject, self._entity, target, operation, payload)
        except InvocationFailure as failure:
            # The guest gets the text without the prefix that people outside see it with.
            raise HostError(failure.message) from failure
        finally:
            seconds = time.monotonic() - begin
            if instance.slowest_call is None or seconds > instance.slowest_call[0]:
                instance.slowest_call = seconds, operation, target

    def _console_log(self, guest_id: int, text: str) -> None:
        log.info("Actor %s: %s", self._entity.public_key, printable(text), extra={"actor": self._entity.public_key})


def check_for_others(operation: str) -> None:
    """Raise AuthorizationFailure if an actor takes this operation from its host alone."""
    if operation in HOST_OPERATIONS:
        raise AuthorizationFailure(f"{operation} is an operation of the host alone")


def already_running(public_key: str) -> DuplicateActor:
    """The error of an actor that is there already."""
    return DuplicateActor(
        f"Actor {public_key} is already in this host. Cannot host multiple instances of the same actor in the same host"
    )


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
            found = [running.actor for running in self._running.values()]
        return tuple(actor for actor in found if actor is not None)

    def states(self) -> tuple[ActorState, ...]:
        """What every actor does now, in the order in which they were started."""
        with self._lock:
            found = tuple(self._running.values())
        return tuple(state for running in found if (state := running.state) is not None)

    def start(self, actor: Actor, settings: ActorSettings) -> None:
        """Check the actor, start it and serve its subject; after an error nothing of it is left.

        Raises DuplicateActor, AuthorizationFailure, WapcFailure, HostShutDown.
        """
        public_key = actor.public_key
        if public_key in self._running:
            raise already_running(public_key)
        check_loadable(actor, self._core.authorizer, self._core.policies)
        running = RunningActor(self._core, actor, settings)
        try:
            self._core.serve(actor_subject(public_key), "actor", running.perform)
        except BaseException:
            running.retire(self._core.settings.shutdown_seconds)
            raise
        with self._lock:
            self._running[public_key] = running
        log.info("Actor %s up and running.", public_key, extra={"actor": public_key})

    def stop(self, public_key: str, seconds: float) -> None:
        """Take the actor out: calls under way have so long to finish, new ones find nobody. Raises NoSuchActor."""
        running = self.get(public_key)
        log.info("Terminating actor %s", public_key, extra={"actor": public_key})
        self._core.bus.remove(actor_subject(public_key))
        with self._lock:
            self._running.pop(public_key, None)
        running.retire(seconds)

    def replace(self, actor: Actor, force: bool) -> None:
        """Check the actor's new token and swap the module under its key; with `force`, also for an older revision.

        Raises NoSuchActor, AuthorizationFailure, RevisionRefused, WapcFailure; the old module serves on then.
        """
        running = self.get(actor.public_key)
        check_loadable(actor, self._core.authorizer, self._core.policies)
        former = running.actor
        if former is not None and not force:
            check_revision(former, actor)
        running.replace(actor)
        about = {"actor": actor.public_key}
        log.info("Actor %s replaced", actor.public_key, extra=about)
        if former is not None and former.issuer != actor.issuer:
            issuers = printable(actor.issuer), printable(former.issuer)
            log.warning("Actor %s is signed by %s now, and was by %s", actor.public_key, *issuers, extra=about)


def check_revision(former: Actor, actor: Actor) -> None:
    """Raise RevisionRefused if an actor's revision is lower than that of the one it would replace; no revision counts
    as 0."""
    old, new = (each.claims.metadata.revision or 0 for each in (former, actor))
    if new < old:
        raise RevisionRefused(
            f"Actor {actor.public_key} runs in revision {old}, and the new module is revision {new}: "
            "a lower one is put in its place only by force"
        )

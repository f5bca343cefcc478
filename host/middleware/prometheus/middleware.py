"""The middleware that measures calls for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Self

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from host.codec.core import OP_HEALTH_REQUEST
from host.errors import CallRefused, HostShutDown, MiddlewareError
from host.invocation import Invocation, InvocationResponse
from host.loaded_providers import CORE_OPERATIONS
from host.middleware.base import Middleware, Next
from host.middleware.chain import Kind
from host.middleware.prometheus.endpoint import Endpoint, Pusher
from host.middleware.prometheus.metrics import Metrics, ReferenceNames, target_of
from host.middleware.prometheus.settings import Settings

if TYPE_CHECKING:
    from host.host import Host
    from host.running_actors import ActorState


class PrometheusMiddleware(Middleware):
    """Counts and times calls of actors and providers. For one host; `configured` makes it from configuration values."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings.of({})
        self.registry = CollectorRegistry()
        """All metrics of the host; a program may register more."""
        self._host: Host | None = None
        self._endpoint: Endpoint | None = None
        self._pusher: Pusher | None = None
        reference = ReferenceNames(self._settings.window) if self._settings.reference_names else None
        self._metrics = Metrics(self.registry, self._is_described, self._settings.max_operations, reference)

    @classmethod
    def configured(cls, values: Mapping[str, str]) -> Self:
        """With these values; `docs/middleware.md`. Raises MiddlewareError."""
        return cls(Settings.of(values))

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port of the endpoint, None if there is none."""
        return self._endpoint.address if self._endpoint else None

    def start(self, host: Host) -> None:
        """Open the endpoint, and start pushing. Raises MiddlewareError."""
        if self._host is not None:
            raise MiddlewareError("a Prometheus middleware serves one host, once")
        if self._settings.address is not None:
            self._endpoint = Endpoint(self._settings.address, self.registry)
        self._host = host
        self.registry.register(_HostState(host))
        if self._settings.push is not None:
            self._pusher = Pusher(self._settings.push, self.registry)

    def close(self) -> None:
        """Push a last time, and close the endpoint."""
        pusher, self._pusher = self._pusher, None
        if pusher is not None:
            pusher.stop()
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.stop()

    def actor_invoke(self, invocation: Invocation, call_next: Next) -> InvocationResponse:
        """Measure a call of an actor."""
        return self._measure("actor", invocation, call_next)

    def capability_invoke(self, invocation: Invocation, call_next: Next) -> InvocationResponse:
        """Measure a call of a provider."""
        return self._measure("capability", invocation, call_next)

    def _measure(self, kind: Kind, invocation: Invocation, call_next: Next) -> InvocationResponse:
        running = self._metrics.in_progress[kind]
        running.inc()
        outcome, began = "error", perf_counter()
        try:
            response = call_next(invocation)
            outcome = _outcome(response)
            return response
        finally:
            seconds = perf_counter() - began
            running.dec()
            self._metrics.record(target_of(kind, invocation.target), invocation.operation, outcome, seconds)

    def _is_described(self, operation: str) -> bool:
        if operation in CORE_OPERATIONS or operation == OP_HEALTH_REQUEST:
            return True
        descriptors = self._host.capabilities().values() if self._host else ()
        return any(operation == known.name for each in descriptors for known in each.supported_operations)


def _outcome(response: InvocationResponse) -> str:
    if response.error is None:
        return "ok"
    return "refused" if isinstance(response.cause, (CallRefused, HostShutDown, MiddlewareError)) else "error"


class _HostState(Collector):
    """What is in the host, counted when somebody looks."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def describe(self) -> Iterator[Metric]:
        """The metrics, so that a scraper can ask for some of them by name."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        """The numbers of actors, providers and bindings."""
        host = self._host
        yield GaugeMetricFamily("wascc_actors", "Actors in the host", len(host.actors()))
        yield GaugeMetricFamily("wascc_providers", "Capability providers in the host", len(host.capabilities()))
        yield GaugeMetricFamily("wascc_bindings", "Bindings of actors to providers", len(host.bindings()))
        yield from _actor_metrics(host.actor_states())


def _actor_metrics(states: Sequence[ActorState]) -> Iterator[Metric]:
    """What the actors are doing, one sample for each."""
    instances = GaugeMetricFamily("wascc_actor_instances", "Instances", labels=["actor"])
    busy = GaugeMetricFamily("wascc_actor_instances_busy", "Instances that handle a call", labels=["actor"])
    waiting = GaugeMetricFamily("wascc_actor_calls_waiting", "Calls that wait for an instance", labels=["actor"])
    replaced = CounterMetricFamily("wascc_actor_instances_replaced", "Instances that failed", labels=["actor"])
    for state in states:
        label = [state.actor.public_key]
        instances.add_metric(label, len(state.instances))
        busy.add_metric(label, sum(instance.busy for instance in state.instances))
        waiting.add_metric(label, state.waiting)
        replaced.add_metric(label, state.supervision.replaced)
    yield from (instances, busy, waiting, replaced)

"""The middleware that traces: one trace from a request through actors to providers, and on to other services.

What runs on one thread has its parent in the context variables of that thread; the HTTP server hands those of a request
on to the thread that works for it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from host.asgi import Application, Receive, Scope, Send
from host.codec import CodecError, decode, encode
from host.codec.http import CAPABILITY_CLIENT, OP_PERFORM_REQUEST, Request
from host.entities import CapabilityEntity
from host.errors import MiddlewareError
from host.invocation import Invocation, InvocationResponse
from host.logs import log
from host.middleware.base import Middleware, Next
from host.middleware.tracing.exporter import Exporter
from host.middleware.tracing.settings import Settings
from host.middleware.tracing.spans import (
    call_attributes,
    call_name,
    note_failure,
    note_response,
    note_status,
    request_attributes,
    request_name,
)
from host.providers.base import distribution_version
from host.providers.http_fields import joined

if TYPE_CHECKING:
    from host.host import Host

TRACE_PARENT = "traceparent"

_PROPAGATOR = TraceContextTextMapPropagator()


class TracingMiddleware(Middleware):
    """Makes spans of requests and calls. For one host; `configured` makes it from configuration values.

    `processor` takes the spans in place of the exporter that the settings describe.
    """

    def __init__(self, settings: Settings | None = None, processor: SpanProcessor | None = None) -> None:
        self._settings = settings or Settings.of({})
        self._processor = processor
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None

    @classmethod
    def configured(cls, values: Mapping[str, str]) -> Self:
        """With these values; `docs/middleware.md`. Raises MiddlewareError."""
        return cls(Settings.of(values))

    def start(self, host: Host) -> None:
        """Prepare to export. Raises MiddlewareError."""
        if self._provider is not None:
            raise MiddlewareError("a tracing middleware serves one host, once")
        settings = self._settings
        resource = Resource.create(
            {
                SERVICE_NAME: settings.service_name,
                SERVICE_VERSION: distribution_version(),
                SERVICE_INSTANCE_ID: host.id,
            }
        )
        # A client that says that its trace is sampled must not make the host trace more than it is told to.
        ratio = TraceIdRatioBased(settings.sampling_ratio)
        sampler = ParentBased(ratio, remote_parent_sampled=ratio)
        self._provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(self._processor or _exporting(settings))
        self._tracer = self._provider.get_tracer("wascc", distribution_version())

    def close(self) -> None:
        """Export what is left, for as long as the settings allow."""
        provider, seconds = self._provider, self._settings.flush_timeout
        if provider is None:
            return
        flushing = threading.Thread(target=provider.shutdown, name="flushing traces", daemon=True)
        flushing.start()
        flushing.join(seconds)
        if flushing.is_alive():
            log.warning("The last traces could not be exported within %g seconds", seconds)

    async def http_invoke(self, application: Application, scope: Scope, receive: Receive, send: Send) -> None:
        """A span for a request, the child of the one that its header `traceparent` names."""
        status: int | None = None

        async def noting_send(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        parent = self._remote_parent(scope) if self._settings.continues_remote else Context()
        span = self._started.start_span(request_name(scope), parent, SpanKind.SERVER, request_attributes(scope))
        token = attach(set_span_in_context(span, parent))
        try:
            await application(scope, receive, noting_send)
        finally:
            detach(token)
            note_status(span, status)
            span.end()

    def actor_invoke(self, invocation: Invocation, call_next: Next) -> InvocationResponse:
        """A span for a call of an actor."""
        return self._trace(invocation, call_next)

    def capability_invoke(self, invocation: Invocation, call_next: Next) -> InvocationResponse:
        """A span for a call of a provider; the HTTP client's request gets the header `traceparent`."""
        return self._trace(invocation, call_next)

    def _trace(self, invocation: Invocation, call_next: Next) -> InvocationResponse:
        with self._started.start_as_current_span(
            call_name(invocation),
            attributes=call_attributes(invocation),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                response = call_next(self._propagated(invocation))
            except BaseException as error:
                note_failure(span, type(error).__name__)
                raise
            note_response(span, response)
            return response

    @property
    def _started(self) -> Tracer:
        if self._tracer is None:
            raise MiddlewareError("the tracing middleware has not been started")
        return self._tracer

    def _remote_parent(self, scope: Scope) -> Context:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        if sum(name == TRACE_PARENT for name, _ in headers) != 1:
            # Two of them contradict each other, and the specification says to take neither.
            return Context()
        return _PROPAGATOR.extract(joined(headers), Context())

    def _propagated(self, invocation: Invocation) -> Invocation:
        """The call, or where it is a request to another service, the call with the trace in its headers."""
        target = invocation.target
        is_request = isinstance(target, CapabilityEntity) and target.capability_id == CAPABILITY_CLIENT
        if not is_request or invocation.operation != OP_PERFORM_REQUEST or not self._settings.propagates:
            return invocation
        try:
            request = decode(Request, invocation.payload)
            carrier: dict[str, str] = {}
            _PROPAGATOR.inject(carrier)
            if any(name.lower() in carrier for name in request.header):
                return invocation
            return invocation.with_payload(encode(replace(request, header={**request.header, **carrier})))
        except CodecError:
            # The provider says what is wrong with it.
            return invocation


def _exporting(settings: Settings) -> SpanProcessor:
    return BatchSpanProcessor(Exporter(settings), schedule_delay_millis=settings.export_interval * 1000)

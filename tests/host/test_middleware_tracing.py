"""Traces: one from a request through an actor to a provider, exported to a collector that listens here."""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from collector import Collector, collecting
from host_support import TEST_CAPABILITY, Identities, ScriptedProvider, add_all, eventually, in_thread, nested, script
from host_support import actors_that_know_each_other as acquainted
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from servers import free_port

from host import Actor, Host, InvocationFailure, Middleware, MiddlewareError, ProviderError
from host.codec import encode
from host.codec.http import CAPABILITY_CLIENT, OP_PERFORM_REQUEST, Request
from host.middleware.plugins import find_middleware
from host.middleware.tracing import TracingMiddleware
from host.middleware.tracing.settings import Settings
from host.providers.http_client import HttpClientProvider
from host.providers.http_server import HttpServerProvider
from host.providers.keyvalue import MemoryKeyValueProvider

COUNTER = Path(__file__).parents[2] / "examples" / "counter" / "counter.wasm"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
INCOMING = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans: InMemorySpanExporter) -> Callable[..., TracingMiddleware]:
    return lambda **values: TracingMiddleware(Settings.of(values), SimpleSpanProcessor(spans))


class Counter:
    """A host with the counter, served by HTTP, on a store in memory."""

    def __init__(self, host: Host) -> None:
        actor, server = Actor.from_file(COUNTER), HttpServerProvider()
        self.key = actor.public_key
        host.add_actor(actor)
        host.add_capability(server)
        host.add_capability(MemoryKeyValueProvider())
        host.set_binding(self.key, "wascc:keyvalue")
        host.set_binding(self.key, "wascc:http_server", values={"PORT": "0"})
        self.url = "http://{}:{}".format(*server.address(self.key))

    def get(self, path: str = "/counted", **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers=headers)


def finished(spans: InMemorySpanExporter, count: int) -> dict[str, ReadableSpan]:
    """The spans by name, once there are so many: that of a request ends after the client has its answer."""
    assert eventually(lambda: len(spans.get_finished_spans()) >= count)
    return {span.name: span for span in spans.get_finished_spans()}


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def test_one_trace_from_the_request_through_the_actor_to_the_provider(
    host: Host, spans: InMemorySpanExporter, tracing: Callable[..., TracingMiddleware]
) -> None:
    counter = Counter(host)
    host.add_middleware(tracing())
    assert counter.get("/counted?password=secret", authorization="secret").json() == {"counter": 1}
    found = finished(spans, 3)
    request, handling, adding = (found[name] for name in ("GET", "actor/HandleRequest", "wascc:keyvalue/Add"))
    assert parent_of(request) is None
    assert parent_of(handling) == request.context.span_id
    assert parent_of(adding) == handling.context.span_id
    assert {span.context.trace_id for span in found.values()} == {request.context.trace_id}
    assert request.kind == trace.SpanKind.SERVER
    attributes = dict(request.attributes)
    assert attributes.pop("server.port") == int(counter.url.rpartition(":")[2])
    assert attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.path": "/counted",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": "127.0.0.1",
        "client.address": "127.0.0.1",
    }
    assert adding.attributes["rpc.service"] == "wascc:keyvalue"
    assert adding.attributes["rpc.method"] == "Add"
    assert adding.attributes["wascc.binding"] == "default"
    assert adding.attributes["wascc.origin"] == f"wasmbus://{counter.key}"
    assert handling.attributes["rpc.service"] == counter.key
    assert request.resource.attributes["service.instance.id"] == host.id
    assert "secret" not in "".join(span.to_json() for span in found.values())


def test_the_trace_of_a_client_is_continued(
    host: Host, spans: InMemorySpanExporter, tracing: Callable[..., TracingMiddleware]
) -> None:
    counter = Counter(host)
    host.add_middleware(tracing())
    counter.get(traceparent=INCOMING, tracestate="vendor=value")
    found = finished(spans, 3)
    assert {f"{span.context.trace_id:032x}" for span in found.values()} == {TRACE}
    assert f"{parent_of(found['GET']):016x}" == PARENT
    assert found["wascc:keyvalue/Add"].context.trace_state.get("vendor") == "value"


@pytest.mark.parametrize(
    "headers",
    [
        [("traceparent", "nonsense")],
        [("traceparent", f"00-{'0' * 32}-{PARENT}-01")],
        [("traceparent", INCOMING), ("traceparent", INCOMING)],
        [("traceparent", f"{INCOMING}, {INCOMING}")],
        [("tracestate", "vendor=value")],
    ],
)
def test_what_is_no_trace_is_not_continued(
    host: Host,
    spans: InMemorySpanExporter,
    tracing: Callable[..., TracingMiddleware],
    headers: list[tuple[str, str]],
) -> None:
    counter = Counter(host)
    host.add_middleware(tracing())
    assert httpx.get(counter.url, headers=headers).status_code == 200
    request = finished(spans, 3)["GET"]
    assert request.parent is None
    assert f"{request.context.trace_id:032x}" != TRACE


def test_clients_may_be_told_apart_from_the_trace(
    host: Host, spans: InMemorySpanExporter, tracing: Callable[..., TracingMiddleware]
) -> None:
    counter = Counter(host)
    host.add_middleware(tracing(remote_parent="ignore"))
    counter.get(traceparent=INCOMING)
    assert finished(spans, 3)["GET"].parent is None


def test_requests_at_the_same_time_have_traces_of_their_own(
    host: Host, spans: InMemorySpanExporter, tracing: Callable[..., TracingMiddleware], eager_switching: None
) -> None:
    counter = Counter(host)
    host.add_middleware(tracing())
    threads = [in_thread(lambda: [counter.get().status_code for _ in range(10)]) for _ in range(6)]
    for thread, outcome in threads:
        thread.join()
        assert outcome == [[200] * 10]
    finished(spans, 180)
    traces: dict[int, list[ReadableSpan]] = {}
    for span in spans.get_finished_spans():
        traces.setdefault(span.context.trace_id, []).append(span)
    assert len(traces) == 60
    for members in traces.values():
        by_name = {span.name: span for span in members}
        assert sorted(by_name) == ["GET", "actor/HandleRequest", "wascc:keyvalue/Add"]
        assert parent_of(by_name["wascc:keyvalue/Add"]) == by_name["actor/HandleRequest"].context.span_id
        assert parent_of(by_name["actor/HandleRequest"]) == by_name["GET"].context.span_id


def test_actors_that_call_actors_and_providers_that_call_back(
    host: Host, identities: Identities, spans: InMemorySpanExporter, tracing: Callable[..., TracingMiddleware]
) -> None:
    first, second, third = acquainted(identities, 3, TEST_CAPABILITY)

    def call_back(provider: ScriptedProvider, caller: str, payload: bytes) -> bytes:
        return provider.dispatcher.dispatch(third.public_key, "echo", payload)

    add_all(host, [first, second, third], ScriptedProvider(Back=call_back))
    host.add_middleware(tracing())
    operation, payload = nested([first, second], "host", script((TEST_CAPABILITY, "Back", b"x")))
    host.call_actor(first.public_key, operation, payload)
    ended = spans.get_finished_spans()
    assert [span.name for span in ended] == ["actor/echo", f"{TEST_CAPABILITY}/Back", "actor/host", "actor/host"]
    assert [parent_of(span) for span in ended] == [*(span.context.span_id for span in ended[1:]), None]


def test_a_program_with_a_span_of_its_own_is_the_parent(
    host: Host, actor: Actor, spans: InMemorySpanExporter, tracing: Callable[..., TracingMiddleware]
) -> None:
    host.add_middleware(tracing())
    own = trace.NonRecordingSpan(trace.SpanContext(int(TRACE, 16), int(PARENT, 16), False, trace.TraceFlags(1)))
    with trace.use_span(own):
        host.call_actor(actor.public_key, "echo", b"")
    assert f"{parent_of(spans.get_finished_spans()[0]):016x}" == PARENT


def test_errors_have_a_type_and_no_text(
    host: Host, actor: Actor, spans: InMemorySpanExporter, tracing: Callable[..., TracingMiddleware]
) -> None:
    def fail(*_: object) -> bytes:
        raise ProviderError("secret")

    host.add_capability(ScriptedProvider(Fail=fail))
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    host.add_middleware(tracing())
    with pytest.raises(InvocationFailure):
        host.call_actor(actor.public_key, "host", script((TEST_CAPABILITY, "Fail", b"secret")))
    failing, calling = spans.get_finished_spans()
    assert failing.status.status_code == calling.status.status_code == trace.StatusCode.ERROR
    assert failing.attributes["error.type"] == "HostCallFailure"
    assert calling.attributes["error.type"] == "GuestCallFailure"
    assert "secret" not in failing.to_json() + calling.to_json()
    assert not failing.events


def test_what_ends_a_thread_ends_its_spans(
    host: Host, actor: Actor, spans: InMemorySpanExporter, tracing: Callable[..., TracingMiddleware]
) -> None:
    class Ending(Middleware):
        def actor_invoke(self, invocation: object, call_next: object) -> bytes:
            raise SystemExit

    host.add_middleware(tracing())
    host.add_middleware(Ending())
    with pytest.raises(SystemExit):
        host.call_actor(actor.public_key, "echo", b"")
    assert spans.get_finished_spans()[0].attributes["error.type"] == "SystemExit"
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_request_that_never_reaches_the_actor_has_a_span(
    host: Host, spans: InMemorySpanExporter, tracing: Callable[..., TracingMiddleware]
) -> None:
    counter = Counter(host)
    host.add_middleware(tracing())
    with socket.create_connection(counter.url.removeprefix("http://").split(":")) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    assert httpx.request("BREW", counter.url, content=b"x" * 10).status_code == 405
    found = finished(spans, 3)
    assert found["POST"].attributes["http.response.status_code"] == 413
    assert found["POST"].status.status_code == trace.StatusCode.UNSET
    assert found["HTTP"].attributes["http.request.method"] == "_OTHER"


@pytest.mark.parametrize("ratio", ["0", "1"])
@pytest.mark.parametrize("flags", ["00", "01"])
def test_sampling(
    host: Host, spans: InMemorySpanExporter, tracing: Callable[..., TracingMiddleware], ratio: str, flags: str
) -> None:
    """A client can have less sampled than the host would, not more."""
    counter = Counter(host)
    host.add_middleware(tracing(sampling_ratio=ratio))
    assert counter.get(traceparent=f"{INCOMING[:-2]}{flags}").status_code == 200
    if ratio == "1" and flags == "01":
        finished(spans, 3)
    else:
        host.shutdown()
        assert all("RemoveActor" in span.name for span in spans.get_finished_spans()), "of the shutdown alone"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as server:
        yield server


def exporting(collector: Collector, **values: str) -> Middleware:
    return find_middleware("tracing", {"endpoint": f"{collector.url}/v1/traces", **values})


def test_a_collector_gets_the_trace_of_a_request(host: Host, collector: Collector) -> None:
    counter = Counter(host)
    host.add_middleware(
        exporting(collector, export_interval="0.1", headers="authorization=Bearer x, tenant = me", service_name="shop")
    )
    counter.get(traceparent=INCOMING)
    assert eventually(lambda: len(collector.names()) == 3)
    assert sorted(collector.names()) == ["GET", "actor/HandleRequest", "wascc:keyvalue/Add"]
    assert collector.requests[0]["authorization"] == "Bearer x"
    assert collector.requests[0]["tenant"] == "me"
    resource = collector.got[0].resource_spans[0].resource
    assert {each.key: each.value.string_value for each in resource.attributes}["service.name"] == "shop"
    received = [
        span for request in collector.got for each in request.resource_spans[0].scope_spans for span in each.spans
    ]
    assert {span.trace_id.hex() for span in received} == {TRACE}


def test_what_is_left_is_exported_at_the_end(make_host: Callable[..., Host], identities: Identities) -> None:
    with collecting() as collector:
        host, actor = make_host(), identities.actor()
        host.add_middleware(exporting(collector, export_interval="3600"))
        host.add_actor(actor)
        host.call_actor(actor.public_key, "echo", b"")
        host.shutdown()
        assert collector.names() == ["actor/echo"]


def test_a_collector_that_does_not_answer_delays_the_end_no_longer_than_allowed(
    make_host: Callable[..., Host], identities: Identities, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.delay = 5
    host, actor = make_host(), identities.actor()
    host.add_middleware(exporting(collector, flush_timeout="0.2"))
    host.add_actor(actor)
    host.call_actor(actor.public_key, "echo", b"")
    began = time.monotonic()
    host.shutdown()
    assert time.monotonic() - began < 2
    assert "The last traces could not be exported within 0.2 seconds" in caplog.messages


def test_no_collector_hurts_no_call(
    make_host: Callable[..., Host], identities: Identities, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    host, actor = make_host(), identities.actor()
    url = f"http://127.0.0.1:{free_port()}/v1/traces"
    values = {"endpoint": url, "export_interval": "0.1", "export_timeout": "0.2", "headers": "authorization=secret"}
    host.add_middleware(find_middleware("tracing", values))
    host.add_actor(actor)
    assert host.call_actor(actor.public_key, "echo", b"x") == b"x"
    said = "Traces are not exported: "
    assert eventually(lambda: any(message.startswith(said) for message in caplog.messages))
    assert host.call_actor(actor.public_key, "echo", b"x") == b"x"
    host.shutdown()
    assert "secret" not in caplog.text


def test_a_collector_that_refuses_is_told_of_once(
    host: Host, identities: Identities, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    collector.answers = [401] * 3
    actor = identities.actor()
    host.add_middleware(exporting(collector, export_interval="0.1"))
    host.add_actor(actor)

    def is_over() -> bool:
        host.call_actor(actor.public_key, "echo", b"")
        return "Traces are exported again" in caplog.messages

    assert eventually(is_over)
    assert len(collector.requests) > 3
    told = [record for record in caplog.records if "xport" in record.getMessage()]
    assert [record.name for record in told] == ["wascc.host"] * 2
    assert "401" in told[0].getMessage()


@pytest.mark.parametrize(("own", "propagate"), [(False, "on"), (True, "on"), (False, "off")])
def test_the_http_client_sends_the_trace_on(
    host: Host,
    identities: Identities,
    spans: InMemorySpanExporter,
    tracing: Callable[..., TracingMiddleware],
    collector: Collector,
    own: bool,
    propagate: str,
) -> None:
    actor = identities.actor(CAPABILITY_CLIENT)
    host.add_actor(actor)
    host.add_capability(HttpClientProvider())
    host.set_binding(actor.public_key, CAPABILITY_CLIENT, values={"allow": collector.url})
    host.add_middleware(tracing(propagate=propagate))
    header = {"TraceParent": INCOMING} if own else {"x": "y"}
    request = encode(Request("GET", f"{collector.url}/other", "", header, b""))
    host.call_actor(actor.public_key, "host", script((CAPABILITY_CLIENT, OP_PERFORM_REQUEST, request)))
    asking = spans.get_finished_spans()[0]
    assert asking.name == "wascc:http_client/PerformRequest"
    expected = (
        f"00-{asking.context.trace_id:032x}-{asking.context.span_id:016x}-{asking.context.trace_flags:02x}"
        if propagate == "on"
        else None
    )
    assert collector.requests[0].get("traceparent") == (INCOMING if own else expected)
    with pytest.raises(InvocationFailure, match="PerformRequest: "):
        host.call_actor(actor.public_key, "host", script((CAPABILITY_CLIENT, OP_PERFORM_REQUEST, b"junk")))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"endpoint": "collector:4318"}, "endpoint must be an address like http://host:1234/path"),
        ({"sampling_ratio": "2"}, "sampling_ratio must be a number from 0 to 1, not '2'"),
        ({"sampling_ratio": "nan"}, "sampling_ratio must be a number from 0 to 1"),
        ({"headers": "secret"}, "headers must be like name=value,name=value"),
        ({"headers": "a=secret\nb: c"}, "headers must be like name=value,name=value"),
        ({"remote_parent": "trust"}, "remote_parent must be one of continue, ignore, not 'trust'"),
        ({"service_name": ""}, "service_name must be a printable text"),
        ({"endpiont": "x"}, "tracing has no value endpiont; there are endpoint, "),
    ],
)
def test_impossible_values_are_refused(values: dict[str, str], text: str) -> None:
    with pytest.raises(MiddlewareError) as failure:
        find_middleware("tracing", values)
    assert failure.value.message.startswith(f"tracing: {text}")
    assert "secret" not in str(failure.value)


def test_headers_are_not_shown() -> None:
    assert "secret" not in repr(Settings.of({"headers": "authorization=secret"}))


def test_a_tracing_middleware_serves_one_host(make_host: Callable[..., Host], spans: InMemorySpanExporter) -> None:
    middleware = TracingMiddleware(processor=SimpleSpanProcessor(spans))
    middleware.close()
    make_host().add_middleware(middleware)
    with pytest.raises(MiddlewareError, match="serves one host, once"):
        make_host().add_middleware(middleware)


def test_a_missing_library_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("host.middleware.tracing")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(MiddlewareError, match=r"this needs an extra: pip install 'wascc\[tracing\]'"):
        find_middleware("tracing")

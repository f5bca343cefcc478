"""Prometheus: what is counted under which names, and the endpoint and the gateway that it leaves by."""

from __future__ import annotations

import base64
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from host_support import TEST_CAPABILITY, Identities, ScriptedProvider, add_all, eventually, in_thread, script
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from servers import free_port, is_listening

from host import Actor, Host, HostBuilder, InvocationFailure, Middleware, MiddlewareError, PluginError, ProviderError
from host.middleware.plugins import find_middleware
from host.middleware.prometheus import PrometheusMiddleware, endpoint, metrics

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def measuring(**values: str) -> PrometheusMiddleware:
    found = find_middleware("prometheus", {"metrics_server_addr": "127.0.0.1:0", **values})
    assert isinstance(found, PrometheusMiddleware)
    return found


def url(middleware: PrometheusMiddleware, path: str = "/metrics") -> str:
    assert middleware.address is not None
    return "http://{}:{}{}".format(*middleware.address, path)


def parsed(text: str) -> Samples:
    families = text_string_to_metric_families(text)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def scrape(middleware: PrometheusMiddleware) -> Samples:
    response = httpx.get(url(middleware))
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return parsed(response.text)


def labelled(samples: Samples, name: str, **labels: str) -> float | None:
    """The sum of the samples that have these labels."""
    wanted = set(labels.items())
    found = [value for (each, has), value in samples.items() if each == name and wanted <= set(has)]
    return sum(found) if found else None


@pytest.fixture
def middleware(host: Host) -> PrometheusMiddleware:
    added = measuring()
    host.add_middleware(added)
    return added


@pytest.fixture
def provided(host: Host, actor: Actor) -> ScriptedProvider:
    def fail(provider: ScriptedProvider, caller: str, payload: bytes) -> bytes:
        raise ProviderError("no")

    provider = ScriptedProvider(Work=lambda provider, caller, payload: b"done", Fail=fail)
    host.add_capability(provider)
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    return provider


def work(host: Host, actor: Actor, operation: str = "Work", capability: str = TEST_CAPABILITY) -> None:
    """Have the actor call an operation, which may fail."""
    with suppress(InvocationFailure):
        host.call_actor(actor.public_key, "host", script((capability, operation, b"")))


def test_calls_are_counted_once_under_labels(
    host: Host, actor: Actor, middleware: PrometheusMiddleware, provided: ScriptedProvider
) -> None:
    for _ in range(3):
        work(host, actor)
    work(host, actor, "Fail")
    samples = scrape(middleware)
    count = "wascc_invocations_total"
    here = {"target_kind": "capability", "target": TEST_CAPABILITY, "binding": "default"}
    assert labelled(samples, count, **here, operation="Work", outcome="ok") == 3
    assert labelled(samples, count, **here, operation="other", outcome="error") == 1
    assert labelled(samples, count, **here, operation="BindActor", outcome="ok") == 1
    assert labelled(samples, count, target_kind="actor", target=actor.public_key, operation="host", outcome="ok") == 3
    assert labelled(samples, count) == 9
    buckets = "wascc_invocation_duration_seconds_bucket"
    assert labelled(samples, buckets, **here, operation="Work", le="+Inf") == 3
    assert labelled(samples, "wascc_invocation_duration_seconds_count", target_kind="actor") == 4
    assert labelled(samples, "wascc_invocations_in_progress") == 0


def test_names_of_the_original(
    host: Host, actor: Actor, middleware: PrometheusMiddleware, provided: ScriptedProvider
) -> None:
    for _ in range(3):
        work(host, actor)
    samples = {name: value for (name, labels), value in scrape(middleware).items() if not labels}
    key, capability = actor.public_key, f"{TEST_CAPABILITY}_default"
    expected = {
        "actor_total": 3,
        "cap_total": 4,
        key: 3,
        f"{key}_host": 3,
        capability: 4,
        f"{capability}_Work": 3,
        f"{capability}_BindActor": 1,
    }
    assert {name: samples[f"wascc_{name}_inv_count"] for name in expected} == expected
    times = [samples[f"wascc_{name}_average_inv_time"] for name in expected]
    assert all(0 < milliseconds < 1000 for milliseconds in times)
    assert samples["wascc_actors"] == 1
    assert samples["wascc_providers"] == 2
    assert samples["wascc_bindings"] == 1
    assert samples["process_resident_memory_bytes"] > 0


def test_the_average_moves_within_its_window() -> None:
    average = metrics.Average()
    for milliseconds in (10.0, 20.0, 30.0):
        average.add(milliseconds, 2)
    assert average.count == 3
    assert average.milliseconds == (15 * 1 + 30) / 2


def test_both_formats_can_be_read(host: Host, actor: Actor, middleware: PrometheusMiddleware) -> None:
    host.call_actor(actor.public_key, "echo", b"")
    response = httpx.get(url(middleware), headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert {"wascc_invocations", f"wascc_{actor.public_key}_echo_inv_count"} <= {
        family.name for family in openmetrics(response.text)
    }


def test_operation_names_of_guests_cannot_make_any_number_of_metrics(
    host: Host, actor: Actor, provided: ScriptedProvider
) -> None:
    few = measuring(max_operations="5")
    host.add_middleware(few)
    work(host, actor)
    before = len(scrape(few))
    # What fails never gets a name; what succeeds gets one while there is room.
    for number in range(200):
        work(host, actor, f"made up {number}")
    provided.operations = {f"Operation{number}": lambda *_: b"" for number in range(100)}
    for number in range(100):
        work(host, actor, f"Operation{number}")
    work(host, actor, "x" * 500)
    samples = scrape(few)
    operations = {dict(labels)["operation"] for (name, labels) in samples if name == "wascc_invocations_total"}
    assert operations == {"Work", "host", "other", "Operation0", "Operation1", "Operation2"}
    other = labelled(samples, "wascc_invocations_total", target=TEST_CAPABILITY, operation="other")
    assert other == 200 + 97 + 1
    assert len(samples) < before + 200


def test_described_operations_have_names_even_if_they_fail(host: Host, identities: Identities) -> None:
    none_left = measuring(max_operations="0")
    host.add_middleware(none_left)
    actor = identities.actor("wascc:extras")
    host.add_actor(actor)
    work(host, actor, "RequestRandom", "wascc:extras")
    samples = scrape(none_left)
    assert labelled(samples, "wascc_invocations_total", operation="RequestRandom", outcome="error") == 1


def test_targets_are_bounded_too(monkeypatch: pytest.MonkeyPatch, host: Host, identities: Identities) -> None:
    monkeypatch.setattr(metrics, "MAX_TARGETS", 2)
    bounded = measuring()
    host.add_middleware(bounded)
    actors = [identities.actor() for _ in range(5)]
    add_all(host, actors)
    for actor in actors:
        host.call_actor(actor.public_key, "echo", b"")
    samples = scrape(bounded)
    targets = {dict(labels)["target"] for (name, labels) in samples if name == "wascc_invocations_total"}
    assert targets == {actors[0].public_key, actors[1].public_key, "other"}
    assert labelled(samples, "wascc_invocations_total", target="other", operation="other") == 3


def test_an_illegal_name_is_left_to_the_labels(
    host: Host, identities: Identities, middleware: PrometheusMiddleware, caplog: pytest.LogCaptureFixture
) -> None:
    capability = "test:odd-name"
    actor = identities.actor(capability)
    host.add_actor(actor)
    host.add_capability(ScriptedProvider(capability, Work=lambda *_: b""))
    host.set_binding(actor.public_key, capability)
    host.call_actor(actor.public_key, "host", script((capability, "Work", b"")))
    samples = scrape(middleware)
    assert labelled(samples, "wascc_invocations_total", target=capability, operation="Work") == 1
    assert not any("odd-name" in name for name, _ in samples)
    line = "wascc_test:odd-name_default_inv_count cannot be a metric's name; the labelled metrics have it"
    assert caplog.messages.count(line) == 1


def test_names_that_two_could_have_belong_to_the_first(
    host: Host, identities: Identities, middleware: PrometheusMiddleware
) -> None:
    """A capability `actor` with the binding `total` would have the name of the sum over all actors."""
    actor = identities.actor("actor")
    host.add_actor(actor)
    host.add_capability(ScriptedProvider("actor"), "total")
    host.set_binding(actor.public_key, "actor", "total")
    assert labelled(scrape(middleware), "wascc_actor_total_inv_count") == 0


def test_refused_calls_have_an_outcome_of_their_own(host: Host, actor: Actor, middleware: PrometheusMiddleware) -> None:
    class Refusing(Middleware):
        def actor_invoke(self, invocation: object, call_next: object) -> bytes:
            raise MiddlewareError("no")

    host.call_actor(actor.public_key, "echo", b"")
    host.add_middleware(Refusing())
    with pytest.raises(InvocationFailure):
        host.call_actor(actor.public_key, "echo", b"")
    samples = scrape(middleware)
    assert labelled(samples, "wascc_invocations_total", operation="echo", outcome="refused") == 1
    assert labelled(samples, "wascc_invocations_total", operation="echo", outcome="ok") == 1


def test_what_ends_a_thread_is_counted_as_an_error(host: Host, actor: Actor, middleware: PrometheusMiddleware) -> None:
    class Ending(Middleware):
        def actor_invoke(self, invocation: object, call_next: object) -> bytes:
            raise SystemExit

    host.call_actor(actor.public_key, "echo", b"")
    host.add_middleware(Ending())
    with pytest.raises(SystemExit):
        host.call_actor(actor.public_key, "echo", b"")
    samples = scrape(middleware)
    assert labelled(samples, "wascc_invocations_total", operation="echo", outcome="error") == 1
    assert labelled(samples, "wascc_invocations_in_progress") == 0


def test_calls_under_way_are_shown(
    host: Host, actor: Actor, middleware: PrometheusMiddleware, provided: ScriptedProvider
) -> None:
    inside, leave = threading.Event(), threading.Event()

    def wait(*_: object) -> bytes:
        inside.set()
        leave.wait(20)
        return b""

    provided.operations = {"Wait": wait}
    thread, _ = in_thread(lambda: work(host, actor, "Wait"))
    assert inside.wait(20)
    samples = scrape(middleware)
    assert labelled(samples, "wascc_invocations_in_progress", target_kind="actor") == 1
    assert labelled(samples, "wascc_invocations_in_progress", target_kind="capability") == 1
    assert labelled(samples, "wascc_actor_instances", actor=actor.public_key) == 1
    assert labelled(samples, "wascc_actor_instances_busy", actor=actor.public_key) == 1
    assert labelled(samples, "wascc_actor_calls_waiting", actor=actor.public_key) == 0
    assert labelled(samples, "wascc_actor_instances_replaced_total", actor=actor.public_key) == 0
    leave.set()
    thread.join()


def test_only_the_metrics_are_there(middleware: PrometheusMiddleware) -> None:
    assert [httpx.get(url(middleware, path)).status_code for path in ("/", "/metrics/x", "/favicon.ico")] == [404] * 3
    assert httpx.get(url(middleware, "/metrics?name[]=wascc_actors")).text.count("\n") == 3
    assert httpx.post(url(middleware), content=b"x").status_code == 501


def test_slow_and_broken_clients_hold_up_neither_calls_nor_each_other(
    host: Host, actor: Actor, middleware: PrometheusMiddleware, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert middleware.address is not None
    slow = [socket.create_connection(middleware.address) for _ in range(8)]
    for connection in slow:
        connection.sendall(b"GET /metrics HTTP/1.0\r\nSlow")
    broken = socket.create_connection(middleware.address)
    broken.sendall(b"\x00\xff nonsense\r\n\r\n")
    began = time.monotonic()
    for _ in range(20):
        host.call_actor(actor.public_key, "echo", b"")
    assert labelled(scrape(middleware), "wascc_invocations_total", operation="echo") == 20
    assert time.monotonic() - began < endpoint.CLIENT_SECONDS / 2
    for connection in (*slow, broken):
        connection.close()


def test_more_clients_than_there_is_room_for_are_turned_away(middleware: PrometheusMiddleware) -> None:
    assert middleware.address is not None
    waiting = [socket.create_connection(middleware.address) for _ in range(endpoint.MAX_CONNECTIONS)]
    assert eventually(lambda: turned_away(middleware))
    for connection in waiting:
        connection.close()
    assert eventually(lambda: not turned_away(middleware))


def turned_away(middleware: PrometheusMiddleware) -> bool:
    try:
        return not httpx.get(url(middleware)).is_success
    except httpx.TransportError:
        return True


def test_the_port_is_free_again_after_the_host_and_a_taken_one_is_an_error(identities: Identities) -> None:
    port = free_port()
    for _ in range(2):
        with HostBuilder().with_middleware(measuring(metrics_server_addr=f"127.0.0.1:{port}")).build() as host:
            assert is_listening(port)
            with pytest.raises(MiddlewareError, match=f"metrics cannot be served at 127.0.0.1:{port}: Address already"):
                host.add_middleware(measuring(metrics_server_addr=f"127.0.0.1:{port}"))
            assert len(host.middleware()) == 1
        assert not is_listening(port)


def test_a_slow_client_does_not_delay_the_shutdown(make_host: Callable[..., Host]) -> None:
    host, middleware = make_host(), measuring()
    host.add_middleware(middleware)
    assert middleware.address is not None
    connection = socket.create_connection(middleware.address)
    connection.sendall(b"GET /metr")
    began = time.monotonic()
    host.shutdown()
    assert time.monotonic() - began < 3
    connection.close()


class Gateway(ThreadingHTTPServer):
    """A push gateway: remembers what was put where, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 202
        self.got: list[tuple[str, str, str | None, str]] = []
        super().__init__(("127.0.0.1", 0), GatewayHandler)


class GatewayHandler(BaseHTTPRequestHandler):
    server: Gateway

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.got.append((self.command, self.path, self.headers["authorization"], body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def pushing(gateway: Gateway, **values: str) -> PrometheusMiddleware:
    address = f"http://127.0.0.1:{gateway.server_port}"
    return measuring(metrics_server_addr="off", pushgateway_addr=address, push_interval="0.1", **values)


def test_metrics_are_pushed_and_once_more_at_the_end(
    make_host: Callable[..., Host], identities: Identities, gateway: Gateway
) -> None:
    host, actor = make_host(), identities.actor()
    host.add_actor(actor)
    middleware = pushing(gateway, push_basic_auth_username="me", push_basic_auth_password="secret")
    host.add_middleware(middleware)
    assert middleware.address is None
    assert eventually(lambda: len(gateway.got) >= 2)
    host.call_actor(actor.public_key, "echo", b"")
    host.shutdown()
    method, path, authorization, body = gateway.got[-1]
    assert (method, path) == ("PUT", "/metrics/job/wascc")
    assert authorization == "Basic " + base64.b64encode(b"me:secret").decode()
    assert labelled(parsed(body), "wascc_invocations_total", operation="echo") == 1
    count = len(gateway.got)
    time.sleep(0.3)
    assert len(gateway.got) == count


def test_a_gateway_that_fails_is_reported_once_and_hurts_nobody(
    host: Host, actor: Actor, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    gateway.status = 500
    host.add_middleware(pushing(gateway, job="my job", push_basic_auth_username="a", push_basic_auth_password="secret"))
    assert eventually(lambda: len(gateway.got) >= 3)
    assert host.call_actor(actor.public_key, "echo", b"x") == b"x"
    assert gateway.got[0][1] == f"/metrics/job@base64/{base64.b64encode(b'my job').decode()}"
    gateway.status = 202
    assert eventually(lambda: any("again" in message for message in caplog.messages))
    address = f"http://127.0.0.1:{gateway.server_port}"
    told = [message for message in caplog.messages if "ushed" in message]
    assert told == [f"Metrics cannot be pushed to {address}: status 500", f"Metrics are pushed to {address} again"]
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"metrics_server_addr": "9898"}, "metrics_server_addr must be like 127.0.0.1:9898, or off, not '9898'"),
        ({"metrics_server_addr": "127.0.0.1:99999"}, "metrics_server_addr must be like"),
        ({"metrics_server_addr": "::1:80"}, "metrics_server_addr must be like"),
        ({"metrics_server_addr": ":80"}, "metrics_server_addr must be like"),
        ({"pushgateway_addr": "gateway:9091"}, "pushgateway_addr must be an address like http://host:1234/path"),
        ({"pushgateway_addr": "http://me:secret@gateway"}, "pushgateway_addr must be an address like"),
        ({"pushgateway_addr": "http://gateway:port"}, "pushgateway_addr must be an address like"),
        ({"push_interval": "0"}, "push_interval must be a number from 0.1 to 86400, not '0'"),
        ({"push_interval": "inf"}, "push_interval must be a number"),
        ({"moving_average_window_size": "-1"}, "moving_average_window_size must be an integer from 1 to 1000000"),
        ({"push_basic_auth_username": "me"}, "push_basic_auth_username and push_basic_auth_password belong together"),
        ({"reference_names": "maybe"}, "reference_names must be one of on, off, not 'maybe'"),
        ({"job": ""}, "job must be a printable text"),
        ({"metric_server_addr": "x"}, "prometheus has no value metric_server_addr; there are job, max_operations, "),
    ],
)
def test_impossible_values_are_refused(values: dict[str, str], text: str) -> None:
    with pytest.raises(MiddlewareError) as failure:
        find_middleware("prometheus", values)
    assert failure.value.message.startswith(f"prometheus: {text}")
    assert "secret" not in str(failure.value)


def test_the_password_is_not_shown(gateway: Gateway) -> None:
    middleware = pushing(gateway, push_basic_auth_username="me", push_basic_auth_password="secret")
    assert "secret" not in repr(vars(middleware))


def test_ipv6_and_without_the_names_of_the_original(make_host: Callable[..., Host]) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    host, middleware = make_host(), measuring(metrics_server_addr="[::1]:0", reference_names="off")
    host.add_middleware(middleware)
    assert middleware.address is not None
    text = httpx.get(f"http://[::1]:{middleware.address[1]}/metrics").text
    assert "wascc_actors" in text
    assert "_inv_count" not in text


def test_finding_middleware() -> None:
    with pytest.raises(PluginError, match="no middleware is called magic; there are prometheus"):
        find_middleware("magic")
    with pytest.raises(PluginError, match="No module named 'no_such_module'"):
        find_middleware("no_such_module:Thing")
    with pytest.raises(PluginError, match="builtins:int: TypeError"):
        find_middleware("builtins:int", {"password": "secret"})


def test_a_missing_library_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("host.middleware.prometheus")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MiddlewareError, match=r"this needs an extra: pip install 'wascc\[metrics\]'"):
        find_middleware("prometheus")

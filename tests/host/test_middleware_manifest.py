"""Middleware that a manifest names: made before anything runs, around everything, and taken back with the rest."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from host_support import Identities, eventually
from servers import free_port, is_listening

from host import (
    Host,
    HostError,
    Invocation,
    InvocationResponse,
    Manifest,
    Middleware,
    MiddlewareEntry,
    MiddlewareError,
    Next,
    PluginError,
)
from host.explain import Explainer


class Noting(Middleware):
    """Notes the operations that pass, in a list of all that were made."""

    made: list[Noting] = []  # noqa: RUF012

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.operations: list[str] = []
        self.made.append(self)

    def actor_invoke(self, invocation: Invocation, call_next: Next) -> InvocationResponse:
        self.operations.append(invocation.operation)
        return call_next(invocation)

    capability_invoke = actor_invoke


@pytest.fixture
def noting(monkeypatch: pytest.MonkeyPatch) -> list[Noting]:
    """What the name `json:Noting` makes; any module that can be imported would do."""
    monkeypatch.setattr(json, "Noting", Noting, raising=False)
    monkeypatch.setattr(Noting, "made", made := [])
    return made


def manifest(folder: Path, identities: Identities, middleware: str, *more: str) -> Manifest:
    key = identities.key()
    (folder / "actor.wasm").write_bytes(identities.sign(key, ("wascc:logging",)))
    file = folder / "manifest.yaml"
    bound = f"[{{actor: {key.public_key}, capability: 'wascc:logging'}}]"
    lines = [f"middleware: {middleware}", "actors: [actor.wasm]", "capabilities: [{path: 'wascc:logging'}]"]
    file.write_text("\n".join([*lines, f"bindings: {bound}", *more]))
    return Manifest.from_file(file)


def test_it_is_around_all_that_the_manifest_adds(
    host: Host, tmp_path: Path, identities: Identities, noting: list[Noting], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    wanted = manifest(
        tmp_path, identities, "[{name: 'json:Noting', values: {a: x, token: {env: TOKEN}}}, {name: 'json:Noting'}]"
    )
    host.apply_manifest(wanted)
    assert host.middleware() == tuple(noting)
    assert noting[0].values == {"a": "x", "token": "secret"}
    assert noting[0].operations == noting[1].operations == ["BindActor"]
    host.call_actor(next(iter(host.actors())), "echo", b"")
    assert noting[1].operations == ["BindActor", "echo"]
    assert "secret" not in repr(wanted) + wanted.to_yaml()
    assert Manifest.from_text(wanted.to_yaml()).middleware == wanted.middleware
    assert wanted.middleware[1] == MiddlewareEntry(name="json:Noting")


@pytest.mark.parametrize(
    ("middleware", "kind", "text"),
    [
        ("[{name: magic}]", PluginError, "middleware[0]: no middleware is called magic; there are "),
        ("[{name: prometheus, values: {metrics_server_addr: x}}]", MiddlewareError, "middleware[0]: prometheus: "),
        ("[{name: 'json:loads'}]", PluginError, "middleware[0]: json:loads: TypeError"),
        ("[{name: 'json:Noting', values: {a: {env: NOT_SET}}}]", HostError, "middleware[0]: the value a comes from"),
    ],
)
def test_what_cannot_be_made_leaves_everything_as_it_was(
    host: Host,
    tmp_path: Path,
    identities: Identities,
    noting: list[Noting],
    middleware: str,
    kind: type[HostError],
    text: str,
) -> None:
    wanted = manifest(tmp_path, identities, middleware)
    refusal = Explainer(wanted).explanation.refusal
    with pytest.raises(kind) as failure:
        host.apply_manifest(wanted)
    assert failure.value.message.startswith(text)
    assert refusal is not None
    assert (refusal.rule, f"middleware[0]: {refusal.text}") == ("middleware", failure.value.message)
    assert host.middleware() == ()
    assert host.actors() == {}


def test_it_is_taken_back_with_the_rest(host: Host, tmp_path: Path, identities: Identities) -> None:
    port = free_port()
    values = f"{{metrics_server_addr: '127.0.0.1:{port}'}}"
    wanted = manifest(tmp_path, identities, f"[{{name: prometheus, values: {values}}}]")
    (tmp_path / "actor.wasm").write_bytes(b"broken")
    with pytest.raises(HostError, match=r"actors\[0\]"):
        host.apply_manifest(wanted)
    assert host.middleware() == ()
    assert not is_listening(port)


def test_prometheus_by_manifest(host: Host, tmp_path: Path, identities: Identities) -> None:
    port = free_port()
    values = f"{{metrics_server_addr: '127.0.0.1:{port}'}}"
    host.apply_manifest(manifest(tmp_path, identities, f"[{{name: prometheus, values: {values}}}]"))
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert "wascc_wascc:logging_default_BindActor_inv_count 1.0" in text


def test_a_password_from_a_file_reaches_the_gateway(
    make_host: Callable[..., Host], tmp_path: Path, identities: Identities
) -> None:
    got: list[str] = []

    class Gateway(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            got.append(self.headers["authorization"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Gateway) as gateway:
        thread = threading.Thread(target=gateway.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        (tmp_path / "password").write_text("hünter2\n")
        address = f"pushgateway_addr: 'http://127.0.0.1:{gateway.server_port}', metrics_server_addr: 'off'"
        login = "push_basic_auth_username: me, push_basic_auth_password: {file: password}"
        host = make_host()
        host.apply_manifest(manifest(tmp_path, identities, f"[{{name: prometheus, values: {{{address}, {login}}}}}]"))
        assert eventually(lambda: bool(got))
        host.shutdown()
        gateway.shutdown()
        thread.join()
    assert got[0] == "Basic " + base64.b64encode("me:hünter2".encode()).decode()

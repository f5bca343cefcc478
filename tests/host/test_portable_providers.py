"""Portable providers: WASI modules that serve a capability, what they may do, and what they are refused."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from host_support import Identities, ScriptedProvider, call_script, eventually, in_thread, script
from portable_support import CAPABILITY, DESCRIPTOR, portable

from host import (
    Actor,
    AuthorizationFailure,
    CapabilityEntry,
    CapabilityProviderError,
    Host,
    HostError,
    InvocationFailure,
    Manifest,
    MiscHostError,
    WapcFailure,
    find_provider,
)
from host.codec import decode, encode
from host.codec.core import CapabilityConfiguration, CapabilityDescriptor, Direction, OperationDescriptor
from host.errors import ManifestValueError, PluginError
from host.explain import Explainer
from host.providers.portable import provided_capability
from interp.engine import Limits
from interp.wasi import Errno, Preopen, WasiParams

MakeHost = Callable[..., Host]
ENGINES = ["compiled", "wasmtime"]


@pytest.fixture(params=ENGINES)
def host(request: pytest.FixtureRequest, make_host: MakeHost) -> Host:
    """A host on each of the engines that people run."""
    return make_host(request.param)


@pytest.fixture
def user(host: Host, identities: Identities) -> str:
    """The key of an actor in the host that may use the capability."""
    return user_of(host, identities)


def user_of(host: Host, identities: Identities) -> str:
    actor = identities.actor(CAPABILITY)
    host.add_actor(actor)
    return actor.public_key


def ask(host: Host, actor: str, operation: str, payload: bytes = b"", binding: str = "default") -> bytes:
    """What the provider answers to the actor."""
    return host.call_actor(actor, "host", call_script((binding, CAPABILITY, operation, payload)))


def test_a_module_serves_a_capability(
    host: Host, identities: Identities, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for _ in range(2):
        assert host.add_capability(portable(identities)) == DESCRIPTOR
        assert host.capabilities()["default", CAPABILITY] == DESCRIPTOR
        with pytest.raises(InvocationFailure):
            ask(host, user, "echo", b"text")
        host.set_binding(user, CAPABILITY, values={"A": "B"})
        assert ask(host, user, "echo", b"text") == b"text"
        bound = decode(CapabilityConfiguration, ask(host, user, "bound"))
        assert (bound.module, bound.values["A"]) == (user, "B")
        assert bound.values["__wascc_issuer"] == identities.account.public_key
        host.remove_capability(CAPABILITY)
        with pytest.raises(InvocationFailure):
            ask(host, user, "echo")
    assert f"Loaded portable capability provider 'Portable' v1.2 (3) for {CAPABILITY}/default" in caplog.messages


def test_the_provider_of_the_originals(host: Host, identities: Identities) -> None:
    """Bytes as the provider `wasi_provider` and the actor `wasi_consumer` of 2020 exchange them."""
    described = bytes.fromhex(
        "86a26964ae77617363633a7761736964656d6fa46e616d65bc776153434320506f727461626c652050726f76696465722044656d6fa7"
        "76657273696f6ea5302e302e31a87265766973696f6e00b06c6f6e675f6465736372697074696f6ed94353616d706c6520696c6c7573"
        "74726174696e67207468617420616e206163746f722063616e20616c736f2062652061206361706162696c6974792070726f76696465"
        "72b4737570706f727465645f6f7065726174696f6e739183a46e616d65ad446f437573746f6d5468696e67a9646972656374696f6e81"
        "00c0a7646f6374657874d92f506572666f726d732074686520637573746f6d2c20756c7472612d746f70207365637265"
        "74206f7065726174696f6e"
    )
    demo = "wascc:wasidemo"
    operation = OperationDescriptor(
        "DoCustomThing", Direction.TO_ACTOR, "Performs the custom, ultra-top secret operation"
    )
    text = "Sample illustrating that an actor can also be a capability provider"
    assert host.add_capability(portable(identities, demo, descriptor=described)) == CapabilityDescriptor(
        demo, "waSCC Portable Provider Demo", "0.0.1", 0, text, (operation,)
    )
    actor = identities.actor(demo)
    host.add_actor(actor)
    host.set_binding(actor.public_key, demo)
    request = bytes.fromhex("81ac73757065725f7365637265740c")
    reply = host.call_actor(actor.public_key, "host", script((demo, "DoCustomThing", request)))
    assert reply == bytes.fromhex("81ab7265706c795f76616c756578")
    host.remove_binding(actor.public_key, demo)


def test_names_of_bindings(host: Host, identities: Identities, user: str) -> None:
    for name in ("one", "two"):
        host.add_capability(portable(identities), name)
        host.set_binding(user, CAPABILITY, name, {"name": name})
    for name in ("one", "two"):
        assert decode(CapabilityConfiguration, ask(host, user, "bound", binding=name)).values["name"] == name
    with pytest.raises(CapabilityProviderError, match="cannot be bound to the same name"):
        host.add_capability(portable(identities), "one")
    assert ask(host, user, "number", binding="one") == b"\1"


def test_a_binding_that_the_module_refuses(host: Host, identities: Identities, user: str) -> None:
    host.add_capability(portable(identities))
    refused = identities.actor(CAPABILITY, tags=("x!",))
    host.add_actor(refused)
    with pytest.raises(CapabilityProviderError, match=r"Failed to configure default,test:portable - .*it is refused"):
        host.set_binding(refused.public_key, CAPABILITY)
    assert host.find_binding(refused.public_key, CAPABILITY) is None
    host.set_binding(user, CAPABILITY)
    assert ask(host, user, "echo", b"1") == b"1"


def test_a_module_that_refuses_removal(
    host: Host, identities: Identities, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    host.add_capability(portable(identities))
    host.set_binding(user, CAPABILITY)
    host.remove_binding(user, CAPABILITY)
    assert any("did not take RemoveActor: Guest call failed: bad dispatch" in line for line in caplog.messages)
    with pytest.raises(InvocationFailure):
        ask(host, user, "echo")
    host.set_binding(user, CAPABILITY)
    assert ask(host, user, "echo", b"2") == b"2"


def test_actors_cannot_ask_for_what_is_the_hosts(host: Host, identities: Identities, user: str) -> None:
    host.add_capability(portable(identities))
    host.set_binding(user, CAPABILITY)
    for operation in ("BindActor", "RemoveActor", "GetCapabilityDescriptor"):
        with pytest.raises(InvocationFailure, match="bad dispatch"):
            ask(host, user, operation, encode(CapabilityConfiguration("M" * 56)))
    assert ask(host, user, "number") == b"\1"


def test_it_calls_the_actors_bound_to_it_and_nobody_else(host: Host, identities: Identities, user: str) -> None:
    other = user_of(host, identities)
    logging = ScriptedProvider("wascc:logging")
    host.add_capability(logging)
    host.add_capability(portable(identities))
    host.set_binding(user, CAPABILITY)
    third = user_of(host, identities)
    host.set_binding(third, CAPABILITY)
    assert ask(host, user, "host", script((third, "echo", b"text"))) == b"text"
    for namespace in (other, CAPABILITY, "wascc:logging", "wascc:extras", "system", ""):
        with pytest.raises(InvocationFailure, match=r"Provider M\w+ attempted to call echo on .* - PERMISSION DENIED"):
            ask(host, user, "host", script((namespace, "echo", b"")))
    host.remove_binding(third, CAPABILITY)
    with pytest.raises(InvocationFailure, match="PERMISSION DENIED"):
        ask(host, user, "host", script((third, "echo", b"text")))


def test_circles_are_refused(host: Host, identities: Identities, user: str) -> None:
    host.add_capability(portable(identities))
    host.set_binding(user, CAPABILITY)
    back = script((user, "host", script((CAPABILITY, "echo", b""))))
    with pytest.raises(InvocationFailure, match="is waiting for this very call"):
        ask(host, user, "host", back)
    second = user_of(host, identities)
    host.set_binding(second, CAPABILITY)
    back = script((second, "host", script((CAPABILITY, "echo", b""))))
    with pytest.raises(InvocationFailure, match="is waiting for this very call"):
        ask(host, user, "host", back)
    assert ask(host, user, "echo", b"well") == b"well"


def test_the_authorizer_is_asked(make_host: MakeHost, identities: Identities) -> None:
    asked: list[str] = []

    class Careful:
        def can_load(self, claims: object) -> bool:
            return "forbidden" not in (claims.metadata.tags or ())  # type: ignore[attr-defined]

        def can_invoke(self, claims: object, target: object, operation: str) -> bool:
            asked.append(operation)
            return operation != "Evil"

    host = make_host(configure=lambda builder: builder.with_authorizer(Careful()))
    first, second = user_of(host, identities), user_of(host, identities)
    host.add_capability(portable(identities))
    for each in (first, second):
        host.set_binding(each, CAPABILITY)
    with pytest.raises(InvocationFailure, match="Authorizer denied access"):
        ask(host, first, "host", script((second, "Evil", b"")))
    assert ask(host, first, "host", script((second, "echo", b"x"))) == b"x"
    assert asked[-1] == "echo"


@pytest.mark.parametrize(
    ("module", "error", "text"),
    [
        (lambda i: portable(i, provider=False), CapabilityProviderError, "is signed as an actor, not as a capability"),
        (lambda i: portable(i, "other:id"), CapabilityProviderError, "signed for the capability other:id, .*portable"),
        (lambda i: portable(i, descriptor=b"\xc1"), CapabilityProviderError, "does not describe a capability"),
        (lambda i: portable(i, descriptor=b""), CapabilityProviderError, "does not describe a capability"),
        (
            lambda i: portable(i, descriptor=replace(DESCRIPTOR, long_description="x" * 66_000)),
            CapabilityProviderError,
            "over 65536",
        ),
        (
            lambda i: portable(i, "x" * 56, descriptor=replace(DESCRIPTOR, id="\x1b[2J")),
            CapabilityProviderError,
            r"describes \\x1b\[2J",
        ),
        (lambda i: replace(portable(i), token=portable(i).token), AuthorizationFailure, "not the one that the module"),
        (lambda i: i.actor(CAPABILITY, provider=True), CapabilityProviderError, "bad dispatch"),
        (lambda i: i.actor(CAPABILITY, provider=True, expires=1), AuthorizationFailure, "Expired token"),
    ],
)
def test_modules_that_are_no_provider(
    host: Host, identities: Identities, module: Callable[[Identities], Actor], error: type[HostError], text: str
) -> None:
    before = host.capabilities()
    with pytest.raises(error, match=text) as caught:
        host.add_capability(module(identities))
    assert str(caught.value).isprintable()
    assert host.capabilities() == before


@pytest.mark.parametrize("capabilities", [(), ("a:b", "c:d")])
def test_a_provider_serves_exactly_one_capability(identities: Identities, capabilities: tuple[str, ...]) -> None:
    module = portable(identities)
    metadata = replace(module.claims.metadata, capabilities=capabilities)
    with pytest.raises(CapabilityProviderError, match=f"is signed for {len(capabilities)} capabilities"):
        provided_capability(replace(module, claims=replace(module.claims, metadata=metadata)))


def test_a_module_signed_by_somebody_else(host: Host, identities: Identities) -> None:
    module = portable(identities)
    forged = bytearray(module.wasm)
    position = forged.rindex(b"For tests")
    forged[position : position + 3] = b"Bad"
    with pytest.raises(HostError, match="hash"):
        host.add_capability(Actor.from_bytes(bytes(forged)))


def test_traps_and_limits_replace_the_instance(
    make_host: MakeHost, identities: Identities, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(deadline_seconds=0.5, max_memory_pages=64)
    host = make_host("wasmtime", lambda builder: builder.with_limits(limits))
    first, second = user_of(host, identities), user_of(host, identities)
    host.add_capability(portable(identities))
    host.set_binding(first, CAPABILITY, values={"A": "1"})
    host.set_binding(second, CAPABILITY, values={"A": "2"})
    for operation, text in (("trap", "unreachable"), ("spin", "deadline"), ("xit", "exit")):
        with pytest.raises(InvocationFailure, match=text):
            ask(host, first, operation)
        assert ask(host, second, "number") == b"\2"
        assert decode(CapabilityConfiguration, ask(host, second, "bound")).values["A"] == "2"
    assert sum("is started anew" in line for line in caplog.messages) == 3
    host.remove_binding(first, CAPABILITY)
    with pytest.raises(InvocationFailure):
        ask(host, second, "trap")
    assert ask(host, second, "number") == b"\1"
    with pytest.raises(InvocationFailure, match="it failed"):
        ask(host, second, "fail", b"it failed")
    assert ask(host, second, "number") == b"\1"


def test_one_call_at_a_time(make_host: MakeHost, identities: Identities) -> None:
    host = make_host("wasmtime")
    users = [user_of(host, identities) for _ in range(4)]
    host.add_capability(portable(identities))
    for each in users:
        host.set_binding(each, CAPABILITY)
    threads = [in_thread(lambda each=each: [ask(host, each, "count") for _ in range(50)]) for each in users]
    answers = []
    for thread, outcome in threads:
        thread.join(60)
        answers += [byte[0] for byte in outcome[0]]  # type: ignore[attr-defined]
    assert sorted(answers) == list(range(1, 201))


def spins(host: Host) -> bool:
    """Whether the provider has been asked to spin, and has not answered."""
    return any("spin of" in str(way) for way in host.calls_under_way())


def test_stopping_while_it_works(make_host: MakeHost, identities: Identities) -> None:
    limits = Limits(deadline_seconds=4)
    host = make_host("wasmtime", lambda builder: builder.with_limits(limits).with_shutdown_timeout(0.2))
    user = user_of(host, identities)
    host.add_capability(portable(identities))
    host.set_binding(user, CAPABILITY)
    thread, outcome = in_thread(lambda: ask(host, user, "spin"))
    assert eventually(lambda: spins(host))
    start = time.monotonic()
    host.remove_capability(CAPABILITY)
    assert time.monotonic() - start < 3
    assert not outcome
    host.add_capability(portable(identities))
    thread.join(20)
    assert isinstance(outcome[0], HostError)
    assert threading.active_count() < 50


def test_removing_an_actor_while_it_works(make_host: MakeHost, identities: Identities) -> None:
    host = make_host("wasmtime", lambda builder: builder.with_limits(Limits(deadline_seconds=3)))
    first, second = user_of(host, identities), user_of(host, identities)
    host.add_capability(portable(identities))
    for each in (first, second):
        host.set_binding(each, CAPABILITY)
    thread, outcome = in_thread(lambda: ask(host, first, "spin"))
    assert eventually(lambda: spins(host))
    start = time.monotonic()
    host.remove_binding(second, CAPABILITY)
    assert time.monotonic() - start < 2
    assert not outcome
    with pytest.raises(InvocationFailure):
        ask(host, second, "echo")
    thread.join(20)
    assert ask(host, first, "number") == b"\1"
    host.set_binding(second, CAPABILITY)
    assert ask(host, second, "number") == b"\2"


def test_it_gets_nothing_of_the_system(
    host: Host, identities: Identities, user: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    (tmp_path / "file").write_text("content")
    monkeypatch.chdir(tmp_path)
    host.add_capability(portable(identities))
    host.set_binding(user, CAPABILITY)
    assert ask(host, user, "Environment") == b""
    assert ask(host, user, "open", b"file") == bytes([Errno.BADF])


def test_it_gets_what_is_granted(
    host: Host, identities: Identities, user: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").write_text("content")
    (tmp_path / "outside").write_text("secret")
    (data / "link").symlink_to(tmp_path / "outside")
    for read_only in (True, False):
        grants = WasiParams(env={"A": "1"}, preopens={"/data": Preopen(data, read_only=read_only)})
        host.add_capability(portable(identities), wasi=grants)
        host.set_binding(user, CAPABILITY)
        assert ask(host, user, "Environment") == b"A=1\0"
        assert ask(host, user, "open", b"file") == b"content"
        for path in (b"../outside", b"link", b"/etc/passwd"):
            assert ask(host, user, "open", path) == bytes([Errno.PERM])
        written = ask(host, user, "write", b"new")
        assert (written == b"\0") is not read_only
        assert (data / "new").exists() is not read_only
        ask(host, user, "print", b"a line\x1b[2J\n")
        host.remove_capability(CAPABILITY)
    assert (data / "new").read_text() == "written"
    assert any(line.endswith(r": a line\x1b[2J") for line in caplog.messages)


def test_grants_are_for_modules_alone(host: Host) -> None:
    with pytest.raises(MiscHostError, match="wasi is for portable providers"):
        host.add_capability(ScriptedProvider(), wasi=WasiParams())


def test_a_folder_that_is_gone(host: Host, identities: Identities, tmp_path: Path) -> None:
    with pytest.raises(WapcFailure, match="missing"):
        host.add_capability(portable(identities), wasi=WasiParams(preopens={"/x": tmp_path / "missing"}))


def written(folder: Path, identities: Identities) -> Path:
    file = folder / "provider.wasm"
    file.write_bytes(portable(identities).wasm)
    return file


MANIFEST = """
actors: []
capabilities:
  - path: provider.wasm
    binding_name: store
    wasi:
      folders:
        /data: {path: data, writable: true}
      env: {A: "1", B: {env: PORTABLE_SECRET}}
      args: [provider]
bindings:
  - {actor: ACTOR, capability: "test:portable", binding: store}
"""


def test_a_manifest_names_a_module(
    host: Host, identities: Identities, user: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, identities)
    (tmp_path / "data").mkdir()
    file = tmp_path / "manifest.yaml"
    file.write_text(MANIFEST.replace("ACTOR", user))
    manifest = Manifest.from_file(file)
    assert "writable" in manifest.to_yaml()
    assert Manifest.from_text(manifest.to_yaml()).to_json() == manifest.to_json()
    with pytest.raises(ManifestValueError, match=r"^capabilities\[0\].*PORTABLE_SECRET, which is not set"):
        host.apply_manifest(manifest)
    monkeypatch.setenv("PORTABLE_SECRET", "hunter2")
    host.apply_manifest(manifest)
    assert ask(host, user, "Environment", binding="store") == b"A=1\0B=hunter2\0"
    assert ask(host, user, "write", b"new", binding="store") == b"\0"
    assert (tmp_path / "data" / "new").read_text() == "written"


@pytest.mark.parametrize(
    ("entry", "error", "text"),
    [
        ({"path": "missing.wasm"}, HostError, r"capabilities\[0\]: no such file"),
        ({"path": "broken.wasm"}, HostError, r"capabilities\[0\]: "),
        ({"path": "wascc:keyvalue", "wasi": {}}, MiscHostError, "wasi is for WebAssembly modules"),
        ({"path": "provider.wasm", "wasi": {"folders": {"/": {"path": "nowhere"}}}}, HostError, "no such folder: nowh"),
        ({"path": "provider.wasm", "wasi": {"folders": {"/": {"path": "a\0b"}}}}, HostError, "no such folder: a"),
        ({"path": "provider.wasm", "wasi": {"env": {"A=B": "x"}}}, HostError, "name must not be empty"),
        ({"path": "provider.wasm", "wasi": {"args": ["a\0"]}}, HostError, "NUL"),
    ],
)
def test_what_a_manifest_cannot_grant(
    host: Host,
    identities: Identities,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    entry: dict[str, object],
    error: type[HostError],
    text: str,
) -> None:
    written(tmp_path, identities)
    (tmp_path / "broken.wasm").write_bytes(b"\0asm\1\0\0\0")
    monkeypatch.chdir(tmp_path)
    before = host.capabilities()
    with pytest.raises(error, match=text):
        host.apply_manifest(Manifest(actors=[], capabilities=[CapabilityEntry.model_validate(entry)], bindings=[]))
    assert host.capabilities() == before


def test_a_module_is_no_provider_without_a_host() -> None:
    with pytest.raises(PluginError, match="is a WebAssembly module or a provider archive"):
        find_provider("provider.wasm")


def test_what_a_host_would_say(identities: Identities, tmp_path: Path) -> None:
    written(tmp_path, identities)
    (tmp_path / "actor.wasm").write_bytes(identities.actor(CAPABILITY).wasm)
    entries = [{"path": "provider.wasm"}, {"path": "actor.wasm"}, {"path": "provider.wasm", "wasi": GONE}]
    for entry, rule in zip(entries, (None, "descriptor", "wasi"), strict=True):
        file = tmp_path / "manifest.json"
        file.write_text(json.dumps({"actors": [], "capabilities": [entry], "bindings": []}))
        refusal = Explainer(Manifest.from_file(file)).explanation.refusal
        assert (refusal and refusal.rule) == rule, refusal


GONE = {"folders": {"/": {"path": "gone"}}}

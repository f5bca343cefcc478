"""Actors from a registry, in hosts: by a manifest and by a program, judged as those from files are."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from host_support import Identities
from registry_support import docker_registry, http_server, manifest, registry_of

from host import (
    Actor,
    AuthorizationFailure,
    DuplicateActor,
    Host,
    HostBuilder,
    HostError,
    InputOutputError,
    Manifest,
    Policy,
    PolicyFailure,
    RegistryError,
    RegistryOptions,
    WascapFailure,
)
from host.registry.client import Registry
from tests_support import wascc


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as server:
        yield f"localhost:{server.port}"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASCC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def push(reference: str, wasm: bytes) -> str:
    return Registry(RegistryOptions(allow_latest=True)).push(reference, wasm, "actor.wasm").reference


def manifest_with(*actors: str) -> Manifest:
    return Manifest.from_text(json.dumps({"actors": actors, "capabilities": [], "bindings": []}), "json")


def test_a_manifest_names_actors_in_a_registry(
    host: Host, address: str, identities: Identities, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wascc.host")
    keys = [identities.key() for _ in range(2)]
    pinned = push(f"{address}/first:1", identities.sign(keys[0]))
    push(f"{address}/second:1", identities.sign(keys[1]))
    host.apply_manifest(manifest_with(pinned, f"{address}/second:1"))
    assert list(host.actors()) == [key.public_key for key in keys]
    assert host.call_actor(keys[1].public_key, "echo", b"hello") == b"hello"
    assert f"Pulled {pinned}" in caplog.text


def test_a_program_adds_an_actor_from_a_registry(host: Host, address: str, identities: Identities) -> None:
    key = identities.key()
    pinned = push(f"{address}/program:1", identities.sign(key))
    assert host.add_actor_from_registry(pinned) == key.public_key
    assert host.call_actor(key.public_key, "echo", b"hello") == b"hello"
    with pytest.raises(DuplicateActor):
        host.add_actor_from_registry(pinned)
    host.remove_actor(key.public_key)
    host.add_actor_from_registry(pinned)


def test_a_file_comes_first(host: Host, address: str, identities: Identities, tmp_path: Path) -> None:
    key = identities.key()
    push(f"{address}/both:1", identities.sign(identities.key()))
    file = tmp_path / f"{address}/both:1"
    file.parent.mkdir()
    file.write_bytes(identities.sign(key))
    host.apply_manifest(manifest_with(f"{address}/both:1"))
    assert list(host.actors()) == [key.public_key]


@pytest.mark.parametrize(
    ("claims", "text"), [({"expires": 1}, "Expired token"), ({"not_before": 2**40}, "Module cannot be used before")]
)
def test_claims_are_judged(claims: dict[str, int], text: str, host: Host, address: str, identities: Identities) -> None:
    pinned = push(f"{address}/claims:1", identities.sign(identities.key(), **claims))
    with pytest.raises(AuthorizationFailure, match=text):
        host.add_actor_from_registry(pinned)
    with pytest.raises(AuthorizationFailure, match=text):
        host.apply_manifest(manifest_with(pinned))
    assert host.actors() == {}


def test_the_policy_is_asked(make_host: Callable[..., Host], address: str, identities: Identities) -> None:
    host = make_host(configure=lambda builder: builder.with_policy(Policy.of(issuers=[])))
    pinned = push(f"{address}/policy:1", identities.sign(identities.key()))
    with pytest.raises(PolicyFailure, match=r"policy\.issuers"):
        host.add_actor_from_registry(pinned)


def test_what_is_no_signed_module_is_refused(host: Host, identities: Identities) -> None:
    signed = identities.sign(identities.key())
    altered = signed.replace(b"memory", b"yromem", 1)
    for data, error in ((altered, WascapFailure), (b"text", WascapFailure), (b"\0asm\x01\0\0\0", AuthorizationFailure)):
        with http_server(registry_of(data, manifest(data))) as server, pytest.raises(error):
            host.add_actor_from_registry(f"{server.name}/a/b:1")
    assert host.actors() == {}


def test_latest_has_to_be_allowed(make_host: Callable[..., Host], address: str, identities: Identities) -> None:
    key = identities.key()
    push(f"{address}/moving", identities.sign(key))
    for name in (f"{address}/moving", f"{address}/moving:latest"):
        with pytest.raises(RegistryError, match="the tag latest"):
            make_host().apply_manifest(manifest_with(name))
    allowing = make_host(configure=lambda builder: builder.with_registry(RegistryOptions(allow_latest=True)))
    allowing.apply_manifest(manifest_with(f"{address}/moving"))
    assert list(allowing.actors()) == [key.public_key]


@pytest.mark.parametrize(
    "path", ["none.wasm", "folder/none.wasm", "some.registry/none.wasm", "none", "./a/b:1", "a\0b"]
)
def test_what_looks_like_a_file_is_never_looked_for_in_a_registry(path: str, host: Host) -> None:
    with pytest.raises(InputOutputError, match="no such file"):
        host.apply_manifest(manifest_with(path))


def test_what_is_not_there_takes_everything_back(host: Host, address: str, identities: Identities) -> None:
    pinned = push(f"{address}/there:1", identities.sign(identities.key()))
    with pytest.raises(RegistryError) as caught:
        host.apply_manifest(manifest_with(pinned, f"{address}/missing:1"))
    assert caught.value.message.startswith(f"actors[1] ({address}/missing:1): Failed to fetch OCI bytes: ")
    assert host.actors() == {}


def test_the_commands(address: str, identities: Identities, tmp_path: Path) -> None:
    key = identities.key()
    pinned = push(f"{address}/commands", identities.sign(key))
    Path("good.json").write_text(json.dumps({"actors": [pinned], "capabilities": [], "bindings": []}))
    done = wascc("call", "--manifest", "good.json", key.public_key, "echo", "hello")
    assert (done.stdout, done.stderr) == ("hello", "")
    Path("latest.json").write_text(json.dumps({"actors": [f"{address}/commands"], "capabilities": [], "bindings": []}))
    done = wascc("explain", "latest.json", "--json")
    (finding,) = json.loads(done.stdout)["findings"]
    assert "the tag latest" in finding["text"]
    assert done.returncode == 1
    assert wascc("explain", "latest.json", "--allow-latest").returncode == 0
    assert wascc("explain", "good.json", "--try").returncode == 0


def test_after_a_shutdown_nothing_is_pulled(address: str, identities: Identities) -> None:
    host = HostBuilder().build()
    host.shutdown()
    with http_server(registry_of(b"")) as server, pytest.raises(HostError, match="shutting down"):
        host.add_actor_from_registry(f"{server.name}/a/b:1")
    assert server.seen == []


def test_an_actor_of_a_program_is_the_same_as_one_of_a_registry(address: str, identities: Identities) -> None:
    wasm = identities.sign(identities.key())
    pinned = push(f"{address}/same:1", wasm)
    assert Actor.from_bytes(Registry().pull(pinned).data) == Actor.from_bytes(wasm)

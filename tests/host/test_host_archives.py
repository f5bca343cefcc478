"""Provider archives in hosts: the portable provider in one is loaded, once archive and module may be believed."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from host_support import Identities, call_script
from portable_support import CAPABILITY, DESCRIPTOR, portable
from registry_support import docker_registry

from host import (
    Actor,
    AuthorizationFailure,
    CapabilityProviderError,
    Host,
    HostError,
    InputOutputError,
    Manifest,
    MiscHostError,
    Pin,
    Policy,
    PolicyFailure,
)
from host.registry.client import Registry
from interp.wasi import WasiParams
from tests_support import wascc
from wascap import CapabilityProviderMetadata, Claims, KeyPair, KeyType, ProviderArchive

MakeHost = Callable[..., Host]
SERVICE = KeyPair.generate(KeyType.SERVICE)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASCC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def archive_of(
    identities: Identities,
    binaries: dict[str, bytes] | None = None,
    capability: str = CAPABILITY,
    revision: int | None = None,
    **claims: int,
) -> bytes:
    """An archive of the test's account, by default with a portable provider and a native library."""
    chosen = {"wasm32-wasi": portable(identities).wasm, "x86_64-linux": b"\x7fELF"} if binaries is None else binaries
    metadata = CapabilityProviderMetadata(
        name="Archived", capability_id=capability, vendor="acme", revision=revision, target_hashes={}
    )
    body = Claims(issuer=identities.account.public_key, subject=SERVICE.public_key, metadata=metadata, **claims)
    return ProviderArchive.sign(body, chosen, identities.account).to_bytes(compress=True)


def serves(host: Host, identities: Identities) -> bool:
    """Whether an actor that is bound to the capability reaches it."""
    actor = identities.actor(CAPABILITY)
    host.add_actor(actor)
    host.set_binding(actor.public_key, CAPABILITY)
    script = call_script(("default", CAPABILITY, "echo", b"text"))
    return host.call_actor(actor.public_key, "host", script) == b"text"


def manifest_with(*paths: str, **fields: object) -> Manifest:
    capabilities = [{"path": path, **fields} for path in paths]
    return Manifest.from_text(json.dumps({"actors": [], "capabilities": capabilities, "bindings": []}), "json")


@pytest.mark.parametrize("engine", ["compiled", "wasmtime"])
def test_a_program_loads_the_portable_provider_of_an_archive(
    engine: str, make_host: MakeHost, identities: Identities
) -> None:
    host = make_host(engine)
    for _ in range(2):
        assert host.add_capability_from_archive(archive_of(identities)) == DESCRIPTOR
        assert serves(host, identities)
        with pytest.raises(CapabilityProviderError, match="twice"):
            host.add_capability_from_archive(archive_of(identities))
        host.remove_capability(CAPABILITY)


@pytest.mark.parametrize("name", ["clock.par", "clock.par.gz", "CLOCK.PAR"])
def test_a_manifest_names_an_archive(name: str, host: Host, identities: Identities, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(archive_of(identities))
    host.apply_manifest(manifest_with(name))
    assert serves(host, identities)


def test_archives_and_modules_from_a_registry(
    make_host: MakeHost, identities: Identities, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wascc.host")
    with docker_registry(tmp_path) as server:
        name = f"localhost:{server.port}"
        pinned = Registry().push(f"{name}/clock:1", archive_of(identities), "clock.par").reference
        Registry().push(f"{name}/module:1", portable(identities).wasm, "clock.wasm")
        for reference in (f"{name}/clock:1", pinned, f"{name}/module:1"):
            named, added = make_host(), make_host()
            named.apply_manifest(manifest_with(reference))
            assert serves(named, identities)
            assert added.add_capability_from_registry(reference, "other") == DESCRIPTOR
            assert ("other", CAPABILITY) in added.capabilities()
    assert f"Pulled {pinned}" in caplog.text


def test_a_native_archive_is_refused_and_says_what_it_has(host: Host, identities: Identities) -> None:
    data = archive_of(identities, {"x86_64-linux": b"\x7fELF", "aarch64-macos": b"\xcf\xfa\xed\xfe"})
    with pytest.raises(CapabilityProviderError) as caught:
        host.add_capability_from_archive(data)
    assert caught.value.message == (
        "No binary found in provider archive for 'wasm32-wasi'; it has aarch64-macos, x86_64-linux: native libraries "
        "are not run by this host"
    )
    assert CAPABILITY not in [capability for _, capability in host.capabilities()]


@pytest.mark.parametrize(
    ("times", "text"),
    [({"expires": 1}, "Expired token"), ({"not_before": 2**40}, "Provider archive cannot be used before in")],
)
def test_times_are_judged(times: dict[str, int], text: str, host: Host, identities: Identities) -> None:
    with pytest.raises(AuthorizationFailure, match=text):
        host.add_capability_from_archive(archive_of(identities, **times))


def test_the_signature_is_judged(host: Host, identities: Identities) -> None:
    good = ProviderArchive.from_bytes(archive_of(identities))
    forged = replace(good, token=good.token.rpartition(".")[0] + "." + "A" * 86)
    with pytest.raises(AuthorizationFailure, match="Invalid token signature"):
        host.add_capability_from_archive(forged.to_bytes())


def test_every_altered_archive_is_refused(host: Host, identities: Identities) -> None:
    good = ProviderArchive.from_bytes(archive_of(identities))
    data = bytearray(good.to_bytes())
    at = data.index(b"\0asm") + 100
    data[at] ^= 1
    with pytest.raises(CapabilityProviderError, match="File hash and verify hash do not match for 'wasm32-wasi'"):
        host.add_capability_from_archive(bytes(data))
    for bad in (b"", b"text", bytes(20480), good.to_bytes()[:3000]):
        with pytest.raises(CapabilityProviderError, match="Invalid provider archive"):
            host.add_capability_from_archive(bad)


def test_the_module_inside_is_judged_too(host: Host, identities: Identities) -> None:
    """The account of the archive answers for the bytes; what the module claims, its own token says."""
    unsigned = b"\0asm\x01\0\0\0"
    expired = identities.sign(identities.key(), (CAPABILITY,), provider=True, expires=1)
    actor = identities.actor(CAPABILITY).wasm
    other = portable(identities, "test:other").wasm
    for module, error, text in (
        (unsigned, CapabilityProviderError, "the module for wasm32-wasi: No embedded JWT"),
        (b"\x7fELF", CapabilityProviderError, "the module for wasm32-wasi: "),
        (expired, AuthorizationFailure, "Expired token"),
        (actor, CapabilityProviderError, "is signed as an actor"),
        (other, CapabilityProviderError, "for the capability test:portable, and its module for test:other"),
    ):
        with pytest.raises(error, match=text):
            host.add_capability_from_archive(archive_of(identities, {"wasm32-wasi": module}))


def test_policies_are_asked_about_the_archive(make_host: MakeHost, identities: Identities) -> None:
    data = archive_of(identities, revision=3)
    service, account = SERVICE.public_key, identities.account.public_key
    digest = sha256(data).hexdigest()
    for policy, rule in (
        (Policy.of(issuers=[]), "issuers"),
        (Policy.of(pins={service: Pin(min_revision=4)}), "pins.min_revision"),
        (Policy.of(pins={service: Pin(sha256="0" * 64)}), "pins.sha256"),
    ):
        host = make_host(configure=lambda builder, policy=policy: builder.with_policy(policy))
        with pytest.raises(PolicyFailure, match=rf"Refused by policy\.{rule}"):
            host.add_capability_from_archive(data)
    good = Policy.of(issuers=[account], pins={service: Pin(3, digest)})
    host = make_host(configure=lambda builder: builder.with_policy(good))
    assert host.add_capability_from_archive(data) == DESCRIPTOR


def test_policies_are_asked_about_the_module_too(make_host: MakeHost, identities: Identities) -> None:
    foreign = portable(Identities()).wasm
    data = archive_of(identities, {"wasm32-wasi": foreign})
    policy = Policy.of(issuers=[identities.account.public_key])
    host = make_host(configure=lambda builder: builder.with_policy(policy))
    with pytest.raises(PolicyFailure, match=r"policy\.issuers"):
        host.add_capability_from_archive(data)


def test_wasi_is_granted_to_archives(host: Host, identities: Identities, tmp_path: Path) -> None:
    (tmp_path / "clock.par").write_bytes(archive_of(identities))
    host.apply_manifest(manifest_with("clock.par", wasi={"args": ["clock"]}))
    host.remove_capability(CAPABILITY)
    host.add_capability_from_archive(archive_of(identities), wasi=WasiParams(["clock"]))
    with pytest.raises(MiscHostError, match="modules and provider archives, and this is neither"):
        host.apply_manifest(manifest_with("wascc:keyvalue", wasi={}))


@pytest.mark.parametrize("path", ["none.par", "none.par.gz", "a/b.wasm", "localhost:1/none.par", "x" * 5000 + ".par"])
def test_what_is_not_there(path: str, host: Host) -> None:
    with pytest.raises(InputOutputError, match=r"capabilities\[0\]: no such file"):
        host.apply_manifest(manifest_with(path))


def test_what_fails_later_takes_an_archive_back(host: Host, identities: Identities, tmp_path: Path) -> None:
    (tmp_path / "clock.par").write_bytes(archive_of(identities))
    with pytest.raises(HostError):
        host.apply_manifest(manifest_with("clock.par", "none.par"))
    host.add_capability_from_archive(archive_of(identities))
    assert serves(host, identities)


def test_the_commands(identities: Identities, tmp_path: Path) -> None:
    """From a module to a host: what a person does."""
    for kind, key in (("account", identities.account), ("service", SERVICE)):
        (tmp_path / f"{kind}.nk").write_text(key.seed)
    (tmp_path / "clock.wasm").write_bytes(portable(identities).wasm)
    (tmp_path / "lib.so").write_bytes(b"\x7fELF")
    keys = ("-i", "account.nk", "-u", "service.nk")
    named = ("-c", CAPABILITY, "--vendor", "acme", "-o", "clock.par")
    assert wascc("par", "create", "-a", "x86_64-linux", "-b", "lib.so", *named, *keys).returncode == 0
    (tmp_path / "manifest.json").write_text(manifest_with("clock.par").to_json())
    done = wascc("explain", "manifest.json", "--json")
    assert done.returncode == 1
    (finding,) = json.loads(done.stdout)["findings"]
    assert "it has x86_64-linux: native libraries are not run by this host" in finding["text"]
    insert = ("par", "insert", "clock.par", "-a", "wasm32-wasi", "-b", "clock.wasm", "-i", "account.nk")
    assert wascc(*insert).returncode == 0
    done = wascc("explain", "manifest.json", "--try")
    assert done.returncode == 0, done.stdout


def test_a_module_of_an_archive_is_the_one_that_was_put_in(identities: Identities) -> None:
    module = portable(identities)
    data = archive_of(identities, {"wasm32-wasi": module.wasm})
    assert Actor.from_bytes(ProviderArchive.from_bytes(data).binary("wasm32-wasi")) == module
